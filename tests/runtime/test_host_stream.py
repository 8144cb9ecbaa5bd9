"""Streams in the wheel: bit for bit what the unsplit model makes, whatever line buffers begin with.

The oracle is the unsplit model in the same interpreter, with all its tensors kept apart.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

import pytest
from needs import PUBLIC_MODELS, find_model
from stream_faults import faults
from stream_nets import StreamNet, chance_decoder, chance_stream_net
from stream_runs import Runs, longest_streams, same, streams_of

from splitopt.base.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.runtime.host import run_tflm_chain
from splitopt.tiling.rolled import best_pairs
from splitopt.tiling.streams.check import check_rows
from splitopt.tiling.streams.check_ops import InvalidStream
from splitopt.tiling.streams.ends import stream_pairs
from splitopt.tiling.streams.group_graph import group_graph
from splitopt.tiling.streams.plain import plain_stream, stream_from_plain
from splitopt.tiling.streams.stream import Stream

OWN_MODELS = ("resnet8", "mbv2", "squeeze", "unet")


def model(name: str) -> ModelGraph:
    path = find_model(f"{name}_int8")
    assert path is not None
    return read_tflite(path)


def chosen(graph: ModelGraph, count: int, seed: int) -> list[Stream]:
    """The longest streams, and some of all others."""
    longest, every = longest_streams(graph), list(streams_of(graph))
    some = random.Random(seed).sample(every, min(count, len(every)))
    return list({(s.start, s.stop): s for s in (*longest, *some)}.values())


def test_the_longest_streams_of_our_models_equal_them(tmp_path: Path) -> None:
    runs = Runs(tmp_path, samples=2)
    for name in OWN_MODELS:
        graph = model(f"{name}_digits")
        runs.add(name, graph, longest_streams(graph))
    assert not runs.wrong()
    assert len(runs.pairs) >= len(OWN_MODELS)


@pytest.mark.needs("public models")
def test_the_longest_streams_of_public_models_equal_them(tmp_path: Path) -> None:
    runs = Runs(tmp_path, samples=2)
    for name in PUBLIC_MODELS:
        graph = model(name.removesuffix("_int8"))
        runs.add(name, graph, longest_streams(graph))
    assert not runs.wrong()
    assert len(runs.pairs) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN_MODELS)
def test_streams_of_any_length_equal_the_model(name: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path, samples=2)
    graph = model(f"{name}_digits")
    runs.add(name, graph, chosen(graph, 60, 0))
    assert not runs.wrong()


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_streams_of_nets_by_chance_equal_them(dtype: str, tmp_path: Path) -> None:
    _require_equal(tmp_path, dtype, range(12))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("block", range(10))
def test_streams_of_many_nets_by_chance_equal_them(dtype: str, block: int, tmp_path: Path) -> None:
    first = 1000 + 40 * block
    _require_equal(tmp_path, dtype, range(first, first + 40))


def _require_equal(folder: Path, dtype: str, seeds: range) -> None:
    runs = Runs(folder)
    for seed in seeds:
        graph = chance_stream_net(seed, dtype)
        runs.add(str(seed), graph, chosen(graph, 4, seed))
    assert not runs.wrong()
    assert len(runs.pairs) > 2 * len(seeds)


def test_every_kernel_and_stride(tmp_path: Path) -> None:
    """Images of even and odd height, kernels up to the image's height, a pool behind."""
    runs = Runs(tmp_path, samples=2)
    kinds = product(range(1, 8), (7, 8), (1, 2, 3), ("same", "valid"))
    for kernel, rows, stride, padding in kinds:
        net = StreamNet(random.Random(kernel))
        source = net.image(rows, 5, 2)
        made = net.window("CONV_2D", source, (kernel, 3), (stride, 1), padding)
        if net.shapes[made][0] > 1:
            made = net.window("MAX_POOL_2D", made, (2, 2), (1, 1), "same")
            graph = net.graph([source], [made])
            streams = longest_streams(graph)
            assert [(s.start, s.stop) for s in streams] == [(0, 2)]
            runs.add(f"{kernel}-{rows}-{stride}-{padding}", graph, streams)
    assert not runs.wrong()
    assert len(runs.pairs) > 60


def test_every_transposed_convolution(tmp_path: Path) -> None:
    """Several rows at a time, and a window behind them that looks at one after the other."""
    runs = Runs(tmp_path, samples=2)
    for kernel, stride, padding in product(range(1, 7), (1, 2, 3), ("same", "valid")):
        net = StreamNet(random.Random(kernel))
        source = net.image(4, 3, 2 if stride > 2 else 20)
        made = net.transposed(source, (kernel, 2), (stride, stride), padding)
        last = net.window("CONV_2D", made, (3, 3), (1, 1), "same")
        graph = net.graph([source], [last])
        streams = longest_streams(graph)
        if (streams[0].start, streams[0].stop) == (0, 2):
            assert streams[0].groups[0].rows_per_turn == stride
            runs.add(f"{kernel}-{stride}-{padding}", graph, streams)
    assert not runs.wrong()
    assert len(runs.pairs) > 24


@pytest.mark.parametrize(
    ("dtype", "seeds"),
    [
        *(("int8", range(10)), ("int16", range(10))),
        *(pytest.param(k, range(10, 200), marks=pytest.mark.slow) for k in ("int8", "int16")),
    ],
)
def test_streams_of_decoders_by_chance_equal_them(dtype: str, seeds: range, tmp_path: Path) -> None:
    runs, several = Runs(tmp_path), 0
    for seed in seeds:
        graph = chance_decoder(seed, dtype)
        streams = chosen(graph, 4, seed)
        several += sum(any(group.made_rows > 1 for group in s.groups) for s in streams)
        runs.add(str(seed), graph, streams)
    assert not runs.wrong()
    assert several > len(seeds)


def one_stream(folder: Path) -> tuple[Runs, Stream]:
    """A model and a stream of its first convolutions, which fill rows and have a residual."""
    graph = model("resnet8_digits")
    runs = Runs(folder)
    [stream] = [s for s in streams_of(graph) if (s.start, s.stop) == (0, 4)]
    runs.add("model", graph, [stream])
    return runs, stream


FAULTS = {
    "a wrong fill": lambda s: replace(
        s, buffers=tuple(replace(b, fill=b.fill and b.fill + 1) for b in s.buffers)
    ),
    "a row dropped too early": lambda s: replace(
        s, buffers=tuple(replace(b, lazy=b.lazy and (b.lazy[0], 0)) for b in s.buffers)
    ),
    "a row too early": lambda s: replace(
        s, groups=(*s.groups[:-1], replace(s.groups[-1], first_tick=s.groups[-1].first_tick - 1))
    ),
    "too few rows": lambda s: replace(
        s, groups=(*s.groups[:-1], replace(s.groups[-1], rows=s.groups[-1].rows - 1))
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_wrong_stream_makes_is_wrong(fault: str, tmp_path: Path) -> None:
    runs, stream = one_stream(tmp_path)
    files = runs.stages[1].stream
    assert files is not None
    broken = replace(files, stream=FAULTS[fault](stream))
    runs.stages[1] = replace(runs.stages[1], stream=broken)
    assert runs.wrong()


@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, 90), marks=pytest.mark.slow)])
def test_what_the_checker_lets_pass_is_right(seeds: range, tmp_path: Path) -> None:
    """Streams with a fault each: most are refused, and those that are not make the same."""
    runs = Runs(tmp_path, samples=2)
    refused = 0
    for seed in seeds:
        graph = chance_stream_net(seed)
        passing = []
        streams = longest_streams(graph)[:1]
        for _, broken in chain.from_iterable(map(faults, streams)):
            try:
                check_rows(graph, broken, [group_graph(graph, broken, g) for g in broken.groups])
                passing.append(broken)
            except (InvalidStream, LookupError):
                refused += 1
        runs.add(str(seed), graph, passing[:10])
    assert not runs.wrong()
    assert refused > len(runs.pairs) > 2 * len(seeds)


def test_samples_do_not_touch_one_another(tmp_path: Path) -> None:
    runs, _ = one_stream(tmp_path)
    together = runs.made()
    [(name, _)] = runs.pairs[:1]
    for sample in range(runs.samples):
        alone = {key: feed[sample : sample + 1] for key, feed in runs.feeds.items()}
        made = run_tflm_chain(runs.stages, alone)
        assert same(made[name], together[name][sample : sample + 1])


def test_files_of_other_shapes_are_refused_and_not_run(tmp_path: Path) -> None:
    runs, _ = one_stream(tmp_path)
    files = runs.stages[1].stream
    assert files is not None
    swapped = replace(files, paths=files.paths[::-1])
    runs.stages[1] = replace(runs.stages[1], stream=swapped)
    with pytest.raises(ToolError, match="got 1 inputs, but the model has 2"):
        runs.made()


def test_a_stream_survives_being_written_as_plain_data() -> None:
    graph = model("squeeze_digits")
    for stream in longest_streams(graph):
        assert stream_from_plain(plain_stream(stream)) == stream


def test_ends_share_bytes_at_their_lead_and_are_lost_without(tmp_path: Path) -> None:
    """An output larger than its input begins a lead below it; where both begin together, rows are
    written over that are still to be read."""
    wrong = []
    for has_lead in (True, False):
        runs = Runs(tmp_path, samples=2)
        for name in ("resnet8", "squeeze"):
            graph = model(f"{name}_digits")
            for stream in streams_of(graph):
                for pair in best_pairs(graph, list(stream_pairs(graph, stream))):
                    if pair.lead_bytes > 0 and stream.start < 4:
                        own = f"{name}-{stream.start}-{stream.stop}-{pair.made}"
                        runs.add(own, graph, [stream])
                        lead = pair.lead_bytes if has_lead else 0
                        runs.place(graph, {pair.read: lead, pair.made: 0})
        wrong.append(len({made.split("/")[0] for made in runs.wrong()}))
    assert wrong == [0, len(runs.stages) // 2]
    assert wrong[1] > 3
