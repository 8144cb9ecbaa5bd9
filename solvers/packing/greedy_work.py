"""Counts the steps that TFLM's greedy planner takes on an input, without taking them all.

Source of the loops: ReverseSortInPlace and CalculateOffsetsIfNeeded in
tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from splitopt.solvers.packing.greedy_by_size import is_sparse, placing_order
from splitopt.solvers.packing.instance import held_steps


@dataclass(frozen=True)
class PlannerWork:
    """Counts, each over the whole planning.

    sort_cmp, sort_swap: comparisons and swaps of the bubble sort, its last pass without a swap
    included. scan_steps: list entries tested for overlap in time while a gap is looked for;
    scan_active: those that do overlap. insert_steps: rounds of the walk along the list to the place
    of a new entry; a new first entry takes none.
    """

    sort_cmp: int
    sort_swap: int
    scan_steps: int
    scan_active: int
    insert_steps: int


def planner_work(
    sizes: Sequence[int],
    starts: Sequence[int],
    stops: Sequence[int],
    offsets: Sequence[int],
    pinned: Mapping[int, int] | None = None,
) -> PlannerWork:
    """`offsets` must be those of greedy_offsets for the same input."""
    pins = pinned or {}
    sort_cmp, sort_swap = _sort_work([s for i, s in enumerate(sizes) if i not in pins])
    ranges = [held_steps(start, stop) for start, stop in zip(starts, stops, strict=True)]
    order = placing_order(sizes, pins)
    count = _walk_by_step if is_sparse(ranges) else _walk_by_scan
    return PlannerWork(sort_cmp, sort_swap, *count(sizes, ranges, offsets, order, pins))


def _walk_by_scan(
    sizes: Sequence[int],
    ranges: Sequence[tuple[int, int]],
    offsets: Sequence[int],
    order: Sequence[int],
    pinned: Mapping[int, int],
) -> tuple[int, int, int]:
    """(scan steps, active ones, insert steps).

    A scan ends at the first overlapping entry that leaves room below it. The entries before that
    one begin below offset + size, it does not: the list splits there.
    """
    steps = active = inserts = 0
    keys: list[int] = []
    placed: list[tuple[int, int]] = []
    for buffer in order:
        offset = offsets[buffer]
        start, stop = ranges[buffer]
        if buffer not in pinned:
            below = bisect_left(keys, offset + sizes[buffer])
            steps += below
            active += len([1 for a, b in placed[:below] if a < stop and start < b])
            for a, b in placed[below:]:
                steps += 1
                if a < stop and start < b:
                    active += 1
                    break
        at = bisect_right(keys, offset)
        inserts += at
        keys.insert(at, offset)
        placed.insert(at, (start, stop))
    return steps, active, inserts


def _walk_by_step(
    sizes: Sequence[int],
    ranges: Sequence[tuple[int, int]],
    offsets: Sequence[int],
    order: Sequence[int],
    pinned: Mapping[int, int],
) -> tuple[int, int, int]:
    """The same counts from the placed entries of each step, in the manner of _place_by_step."""
    steps = active = inserts = 0
    slots = max((stop for _, stop in ranges), default=0) + 1
    alive: list[list[tuple[int, int]]] = [[] for _ in range(slots)]
    starting: list[list[tuple[int, int]]] = [[] for _ in range(slots)]
    placed: list[tuple[int, int]] = []
    for sequence, buffer in enumerate(order):
        offset = offsets[buffer]
        start, stop = ranges[buffer]
        if buffer not in pinned:
            later = [entry for step in range(start + 1, stop) for entry in starting[step]]
            near = sorted(alive[start] + later) if later else alive[start]
            below = bisect_left(near, (offset + sizes[buffer], -1))
            ended = below < len(near)
            active += below + ended
            steps += bisect_right(placed, near[below]) if ended else len(placed)
        entry = (offset, sequence)
        at = bisect_left(placed, entry)
        inserts += at
        placed.insert(at, entry)
        starting[start].append(entry)
        for step in range(start, stop):
            insort(alive[step], entry)
    return steps, active, inserts


def _sort_work(sizes: Sequence[int]) -> tuple[int, int]:
    """Bubble sort into falling order, of sizes that the planner lists last buffer first.

    Each pass moves every size that stands behind a smaller one by one place, so the passes are one
    more than the most places any size has to move, and the swaps are all of these moves.
    """
    if not sizes:
        return 0, 0
    seen: list[int] = []
    swaps = most = 0
    for size in reversed(sizes):
        moves = bisect_left(seen, size)
        swaps += moves
        most = max(most, moves)
        insort(seen, size)
    return (most + 1) * (len(sizes) - 1), swaps
