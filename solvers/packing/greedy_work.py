"""Counts the steps that TFLM's greedy planner takes on an input, without taking them all.

Source of the loops: ReverseSortInPlace and CalculateOffsetsIfNeeded in
tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from splitopt.solvers.packing.greedy_by_size import placing_order
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
    sort_cmp, sort_swap = sort_work([s for i, s in enumerate(sizes) if i not in pins])
    ranges = [held_steps(start, stop) for start, stop in zip(starts, stops, strict=True)]
    order = placing_order(sizes, pins)
    return PlannerWork(sort_cmp, sort_swap, *_walk(sizes, ranges, offsets, order, pins))


def _walk(
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


def sort_work(sizes: Sequence[int]) -> tuple[int, int]:
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
