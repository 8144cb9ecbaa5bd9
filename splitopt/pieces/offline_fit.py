"""Whether a written piece carries the offline plan that was meant, and the plan holds."""

from __future__ import annotations

from splitopt.arena.check import check_head
from splitopt.arena.replay import Arena, replay
from splitopt.arena.rules import TargetRules
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite


def check_written(piece: bytes, planned: Arena, rules: TargetRules) -> None:
    """Raises AssertionError where the piece's own arena is another than the planned one, or two of
    its buffers share bytes while they live."""
    graph = parse_tflite(piece, name="piece", where="a written piece")
    arena = replay(graph, whole_model(graph), rules.memories(graph), rules.abi)
    check_head(arena)
    found = arena.head_bytes, arena.tail_bytes, arena.minimum_bytes
    wanted = planned.head_bytes, planned.tail_bytes, planned.minimum_bytes
    assert found == wanted, f"the written piece has head, tail, minimum {found}, planned {wanted}"
