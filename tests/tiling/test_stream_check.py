"""The checker of streams accepts what is right, and refuses each planted fault that is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from gated_nets import chance_gated_net
from images import ImageNet, chance_neck, chance_net
from needs import SHARED_MODELS
from stream_faults import faults
from stream_nets import chance_decoder, chance_stream_net
from stream_oracle import makes_what_it_should

from splitopt.arena.rules import target_rules
from splitopt.arena.shared import SharedArena
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.tiling.check_rolled import (
    InvalidRolledEnds,
    Touch,
    check_rolled,
    touches_of_bands,
)
from splitopt.tiling.plan import Execution, RowSpan
from splitopt.tiling.rolled import RolledPair
from splitopt.tiling.streams import check
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.check import check_rows, check_stream
from splitopt.tiling.streams.check_ops import InvalidStream
from splitopt.tiling.streams.ends import stream_pairs
from splitopt.tiling.streams.group_graph import group_graph
from splitopt.tiling.streams.placement import GroupForms, PlacedGroup, PlacedStream, placed
from splitopt.tiling.streams.rules import stream_rule
from splitopt.tiling.streams.stream import Stream

RULES = target_rules("m55")
MODELS = sorted(SHARED_MODELS.glob("*.tflite"))
PLANNER = {"build", "ends", "group_graph", "grouping", "moves", "placement", "rules", "timing"}
EQUIVALENT = {
    "buffers depth": "one slot more, which no window looks at",
    "buffers last_row": "rows enter that no window looks at; none of the last ones is looked at",
    "buffers lazy": "rows move whenever one enters: more is moved, windows see the same",
    "buffers fill": "there is one, and no window looks outside of the image",
    "groups period": "it makes a single row",
    "sources period": "it has a single row",
    "sources first_tick": "a turn between two of its readers'",
    "groups first_tick": "a later turn in which nothing of what it reads or writes has changed",
    "groups swapped": "neither reads what the other makes in the same tick",
    "views stride": "none, over the only row of its buffer",
    "views repeat": "more often than it has turns",
    "views swapped": "the inputs of the file stand in another order",
}
"""Faults that may make the same all the same, and how."""


def streams(graph: ModelGraph, step: int = 1) -> Iterator[Stream]:
    """`step`: ops from one start to the next, and from one end to the next."""
    rules = [stream_rule(graph, op) for op in graph.ops]
    count = len(graph.ops)
    for start in range(0, count, step):
        for stop in range(count, start, -step):
            found = stream_of(graph, start, stop, rules)
            if isinstance(found, Stream):
                yield found


def longest(graph: ModelGraph) -> Stream | None:
    return max(streams(graph), key=lambda stream: stream.stop - stream.start, default=None)


def in_arena(graph: ModelGraph, stream: Stream) -> PlacedStream:
    return placed(stream, RULES, GroupForms(graph, RULES))


def graphs_of(graph: ModelGraph, stream: Stream) -> list[ModelGraph]:
    return [group_graph(graph, stream, group) for group in stream.groups]


def is_accepted(graph: ModelGraph, stream: Stream) -> bool:
    try:
        graphs = graphs_of(graph, stream)
    except (AssertionError, IndexError):
        return False
    try:
        check_rows(graph, stream, graphs)
    except InvalidStream:
        return False
    return True


def test_it_knows_no_planner() -> None:
    folder = Path(check.__file__).parent
    for file in [*folder.glob("check*.py"), folder.parent / "check_rolled.py"]:
        nodes = ast.walk(ast.parse(file.read_text("utf-8")))
        names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        inner = {name.removeprefix("splitopt.tiling.streams.") for name in names}
        assert inner.isdisjoint(PLANNER)


@pytest.mark.needs("public models")
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_streams_of_models_are_right(path: Path) -> None:
    graph = read_tflite(path)
    forms = GroupForms(graph, RULES)
    for stream in streams(graph, step=1 + len(graph.ops) // 12):
        own = placed(stream, RULES, forms)
        check_stream(graph, own, list(stream_pairs(graph, stream)), own.arena.size_bytes)


def judged(graph: ModelGraph) -> None:
    forms = GroupForms(graph, RULES)
    for stream in streams(graph):
        check_stream(graph, placed(stream, RULES, forms), list(stream_pairs(graph, stream)))
        assert makes_what_it_should(graph, stream)


MAKERS = [chance_stream_net, chance_net, chance_neck, chance_decoder, chance_gated_net]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("seed", range(4))
def test_streams_of_nets_by_chance_are_right(make: type, seed: int) -> None:
    judged(make(seed))


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("make", MAKERS)
def test_streams_of_many_nets_are_right(make: type) -> None:
    for seed in range(4, 700):
        judged(make(seed))


def plant(graph: ModelGraph) -> None:
    stream = longest(graph)
    for what, faulty in faults(stream) if stream else ():
        if is_accepted(graph, faulty):
            assert what in EQUIVALENT
            assert makes_what_it_should(graph, faulty)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("make", [chance_stream_net, chance_decoder, chance_gated_net])
def test_faults_are_refused_unless_they_make_the_same(make: type, seed: int) -> None:
    plant(make(seed))


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("make", [chance_stream_net, chance_decoder, chance_gated_net])
def test_many_faults_are_refused_unless_they_make_the_same(make: type) -> None:
    for seed in range(2, 100):
        plant(make(seed))


def small_net() -> tuple[ModelGraph, Stream]:
    """A PAD, two windows and a residual."""
    net = ImageNet()
    source = net.image(20, 9, 2)
    first = net.conv(net.pad(source, 1, 1), 3, 3, 1, "valid")
    last = net.add(first, net.depthwise(first, 3, 1, "same"))
    graph = net.graph([source], [last])
    stream = longest(graph)
    assert stream is not None
    assert stream.stop - stream.start == len(graph.ops)
    return graph, stream


@dataclass(frozen=True)
class Claimed:
    """A stream in an arena, as somebody says."""

    stream: Stream
    offsets: tuple[int, ...]
    groups: tuple[PlacedGroup, ...]
    arena: SharedArena


def claimed() -> tuple[ModelGraph, Claimed]:
    graph, stream = small_net()
    own = in_arena(graph, stream)
    claim = Claimed(stream, own.offsets, own.groups, own.arena)
    check_stream(graph, claim, granted_bytes=claim.arena.size_bytes)
    return graph, claim


def refused(graph: ModelGraph, claim: Claimed, message: str, granted: int | None = None) -> None:
    with pytest.raises(InvalidStream, match=message):
        check_stream(graph, claim, granted_bytes=granted)


def moved(claim: Claimed, number: int, by: int) -> Claimed:
    """One line buffer at another place, for all groups."""
    tensors = {claim.stream.buffers[number].tensor, claim.stream.buffers[number].written}
    return replace(
        claim,
        offsets=tuple(at + by * (k == number) for k, at in enumerate(claim.offsets)),
        groups=tuple(
            replace(group, offline={t: at + by * (t in tensors) for t, at in group.offline.items()})
            for group in claim.groups
        ),
    )


def test_line_buffers_share_no_bytes() -> None:
    graph, claim = claimed()
    for number in range(1, len(claim.offsets)):
        refused(graph, moved(claim, number, -32), "a line buffer ends at")


def test_what_tflm_places_stays_below() -> None:
    graph, claim = claimed()
    refused(graph, moved(claim, 0, -16), "over line buffers")


def test_the_head_is_that_of_the_groups() -> None:
    graph, claim = claimed()
    last = len(claim.offsets) - 1
    refused(graph, moved(claim, last, 16), "a head of")
    small = replace(claim.arena, head_bytes=claim.arena.head_bytes - 16)
    refused(graph, replace(claim, arena=small), "a head of")
    refused(graph, claim, "B for an arena of", claim.arena.size_bytes - 16)


def test_windows_and_rows_lie_where_they_are_looked_for() -> None:
    graph, claim = claimed()
    for k, group in enumerate(claim.groups):
        for tensor in group.offline:
            wrong = dict(group.offline)
            wrong[tensor] += claim.stream.buffers[0].row_bytes
            groups = list(claim.groups)
            groups[k] = replace(group, offline=wrong)
            refused(graph, replace(claim, groups=tuple(groups)), "offline plan")


def with_tensor(graph: ModelGraph, tensor: int, data: bytes) -> ModelGraph:
    tensors = list(graph.tensors)
    tensors[tensor] = replace(tensors[tensor], data=memoryview(data))
    return replace(graph, tensors=tuple(tensors))


def with_options(graph: ModelGraph, options: Mapping[str, int]) -> ModelGraph:
    return replace(
        graph, ops=tuple(replace(op, options={**op.options, **options}) for op in graph.ops)
    )


def test_the_graphs_of_groups_are_of_the_model() -> None:
    graph, stream = small_net()
    graphs = graphs_of(graph, stream)
    weights = graphs[0].ops[0].inputs[1]
    for wrong in (
        with_tensor(graphs[0], weights, bytes(graphs[0].tensors[weights].bytes)),
        with_options(graphs[0], {"strideH": 1, "padding": 0}),
        with_options(graphs[0], {"dilationHFactor": 2}),
        replace(graphs[0], ops=()),
        replace(graphs[0], outputs=graphs[0].outputs[::-1] + graphs[0].outputs),
    ):
        with pytest.raises(InvalidStream):
            check_rows(graph, stream, [wrong, *graphs[1:]])
    with pytest.raises(InvalidStream, match="graphs for"):
        check_rows(graph, stream, graphs[:-1])


def is_intact(
    graph: ModelGraph, touches: Sequence[Touch], read: int, made: int, distance: int
) -> bool:
    """Bytes of both in one array, each as its row comes: whether no one is read that is gone."""
    size = graph.tensors[read].bytes
    memory = np.zeros(max(distance + size, graph.tensors[made].bytes), dtype=np.int8)
    memory[distance : distance + size] = 1
    for touch in touches:
        if touch.tensor not in (read, made):
            continue
        pitch = graph.tensors[touch.tensor].bytes // graph.tensors[touch.tensor].shape[1]
        first = touch.row * pitch + distance * (touch.tensor == read)
        if touch.is_write:
            memory[first : first + touch.rows * pitch] = 0
        elif not memory[first : first + touch.rows * pitch].all():
            return False
    return True


@pytest.mark.parametrize("seed", [*range(6), 147, 148])
def test_rolled_ends_are_judged_byte_for_byte(seed: int) -> None:
    """The last two have windows that leave rows out between them."""
    graph = chance_stream_net(seed)
    for stream in streams(graph):
        touches = check_rows(graph, stream, graphs_of(graph, stream))
        for pair in stream_pairs(graph, stream):
            check_rolled(graph, stream.start, stream.stop, touches, [pair])
            ends = pair.read, pair.made
            for more in (0, 1, 16, 100):
                assert is_intact(graph, touches, *ends, pair.lead_bytes + more)
            if pair.lead_bytes >= 16:
                assert not is_intact(graph, touches, *ends, pair.lead_bytes - 16)
                less = replace(pair, lead_bytes=pair.lead_bytes - 16)
                with pytest.raises(InvalidRolledEnds, match="read later"):
                    check_rolled(graph, stream.start, stream.stop, touches, [less])


@pytest.mark.parametrize(("height", "halo"), [(4, 1), (5, 2), (10, 1), (20, 0)])
def test_rolled_ends_of_bands_are_judged_byte_for_byte(height: int, halo: int) -> None:
    net = ImageNet()
    source = net.image(20, 6, 3)
    made = net.conv(source, 4, 1, 1, "same")
    graph = net.graph([source], [made])
    executions = []
    for row in range(0, 20, height):
        first, end = max(0, row - halo), min(20, row + height + halo)
        span = RowSpan(made, row, height, row - first)
        executions.append(Execution((RowSpan(source, first, end - first),), (span,)))
    touches = list(touches_of_bands(executions))
    for lead in range(0, 20 * 6 * 4 + 32, 8):
        pair = RolledPair(source, made, lead)
        is_right = all(is_intact(graph, touches, source, made, lead + k) for k in (0, 1, 50))
        try:
            check_rolled(graph, 0, 1, touches, [pair])
        except InvalidRolledEnds:
            assert not is_right
        else:
            assert is_right


def test_rolled_ends_are_an_input_that_nobody_needs_and_an_output() -> None:
    graph, stream = small_net()
    touches = check_rows(graph, stream, graphs_of(graph, stream))
    [pair] = stream_pairs(graph, stream)
    kept = replace(graph, outputs=(*graph.outputs, pair.read))
    for own, wrong, message in (
        (graph, replace(pair, read=pair.made), "the first is no input"),
        (graph, replace(pair, made=pair.read), "the second is no output"),
        (kept, pair, "the first is needed later"),
    ):
        with pytest.raises(InvalidRolledEnds, match=message):
            check_rolled(own, stream.start, stream.stop, touches, [wrong])
