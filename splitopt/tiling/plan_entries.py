"""Band plans of all segments that stop behind one op, by the entries of their heights.

The cases are those of `geometry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from splitopt.tiling.all_starts import AllStarts
from splitopt.tiling.entries import Column, Mask
from splitopt.tiling.geometry import MOST_BANDS

_NEVER = np.int64(2**40)


class PlanEntries(NamedTuple):
    """One figure for each plan: so many `bands`, of which `ends` are those of the entry `low`, and
    all others of the entry `tall`. `ends`: 0; 1: the last; 2: the first and the last. `middle`:
    rows from where a tall band starts to where the next one does."""

    tall: Column
    low: Column
    bands: Column
    ends: Column
    middle: Column

    def where(self, chosen: Mask | Column) -> PlanEntries:
        return PlanEntries(*(column[chosen] for column in self))


def plan_entries(segments: AllStarts, *, two_heights: bool) -> PlanEntries:
    """The plans by segment, then by the height of most bands, then by `ends`."""
    plans = one_height(segments)
    if two_heights and len(plans.tall):
        parts = [plans, *_two_heights(segments, plans)]
        plans = PlanEntries(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        plans = plans.where(np.lexsort((plans.ends, plans.tall)))
    return plans


def one_height(segments: AllStarts) -> PlanEntries:
    """For each number of bands, the shortest band that covers the image with so many."""
    entries = segments.entries
    every = np.arange(entries.count)
    step, left = segments.step(every, every), entries["image_rows"] - entries["height"]
    counts = np.where(step > 0, 1 - (-left // np.maximum(step, 1)), _NEVER)  # case 7
    # Taller bands that need no fewer of them are left out. Counts that fall from start to start
    # make one running minimum of all.
    falling = counts - entries["start"] * (_NEVER + 1)
    before = np.concatenate([[_NEVER], np.minimum.accumulate(falling)[:-1]])
    chosen = np.flatnonzero((falling < before) & (counts <= MOST_BANDS))
    return PlanEntries(chosen, chosen, counts[chosen], np.zeros_like(chosen), step[chosen])


def _two_heights(segments: AllStarts, plans: PlanEntries) -> Iterator[PlanEntries]:
    """Of each plan of one height, those with a shorter last band, and with shorter bands at both
    ends: the shortest."""
    start, heights = segments.entries["start"], segments.entries["height"]
    lowest = np.searchsorted(start, start[plans.tall])
    image_rows, tall, middle = segments.entries["image_rows"][plans.tall], plans.tall, plans.middle

    def covers(low: Column, tall_starts: Column) -> Mask:
        """Whether the last band may start where it has to; `tall_starts`: of the one above it."""
        fits: Mask = image_rows - heights[low] - tall_starts <= segments.step(tall, low)
        return fits

    def low_end(low: Column) -> Mask:
        # Case 8: bands - 1 tall ones start at 0, middle, 2 * middle, ...
        return covers(low, (plans.bands - 2) * middle)

    def low_ends(low: Column) -> Mask:
        # Case 9: the short first band at 0, then tall ones at second, second + middle, ...
        second = segments.step(low, tall)
        return covers(low, second + (plans.bands - 3) * middle) & (second > 0) & (plans.bands > 2)

    for ends, fits in ((1, low_end), (2, low_ends)):
        low = _first(fits, lowest, tall)
        found = plans._replace(low=low, ends=np.full_like(low, ends))
        yield found.where(low < tall)


def _first(fits: Callable[[Column], Mask], start: Column, stop: Column) -> Column:
    """The first entry of each range [start, stop) that fits; `stop` where none does.

    What fits does at all greater heights, too: bands of one segment are all right from the same
    row on, as case 3 wants the same padding above, and a taller one down to the same row or
    further. So the ranges are halved.
    """
    while (start < stop).any():
        middle = (start + stop) // 2
        is_open, fit = start < stop, fits(middle)
        stop = np.where(is_open & fit, middle, stop)
        start = np.where(is_open & ~fit, middle + 1, start)
    return start
