"""Exact offline plans: places of tensors whose head TFLM's own greedy planner does not reach.

An offline plan gives places to tensors only. TFLM then puts scratch around them, largest first
and lowest first, so what counts is the head that results: it is replayed, never assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from splitopt.arena.head import HeadColumns, PlannedHead, head_columns
from splitopt.arena.replay import Memories
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.interrupt import is_asked_to_stop
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.packing.soon import soon_at
from splitopt.solvers.params import SolveParams

_PACKING = SolveParams(time_limit_s=2.0)
Shapes = tuple[tuple[int, int, int], ...]
Pins = tuple[tuple[int, int], ...]
"""(number, offset) of buffers."""


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """The best offline plan found (tensor → offset in bytes; empty where none lowers the head), the
    head that results, and a bound that no head goes below."""

    offsets: Mapping[int, int]
    head: PlannedHead
    least_head_bytes: int

    @property
    def head_bytes(self) -> int:
        return self.head.head_bytes


def best_offline_plan(
    graph: ModelGraph,
    segment: Segment,
    memories: Memories,
    deadline: Deadline | None = None,
    pins: Mapping[int, int] | None = None,
) -> OfflinePlan:
    """Of the segment's arena, as far as it is found before the deadline. `pins`: tensors whose
    offsets are given, which do not overlap while they live."""
    columns = head_columns(graph, segment, memories)
    best = dict(pins or {})
    head = columns.planned(best)
    load = bound = head.peak_load_bytes
    pinned = tuple((columns.tensors.index(tensor), at) for tensor, at in best.items())
    for is_joined in (False, True):
        if head.head_bytes == bound:
            break
        shapes = _scratch_joined(columns) if is_joined else columns.shapes
        if deadline is None or deadline.left_s > _PACKING.time_limit_s:
            missed = load if shapes == columns.shapes and not pinned else None
            offsets, least = _packed(shapes, pinned, missed)
            if is_asked_to_stop():  # it may have been cut short
                _packed.cache_clear()
        else:
            offsets, least = _packed_within(shapes, pinned, deadline.left_s)
        if not is_joined:
            bound = max(bound, least)
        plan = dict(zip(columns.tensors, offsets, strict=False))  # scratch comes behind tensors
        reached = columns.planned(plan)
        if reached.head_bytes < head.head_bytes:
            best, head = plan, reached
    return OfflinePlan(best, head, bound)


def _scratch_joined(head: HeadColumns) -> Shapes:
    """All scratch of an op as one: whatever TFLM does in the gap that is left, it fits there."""
    tensors, shapes = len(head.tensors), head.shapes
    scratch: dict[tuple[int, int], int] = {}
    for size, start, stop in shapes[tensors:]:
        at = start, stop
        scratch[at] = scratch.get(at, 0) + size
    return (*shapes[:tensors], *((size, *at) for at, size in scratch.items()))


@lru_cache(maxsize=4096)
def _packed(shapes: Shapes, pins: Pins, missed: int | None) -> tuple[tuple[int, ...], int]:
    """As `_packed_within` has it. `missed`: the peak load, where TFLM's greedy plan is known not
    to reach it."""
    soon = None if missed is None else soon_at(missed, shapes, _PACKING)
    if soon is not None and missed is not None:
        return tuple(soon), missed
    return _packed_within(shapes, pins, _PACKING.time_limit_s)


@lru_cache(maxsize=16384)
def _buffer(size: int, start: int, stop: int, offset: int | None = None) -> Buffer:
    return Buffer(size, LiveRange(start, stop), offset)


def _packed_within(shapes: Shapes, pins: Pins, limit_s: float) -> tuple[tuple[int, ...], int]:
    """Offsets of buffers (size, start, stop), of which some are given, and a bound of their
    high-water mark."""
    given = dict(pins)
    buffers = tuple(_buffer(*shape, given.get(k)) for k, shape in enumerate(shapes))
    outcome = solve(PackingInstance(buffers), replace(_PACKING, time_limit_s=limit_s))
    return outcome.found.offsets, outcome.bound or 0
