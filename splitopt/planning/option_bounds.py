"""Bounds of every option of every allowed segment, as the columns that pruning works on."""

from __future__ import annotations

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT
from splitopt.cost.copying import copy_insn
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
        pairs = zip(found, _in_bands(table, allowed), strict=True)
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


def _in_bands(table: SegmentTable, allowed: Mask) -> OptionBounds:
    """Of every band plan.

    A piece's tail, and its AllocateTensors without the planner's sort and searches, are those of
    the segment on all rows, save that kernels may ask for scratch at one height and not at another.
    Each request fewer saves a handle in the tail, whose end then moves by no more than the handles
    rounded up to 16, and, in AllocateTensors, one walk over the ops.
    """
    plans = table.bands.columns
    plans = plans.where(allowed[plans.starts, plans.stops])
    at = starts, stops = plans.starts, plans.stops
    requests = np.cumsum([0, *(len(memory.scratch) for memory in table.memories)])
    fewer = np.maximum(0, requests[stops] - requests[starts] - plans.requests)
    handles = table.rules.abi.scratch_handle[0] * fewer
    tail = table.tail_bound[at] - -(-handles // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
    arena = -(-(plans.peak_load + tail) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
    ram = arena + table.headroom_bytes + table.boundary.load_in_bands[at]
    walks = np.ceil(table.costs.allocate.scratch_times_ops * (stops - starts) * fewer)
    rebuild = np.maximum(0, table.rebuild_bound[at] - walks.astype(np.int64))
    # The whole model in one piece is built once, at start-up.
    is_whole = (starts == 0) & (stops == len(table.graph.ops))
    rebuild[is_whole & (plans.pieces == 1)] = 0
    added = plans.pieces * rebuild + copy_insn(plans.copied, plans.copies)
    up_to = np.array([table.whole_invoke(0, stop) for stop in range(len(table.graph.ops) + 1)])
    each, whole = up_to[0], up_to[0] + up_to[stops] - up_to[starts]
    added += plans.insn + plans.counts * each - whole
    return OptionBounds(starts, stops, plans.variants, ram, added, plans.copied)
