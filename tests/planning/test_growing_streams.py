"""Streams that grow op by op have the figures of each stream built and replayed by itself."""

from __future__ import annotations

import random
from operator import le

import pytest
from gated_nets import chance_gated_net
from needs import find_model
from planning_helpers import chain
from samples import seeds
from several_rows import rules_by_chance
from stream_nets import StreamNet, chance_decoder, chance_stream_net

from splitopt.arena.rules import target_rules
from splitopt.base.units import align_up
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.growing_stream import GrowingStream
from splitopt.planning.segment import SegmentFigures, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.stream_pricing import Resident
from splitopt.tiling.rolled import saved_bytes
from splitopt.tiling.streams.stream import Stream


@pytest.mark.parametrize("seed", seeds(8, 300))
def test_every_stream_is_found_with_its_figures(seed: int) -> None:
    graph = chain(16) if seed == 0 else chance_stream_net(seed)
    assert_exact(graph)


@pytest.mark.parametrize("seed", seeds(4, 200))
def test_streams_with_groups_that_make_several_rows_are_found(seed: int) -> None:
    assert_exact(chance_decoder(seed))


@pytest.mark.parametrize("seed", seeds(4, 200))
def test_streams_with_gates_are_found(seed: int) -> None:
    for dtype in ("int8", "int16"):
        assert_exact(chance_gated_net(seed, dtype))


@pytest.mark.parametrize("seed", seeds(5, 200))
def test_streams_of_ops_that_make_several_rows_at_once_are_found(seed: int) -> None:
    for make in (chance_stream_net, chance_decoder, chance_gated_net):
        assert_exact(make(seed), seed)


@pytest.mark.parametrize("name", ["resnet8_digits_int8", ""])
def test_groups_that_run_later_than_they_could_are_timed_for_real(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    price = GrowingStream._of_built
    monkeypatch.setattr(GrowingStream, "_of_built", lambda *given: built.append(1) or price(*given))
    path = find_model(name) if name else None
    assert_exact(read_tflite(path) if path else chain(16))
    assert bool(built) == name.startswith("resnet")


def assert_resident(figures: SegmentFigures, quick: Resident) -> None:
    """As a replay of all groups has it, whose persistent data are in another arena."""
    assert figures.stream is not None
    arena, groups = figures.stream.arena, figures.stream.stream.groups
    assert (figures.arena_bytes, quick.arena_bytes) == (arena.size_bytes, arena.size_bytes)
    assert arena.size_bytes == align_up(max(arena.head_bytes, arena.temporary_bytes), 16)
    kept = align_up(arena.tail_bytes, 16) + 208 * len(groups)
    assert (figures.kept_bytes, quick.kept_bytes) == (kept, kept)
    turns = [group.turns for group in groups]
    read = sum(count * size for count, size in zip(turns, arena.tails, strict=True))
    assert (figures.read_bytes, quick.read_bytes) == (read, read)
    assert figures.added_insn - figures.rebuild_insn == quick.added_insn


def assert_exact(graph: ModelGraph, seed: int | None = None) -> None:
    """`seed`: ops make several rows at once, as many as chance has it."""
    table = SegmentTable(graph, target_rules("m55"), techniques=Techniques(), zero_arena=True)
    streams = table.streams
    if seed is not None:
        streams = streams.at(tuple(rules_by_chance(graph, seed)))
    columns = streams.columns(table.boundary.copied)
    bounds = {row[:2]: row[2:] for row in zip(*(c.tolist() for c in columns), strict=True)}
    for start in range(len(graph.ops)):
        for stop in range(start + 1, len(graph.ops) + 1):
            stream = streams.stream(start, stop)
            quick = streams.quick_figures(start, stop)
            if isinstance(stream, str):
                assert quick is None
                continue
            figures = streams.figures(stream)
            assert figures.stream is not None
            arena = figures.stream.arena.size_bytes + figures.stream.interpreters_bytes
            assert figures.arena_bytes == arena
            saved = (saved_in(table, stream, by_rows=by_rows) for by_rows in (False, True))
            building = figures.added_insn, figures.rebuild_insn, figures.image_bytes
            exact = (start, stop, arena, *saved, *building, figures.copied_bytes)
            assert quick is not None
            assert quick[: len(exact)] == exact
            assert_resident(streams.resident(figures), quick.resident)
            if (start, stop) not in bounds:
                assert arena > table.ram(0, len(graph.ops))
                continue
            added, rebuild, image = building
            images = quick.resident.kept_bytes, image
            exact_bounds = arena, added - rebuild, rebuild, *images, figures.copied_bytes
            assert all(map(le, bounds[start, stop], exact_bounds))


@pytest.mark.parametrize("seed", seeds(3, 30))
def test_rows_that_are_made_together_stay_so_behind_a_pad_of_columns(seed: int) -> None:
    net = StreamNet(random.Random(seed))
    source = net.image(16, 16, 8)
    made = net.transposed(source, (2, 2), (2, 2), "same", 8)
    made = net.border(made, (0, 0), (1, 1))
    for _ in range(3):
        made = net.window("CONV_2D", made, (1, 1), (1, 1), "same")
    assert_exact(net.graph([source], [made]))


def saved_in(table: SegmentTable, stream: Stream, *, by_rows: bool) -> int:
    pairs = table.streams.rolled(stream, by_rows=by_rows)
    return sum(saved_bytes(table.graph, pair) for pair in pairs)
