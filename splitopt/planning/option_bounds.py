"""Bounds of every option of every allowed segment, as the columns that pruning works on."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.copying import copy_insn
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.partition.lazy_pruning import Mask, OptionBounds

_BOUNDING = 0.5
"""How much of the time that is left bounds of bands may take."""

Row = tuple[int, int, int, int, int, int]


def option_bounds(table: SegmentTable, allowed: Mask) -> OptionBounds:
    """RAM, instructions and copied bytes that every option needs at least, one row for each.

    `allowed`: [start, stop] is true for the segments that may be chosen. The bounds of the mask
    asked for last are kept: explanations ask for them again and again.
    """
    known = table.known_bounds
    if known is not None and np.array_equal(known[0], allowed):
        return known[1]
    starts, stops = np.nonzero(allowed)
    at = (starts, stops)
    columns = [starts, stops, np.zeros_like(starts), table.ram_bound[at], table.added_bound[at]]
    columns.append(table.boundary.copied[at])
    if table.techniques.bands:
        banded = np.array(_all_banded(table, allowed), dtype=np.int64).reshape(-1, 6)
        columns = [np.append(a, b) for a, b in zip(columns, banded.T, strict=True)]
    found = table.bounded = OptionBounds(*columns)
    if table.is_complete:
        table.known_bounds = allowed, found
    return found


def _all_banded(table: SegmentTable, allowed: Mask) -> list[Row]:
    """Of all allowed segments, as far as the table's deadline lets them be bounded."""
    rows: list[Row] = []
    segments = list(table.bands.segments)
    limit = table.deadline.share(_BOUNDING)
    for number, segment in enumerate(segments):
        if limit.is_over:
            table.is_complete = False
            table.bands.unreached += len(segments) - number
            break
        if allowed[segment]:
            rows += _banded(table, *segment)
    table.is_complete &= table.bands.is_complete
    return rows


def _banded(table: SegmentTable, start: int, stop: int) -> Iterator[Row]:
    """(start, stop, variant, RAM, instructions, copied bytes) of every band plan of a segment.

    Its tail, and its AllocateTensors without the planner's part, are those of the segment on all
    rows, save that kernels may ask for scratch at one height and not at another. Each request
    fewer saves a handle in the tail and, in AllocateTensors, one walk over the ops.
    """
    at = start, stop
    requests = sum(len(table.memories[op].scratch) for op in range(start, stop))
    handle_bytes = table.rules.abi.scratch_handle[0]
    walk_insn = table.costs.allocate.scratch_times_ops
    boundary_bytes = int(table.boundary.load_in_bands[at]) + table.headroom_bytes
    whole_tail, whole_rebuild = int(table.tail_bound[at]), int(table.rebuild_bound[at])
    whole_invoke = table.whole_invoke(start, stop)
    plans = zip(table.bands.plans(start, stop), table.bands.bounds(start, stop), strict=True)
    for variant, (plan, bounds) in enumerate(plans, start=1):
        fewer, pieces = max(0, requests - bounds.scratch), len(plan.heights)
        tail = whole_tail - handle_bytes * fewer
        arena = align_up(bounds.peak_load_bytes + tail, ARENA_ALIGNMENT)
        walks = ceil(walk_insn * (stop - start) * fewer)
        rebuild = max(0, whole_rebuild - walks)
        if table.is_whole(start, stop) and pieces == 1:  # built once, at start-up
            rebuild = 0
        added = pieces * rebuild + copy_insn(bounds.copied_bytes, bounds.copies)
        added += bounds.invoke_insn - whole_invoke
        yield start, stop, variant, arena + boundary_bytes, added, bounds.copied_bytes
