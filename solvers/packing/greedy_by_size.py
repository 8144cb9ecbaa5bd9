"""The rule of greedy packing by size, as TensorFlow Lite Micro's planner has it.

Source of the rule: tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc. Pinned buffers
come first, in index order; then the others by falling size, the higher index first among equals.
Each goes to the lowest gap that holds it between the placed buffers that live when it does.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence


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
    """Each buffer of `order` into its lowest gap, or to its pin; `ranges` are never empty."""
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
