"""First fit of the same buffers in many orders: who lives beside whom is found once.

The places are those of `place_in_order`, which is quicker where most buffers live at once.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from splitopt.solvers.packing.greedy_by_size import place_in_order

_DENSE = 4
"""Where an average buffer lives beside more than a quarter of all, one list is quicker."""


class FirstFit:
    """Buffers by size and steps, none of which are empty; pins by index."""

    def __init__(
        self,
        sizes: Sequence[int],
        ranges: Sequence[tuple[int, int]],
        pinned: Mapping[int, int],
    ) -> None:
        self._sizes, self._ranges, self._pinned = sizes, ranges, pinned
        self.beside = _beside(tuple(ranges))
        """For each buffer, in ascending order, those that live when it does, itself among them."""
        self._is_dense = sum(map(len, self.beside)) * _DENSE > len(ranges) ** 2

    def offsets(self, order: Iterable[int], most: int | None = None) -> list[int] | None:
        """Each buffer of `order` in its lowest gap, or at its pin, pins first. None where one then
        ends above `most`."""
        if self._is_dense:
            return self._in_one_list(list(order), most)
        sizes, beside, pinned = self._sizes, self.beside, self._pinned
        placed: list[tuple[int, int] | None] = [None] * len(sizes)
        for buffer in order:
            size = sizes[buffer]
            low = 0
            if buffer in pinned:
                low = pinned[buffer]
            else:
                near = [place for other in beside[buffer] if (place := placed[other])]
                near.sort()
                for offset, end in near:
                    if offset - low >= size:
                        break
                    if end > low:
                        low = end
            if most is not None and low + size > most:
                return None
            placed[buffer] = low, low + size
        return [place[0] if place else 0 for place in placed]

    def after_moves(
        self,
        order: Sequence[int],
        moved: Iterable[int],
        known: Sequence[int],
        ranks_before: Sequence[int],
        most: int,
    ) -> list[int] | None:
        """The same for an order that is another one, with places in it and offsets that are known,
        but for some buffers that moved to the front. Only what lies beside these, and what lies
        beside anything that lands elsewhere, is placed anew; nothing else may end above `most`."""
        sizes, beside, pinned = self._sizes, self.beside, self._pinned
        ranks, is_open, offsets = ranks_of(order), bytearray(len(order)), list(known)
        for buffer in moved:
            now, before = ranks[buffer], ranks_before[buffer]
            is_open[buffer] = True
            for other in beside[buffer]:
                if ranks[other] > now and ranks_before[other] < before:
                    is_open[other] = True
        for rank, buffer in enumerate(order):
            if not is_open[buffer] or buffer in pinned:
                continue
            near = [(offsets[k], offsets[k] + sizes[k]) for k in beside[buffer] if ranks[k] < rank]
            low = _lowest(sizes[buffer], near)
            if low + sizes[buffer] > most:
                return None
            if low != offsets[buffer]:
                offsets[buffer] = low
                for other in beside[buffer]:
                    is_open[other] = True
        return offsets

    def _in_one_list(self, order: Sequence[int], most: int | None) -> list[int] | None:
        offsets = place_in_order(self._sizes, self._ranges, order, self._pinned)
        if most is not None and mark(offsets, self._sizes) > most:
            return None
        return offsets


def _lowest(size: int, near: list[tuple[int, int]]) -> int:
    """Where the lowest gap of that size begins among these places."""
    low = 0
    for offset, end in sorted(near):
        if offset - low >= size:
            break
        if end > low:
            low = end
    return low


def ranks_of(order: Sequence[int]) -> list[int]:
    """Where each buffer stands in an order."""
    ranks = [0] * len(order)
    for rank, buffer in enumerate(order):
        ranks[buffer] = rank
    return ranks


def mark(offsets: Sequence[int], sizes: Sequence[int]) -> int:
    """How high a plan reaches."""
    return max([o + s for o, s in zip(offsets, sizes, strict=True)], default=0)


@lru_cache(maxsize=4)
def _beside(ranges: tuple[tuple[int, int], ...]) -> list[list[int]]:
    by_start = sorted(range(len(ranges)), key=lambda buffer: ranges[buffer][0])
    starts = [ranges[buffer][0] for buffer in by_start]
    found: list[list[int]] = [[buffer] for buffer in range(len(ranges))]
    for at, buffer in enumerate(by_start):
        later = by_start[at + 1 : bisect_left(starts, ranges[buffer][1])]
        found[buffer] += later
        for other in later:
            found[other].append(buffer)
    return [sorted(buffers) for buffers in found]
