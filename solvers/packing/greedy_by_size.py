"""Greedy packing by size, to the byte as TensorFlow Lite Micro's planner does it.

Source of the rule: tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc. Pinned buffers
come first, in index order; then the others by falling size, the higher index first among equals.
Each goes to the lowest gap that holds it between the placed buffers that live when it does.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from operator import ge

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
    starts = [b.live.start for b in buffers]
    stops = [b.live.stop for b in buffers]
    return PackingPlan(tuple(greedy_offsets([b.size for b in buffers], starts, stops, pinned)))


def greedy_offsets(
    sizes: Sequence[int],
    starts: Sequence[int],
    stops: Sequence[int],
    pinned: Mapping[int, int] | None = None,
) -> list[int]:
    """Offsets of buffers given as columns; unchecked, for callers that ask very often.

    Ranges are half-open, start >= -1; an empty one lives at no time (see LiveRange).
    """
    ranges = list(zip(starts, stops, strict=True))
    if any(map(ge, starts, stops)):
        ranges = [held_steps(start, stop) for start, stop in ranges]
    order = placing_order(sizes, pinned or {})
    place = _place_by_step if is_sparse(ranges) else place_in_order
    return place(sizes, ranges, order, pinned or {})


def is_sparse(ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether few buffers live at once, so that lists by step pay off."""
    count = len(ranges)
    return count > _FEW_BUFFERS and _SPARSE * sum([b - a for a, b in ranges]) < count**2


def placing_order(sizes: Sequence[int], pinned: Mapping[int, int]) -> list[int]:
    """Pinned by index, then by size falling; the sort is stable over falling indices."""
    free = sorted(range(len(sizes) - 1, -1, -1), key=sizes.__getitem__, reverse=True)
    if not pinned:
        return free
    return sorted(pinned) + [b for b in free if b not in pinned]


def place_in_order(
    sizes: Sequence[int],
    ranges: Sequence[tuple[int, int]],
    order: Sequence[int],
    pinned: Mapping[int, int],
) -> list[int]:
    """Each buffer of `order` into its lowest gap, or to its pin; `ranges` are never empty.

    Walks one list of all placed buffers in offset order: best for few or long-lived ones.
    """
    offsets = [0] * len(sizes)
    placed: list[tuple[int, int, int, int]] = []
    keys: list[int] = []
    for buffer in order:
        size = sizes[buffer]
        start, stop = ranges[buffer]
        low = 0
        if buffer in pinned:
            low = pinned[buffer]
        else:
            for offset, end, other_start, other_stop in placed:
                if other_start < stop and start < other_stop:
                    if offset - low >= size:
                        break
                    if end > low:
                        low = end
        offsets[buffer] = low
        at = bisect_right(keys, low)
        keys.insert(at, low)
        placed.insert(at, (low, low + size, start, stop))
    return offsets


def _place_by_step(
    sizes: Sequence[int],
    ranges: Sequence[tuple[int, int]],
    order: Sequence[int],
    pinned: Mapping[int, int],
) -> list[int]:
    """Keep the placed buffers of each step: best for many short-lived ones.

    Whatever overlaps [start, stop) is alive at `start` or starts later within it. Lists have one
    slot more than there are steps, so that BEFORE_ALL (-1) is the last one. The middle of a record
    keeps equal offsets in the order of their placing.
    """
    offsets = [0] * len(sizes)
    slots = max((stop for _, stop in ranges), default=0) + 1
    alive: list[list[tuple[int, int, int]]] = [[] for _ in range(slots)]
    starting: list[list[tuple[int, int, int]]] = [[] for _ in range(slots)]
    for sequence, buffer in enumerate(order):
        size = sizes[buffer]
        start, stop = ranges[buffer]
        low = 0
        if buffer in pinned:
            low = pinned[buffer]
        else:
            later: list[tuple[int, int, int]] = []
            for step in range(start + 1, stop):
                if starting[step]:
                    later += starting[step]
            for offset, _, end in sorted(alive[start] + later) if later else alive[start]:
                if offset - low >= size:
                    break
                if end > low:
                    low = end
        offsets[buffer] = low
        record = (low, sequence, low + size)
        starting[start].append(record)
        for step in range(start, stop):
            insort(alive[step], record)
    return offsets
