"""Band plans of all segments that stop behind one op, by the entries of their heights.

The cases are those of `geometry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from splitopt.tiling.all_starts import AllStarts
from splitopt.tiling.entries import Column, Mask
from splitopt.tiling.geometry import MOST_BANDS

_AT_ONCE = 1 << 19
"""Pairs of heights that are compared at once."""
_NEVER = np.int64(2**40)


class PlanEntries(NamedTuple):
    """One figure for each plan: so many `bands`, of which `ends` are those of the entry `low`, and
    all others of the entry `tall`. `ends`: 0; 1: the last; 2: the first and the last."""

    tall: Column
    low: Column
    bands: Column
    ends: Column

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
    return PlanEntries(chosen, chosen, counts[chosen], np.zeros_like(chosen))


def _two_heights(segments: AllStarts, plans: PlanEntries) -> Iterator[PlanEntries]:
    """Of each plan of one height, those with a shorter last band, and with shorter bands at both
    ends: the shortest."""
    start = segments.entries["start"]
    first = np.searchsorted(start, start[plans.tall])
    pairs = np.cumsum(plans.tall - first)
    for block in np.split(np.arange(len(pairs)), np.flatnonzero(np.diff(pairs // _AT_ONCE)) + 1):
        some, lowest = plans.where(block), first[block]
        some, lowest = some.where(some.tall > lowest), lowest[some.tall > lowest]
        if len(lowest):
            yield from _shorter_ends(segments, some, lowest)


def _shorter_ends(segments: AllStarts, plans: PlanEntries, lowest: Column) -> Iterator[PlanEntries]:
    """`lowest`: for each plan, the first entry of its segment, which is below `tall`."""
    heights, image_rows = segments.entries["height"], segments.entries["image_rows"]
    sizes = plans.tall - lowest
    begins = np.cumsum(sizes) - sizes
    of = np.repeat(np.arange(len(sizes)), sizes)
    lower = np.arange(len(of)) - (begins - lowest)[of]
    middle, tall = segments.step(plans.tall, plans.tall)[of], plans.tall[of]
    last, before = image_rows[lower] - heights[lower], segments.step(tall, lower)
    count = plans.bands[of]

    def shortest(fits: Mask, ends: int) -> PlanEntries:
        low = np.minimum.reduceat(np.where(fits, lower, _NEVER), begins)
        found = plans._replace(low=low, ends=np.full_like(low, ends))
        return found.where(low < _NEVER)

    # Case 8: count - 1 tall bands start at 0, middle, 2 * middle, ...
    yield shortest(last - (count - 2) * middle <= before, 1)
    # Case 9: the short first band at 0, then count - 2 tall ones at second, second + middle, ...
    second = segments.step(lower, tall)
    fits = last - (second + (count - 3) * middle) <= before
    yield shortest(fits & (second > 0) & (count >= 3), 2)
