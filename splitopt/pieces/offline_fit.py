"""Whether written files carry the offline plans that were meant, and the plans hold."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.arena.abi import Abi
from splitopt.arena.check import check_head
from splitopt.arena.replay import replay
from splitopt.arena.rules import TargetRules
from splitopt.arena.shared import SharedModel, shared_arena
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.planning.segment import SegmentFigures
from splitopt.tiling.streams.placement import PlacedGroup, PlacedStream


def check_written(files: Sequence[bytes], planned: SegmentFigures, rules: TargetRules) -> None:
    """Raises AssertionError where what the files ask of the arena is another than planned, or two
    of its buffers share bytes while they live."""
    graphs = [parse_tflite(data, name="piece", where="a written piece") for data in files]
    check_head(planned.arena)
    abi = rules.abi.in_two_arenas() if planned.kept_bytes else rules.abi
    if planned.stream is not None:
        _check_groups(graphs, planned.stream, rules, abi)
    elif planned.has_offline_plan:
        [graph] = graphs
        arena = replay(graph, whole_model(graph), rules.memories(graph), abi)
        check_head(arena)
        found, wanted = (
            (
                a.head_bytes,
                a.tail_bytes,
                a.minimum_bytes,
                [o for _, o in sorted(a.offline_plan.items())],
            )
            for a in (arena, planned.arena)
        )
        said = f"the written piece has head, tail, minimum and pins {found}, want {wanted}"
        assert found == wanted, said


def _check_groups(
    graphs: Sequence[ModelGraph], planned: PlacedStream, rules: TargetRules, abi: Abi
) -> None:
    """Groups by their own files: pins are as planned, all else lies below the line buffers, and
    together they fill the arena to the byte."""
    models = [SharedModel(g, rules.memories(g), g.offline_offsets) for g in graphs]
    arena = shared_arena(models, abi)
    for k, (group, head) in enumerate(zip(planned.groups, arena.heads, strict=True)):
        pins = [buffer.offset for buffer in head if buffer.pinned]
        wanted = _pins(group)
        assert pins == wanted, f"group {k} is pinned at {pins}, want {wanted}"
        low = max((b.offset + b.size_bytes for b in head if not b.pinned), default=0)
        assert low <= planned.low_bytes, f"group {k} reaches {low}, want {planned.low_bytes}"
    found, want = ((a.head_bytes, a.tail_bytes, a.minimum_bytes) for a in (arena, planned.arena))
    assert found == want, f"the written groups have head, tail, minimum {found}, want {want}"


def _pins(group: PlacedGroup) -> list[int]:
    """In the order of tensors, which the file keeps."""
    return [group.offline[tensor] for tensor in sorted(group.offline)]
