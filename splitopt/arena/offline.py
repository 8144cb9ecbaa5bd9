"""Exact offline plans: places of tensors whose head TFLM's own greedy planner does not reach.

An offline plan gives places to tensors only. TFLM then puts scratch around them, largest first
and lowest first, so what counts is the head that results: it is replayed, never assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from splitopt.arena.replay import Memories, PlannedBuffer, plan_head
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.interrupt import is_asked_to_stop
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance, peak_load
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.params import SolveParams

_PACKING = SolveParams(time_limit_s=2.0)
Shapes = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """The best offline plan found (tensor → offset in bytes; empty where none lowers the head), the
    head that results, and a bound that no head goes below."""

    offsets: Mapping[int, int]
    head_bytes: int
    least_head_bytes: int


def best_offline_plan(
    graph: ModelGraph, segment: Segment, memories: Memories, deadline: Deadline | None = None
) -> OfflinePlan:
    """Of the segment's arena, as far as it is found before the deadline."""
    greedy = plan_head(graph, segment, memories)
    bound = peak_load((b.size_bytes, b.live.start, b.live.stop) for b in greedy)
    best, head = dict[int, int](), _head_bytes(greedy)
    for buffers in (greedy, _scratch_joined(greedy)):
        if head == bound:
            break
        shapes = tuple((b.size_bytes, b.live.start, b.live.stop) for b in buffers)
        if deadline is None or deadline.left_s > _PACKING.time_limit_s:
            offsets, least = _packed(shapes)
            if is_asked_to_stop():  # it may have been cut short
                _packed.cache_clear()
        else:
            offsets, least = _packed_within(shapes, deadline.left_s)
        if buffers is greedy:
            bound = max(bound, least)
        places = zip(buffers, offsets, strict=True)
        plan = {b.tensor: offset for b, offset in places if b.tensor is not None}
        reached = _head_bytes(plan_head(graph, segment, memories, plan))
        if reached < head:
            best, head = plan, reached
    return OfflinePlan(best, head, bound)


def _head_bytes(buffers: Sequence[PlannedBuffer]) -> int:
    return max((buffer.offset + buffer.size_bytes for buffer in buffers), default=0)


def _scratch_joined(buffers: Sequence[PlannedBuffer]) -> tuple[PlannedBuffer, ...]:
    """All scratch of an op as one: whatever TFLM does in the gap that is left, it fits there."""
    joined = [buffer for buffer in buffers if buffer.tensor is not None]
    scratch: dict[int | None, PlannedBuffer] = {}
    for buffer in (b for b in buffers if b.tensor is None):
        known = scratch.get(buffer.op)
        size = buffer.size_bytes + (known.size_bytes if known else 0)
        scratch[buffer.op] = replace(buffer, size_bytes=size)
    return (*joined, *scratch.values())


@lru_cache(maxsize=4096)
def _packed(shapes: Shapes) -> tuple[tuple[int, ...], int]:
    return _packed_within(shapes, _PACKING.time_limit_s)


def _packed_within(shapes: Shapes, limit_s: float) -> tuple[tuple[int, ...], int]:
    """Offsets of buffers (size, start, stop), and a bound of their high-water mark."""
    buffers = tuple(Buffer(size, LiveRange(start, stop)) for size, start, stop in shapes)
    outcome = solve(PackingInstance(buffers), replace(_PACKING, time_limit_s=limit_s))
    return outcome.found.offsets, outcome.bound or 0
