"""TFLM's greedy plan, to the byte, together with the steps that its planner takes, in one pass."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from operator import ge
from typing import TypeVar

from splitopt.solvers.packing.first_fit import FirstFit
from splitopt.solvers.packing.greedy_by_size import placing_order
from splitopt.solvers.packing.greedy_work import PlannerWork, sort_work
from splitopt.solvers.packing.instance import PackingInstance, held_steps
from splitopt.solvers.packing.plan import PackingPlan

_FEW_BUFFERS = 48
_SPARSE = 8
"""Measured: one list of all placed buffers is quicker for a few of them, or if an average one
lives for more than an eighth as many steps as there are buffers."""


def plan_greedy(instance: PackingInstance) -> PackingPlan:
    """The plan TFLM makes; it may exceed the capacity, and overlapping pins stay overlapping."""
    buffers = instance.buffers
    pinned = {i: b.offset for i, b in enumerate(buffers) if b.offset is not None}
    sizes = [b.size for b in buffers]
    fit = FirstFit(sizes, [b.live.steps for b in buffers], pinned)
    offsets = fit.offsets(placing_order(sizes, pinned))
    assert offsets is not None, "without a limit, there is a place for everything"
    return PackingPlan(tuple(offsets))


def greedy_with_work(
    sizes: Sequence[int],
    starts: Sequence[int],
    stops: Sequence[int],
    pinned: Mapping[int, int] | None = None,
) -> tuple[list[int], PlannerWork]:
    """Offsets of buffers given as columns, and the planner's steps; unchecked, for callers that ask
    very often.

    Ranges are half-open, start >= -1; an empty one lives at no time (see LiveRange).
    """
    pins = pinned or {}
    ranges = list(zip(starts, stops, strict=True))
    if any(map(ge, starts, stops)):
        ranges = [held_steps(start, stop) for start, stop in ranges]
    order = placing_order(sizes, pins)
    place = _by_step if _is_sparse(ranges) else _in_order
    offsets, *counts = place(sizes, ranges, order, pins)
    free = [size for k, size in enumerate(sizes) if k not in pins] if pins else sizes
    return offsets, PlannerWork(*sort_work(free), *counts)


def _is_sparse(ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether few buffers live at once, so that lists by step pay off."""
    count = len(ranges)
    return count > _FEW_BUFFERS and _SPARSE * sum([b - a for a, b in ranges]) < count**2


Entry = TypeVar("Entry", bound=tuple[int, ...])


def _gap(size: int, near: Sequence[Entry], placed: Sequence[Entry]) -> tuple[int, int, int]:
    """The lowest gap of that size among the entries that live at the same time, how many of all
    that are placed are looked at for it, and how many of these live then. An entry begins with its
    offset, its number and its end."""
    low = 0
    for seen, entry in enumerate(near, start=1):
        if entry[0] - low >= size:
            return low, bisect_left(placed, entry) + 1, seen
        if entry[2] > low:
            low = entry[2]
    return low, len(placed), len(near)


def _in_order(
    sizes: Sequence[int],
    ranges: Sequence[tuple[int, int]],
    order: Sequence[int],
    pinned: Mapping[int, int],
) -> tuple[list[int], int, int, int]:
    """(offsets, scan steps, active ones, insert steps): best for few or long-lived buffers.

    An entry (offset, number, end, start, stop) is numbered by its placing, so that entries stand
    as in TFLM's list: by offset, then in the order of placing.
    """
    offsets = [0] * len(sizes)
    steps = active = inserts = 0
    placed: list[tuple[int, int, int, int, int]] = []
    for number, buffer in enumerate(order):
        size, (start, stop) = sizes[buffer], ranges[buffer]
        if buffer in pinned:
            low = pinned[buffer]
        else:
            near = [entry for entry in placed if entry[3] < stop and start < entry[4]]
            low, scanned, seen = _gap(size, near, placed)
            steps += scanned
            active += seen
        offsets[buffer] = low
        new = (low, number, low + size, start, stop)
        at = bisect_left(placed, new)
        inserts += at
        placed.insert(at, new)
    return offsets, steps, active, inserts


def _by_step(
    sizes: Sequence[int],
    ranges: Sequence[tuple[int, int]],
    order: Sequence[int],
    pinned: Mapping[int, int],
) -> tuple[list[int], int, int, int]:
    """The same from the placed entries (offset, number, end) of each step: best for many
    short-lived buffers. What overlaps [start, stop) lives at `start` or starts later within it; the
    list of steps has one slot more, so that BEFORE_ALL (-1) is the last one."""
    offsets = [0] * len(sizes)
    steps = active = inserts = 0
    placed: list[tuple[int, int, int]] = []
    slots = max((stop for _, stop in ranges), default=0) + 1
    alive: list[list[tuple[int, int, int]]] = [[] for _ in range(slots)]
    starting: list[list[tuple[int, int, int]]] = [[] for _ in range(slots)]
    for number, buffer in enumerate(order):
        size, (start, stop) = sizes[buffer], ranges[buffer]
        if buffer in pinned:
            low = pinned[buffer]
        else:
            later: list[tuple[int, int, int]] = []
            for step in range(start + 1, stop):
                later += starting[step]
            near = sorted(alive[start] + later) if later else alive[start]
            low, scanned, seen = _gap(size, near, placed)
            steps += scanned
            active += seen
        offsets[buffer] = low
        new = (low, number, low + size)
        at = bisect_left(placed, new)
        inserts += at
        placed.insert(at, new)
        starting[start].append(new)
        for step in range(start, stop):
            insort(alive[step], new)
    return offsets, steps, active, inserts
