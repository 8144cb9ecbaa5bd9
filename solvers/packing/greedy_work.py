"""The steps that TFLM's greedy planner takes on an input; those of its sort, without taking them.

Source of the loops: ReverseSortInPlace and CalculateOffsetsIfNeeded in
tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass


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
