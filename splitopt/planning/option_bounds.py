"""Bounds of every option of every allowed segment, as the columns that pruning works on."""

from __future__ import annotations

import numpy as np

from splitopt.planning.band_bounds import band_bounds
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.partition.lazy_pruning import Mask, OptionBounds


def option_bounds(table: SegmentTable, allowed: Mask) -> OptionBounds:
    """RAM, instructions and copied bytes that every option needs at least, one row for each.

    `allowed`: [start, stop] is true for the segments that may be chosen. The bounds of the mask
    asked for last are kept: explanations ask for them again and again.
    """
    known = table.known_bounds
    if known is not None and np.array_equal(known[0], allowed):
        return known[1]
    found = _on_all_rows(table, allowed)
    if table.techniques.bands:
        pairs = zip(found, band_bounds(table, allowed), strict=True)
        found = OptionBounds(*(np.append(whole, banded) for whole, banded in pairs))
        table.is_complete &= table.bands.is_complete
    table.bounded = found
    if table.is_complete:
        table.known_bounds = allowed, found
    return found


def _on_all_rows(table: SegmentTable, allowed: Mask) -> OptionBounds:
    at = starts, stops = np.nonzero(allowed)
    ram, added, copied = table.ram_bound[at], table.added_bound[at], table.boundary.copied[at]
    return OptionBounds(starts, stops, np.zeros_like(starts), ram, added, copied)
