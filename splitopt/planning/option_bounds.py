"""Bounds of every way of every allowed segment, as the columns that pruning works on."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.copying import COPY_CALL_INSN
from splitopt.planning.band_options import PlanBounds
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.partition.lazy_pruning import Mask, OptionBounds
from splitopt.tiling.plan import BandPlan

Row = tuple[int, int, int, int, int, int]


def option_bounds(table: SegmentTable, allowed: Mask) -> OptionBounds:
    """`allowed`: [start, stop] is true for the segments that may be chosen."""
    starts, stops = np.nonzero(allowed)
    at = (starts, stops)
    columns = [starts, stops, np.zeros_like(starts), table.ram_bound[at], table.added_bound[at]]
    columns.append(table.boundary.copied[at])
    if table.techniques.bands:
        banded = np.array(list(_banded_rows(table, allowed)), dtype=np.int64).reshape(-1, 6)
        columns = [np.append(a, b) for a, b in zip(columns, banded.T, strict=True)]
    return OptionBounds(*columns)


def _banded_rows(table: SegmentTable, allowed: Mask) -> Iterator[Row]:
    """(start, stop, variant, RAM, instructions, copied bytes) of every band plan."""
    load = table.boundary.load_in_bands
    for start, stop in table.bands.segments:
        if not allowed[start, stop]:
            continue
        segment = _SegmentBounds(table, start, stop)
        pairs = zip(table.bands.plans(start, stop), table.bands.bounds(start, stop), strict=True)
        for variant, (plan, bounds) in enumerate(pairs, start=1):
            ram = segment.arena(bounds) + int(load[start, stop])
            yield start, stop, variant, ram, segment.added(plan, bounds), bounds.copied_bytes


class _SegmentBounds:
    """Nothing of a tail, or of AllocateTensors but its planner, depends on rows, save that kernels
    may ask for scratch at one height and not at another."""

    def __init__(self, table: SegmentTable, start: int, stop: int) -> None:
        at = (start, stop)
        self._table, self._ops = table, stop - start
        self._scratch = sum(len(table.memories[op].scratch) for op in range(start, stop))
        self._tail = int(table.tail_bound[at])
        self._rebuild = int(table.rebuild_bound[at])
        self._is_whole = table.is_whole(start, stop)
        self._invoke = table.whole_invoke(start, stop)

    def arena(self, bounds: PlanBounds) -> int:
        handle = self._table.rules.abi.scratch_handle[0]
        tail = self._tail - handle * self._fewer(bounds)
        needed = align_up(bounds.peak_load_bytes + tail, ARENA_ALIGNMENT)
        return needed + self._table.headroom_bytes

    def added(self, plan: BandPlan, bounds: PlanBounds) -> int:
        walks = self._table.costs.allocate.scratch_times_ops * self._ops * self._fewer(bounds)
        stays = self._is_whole and len(plan.heights) == 1
        rebuild = 0 if stays else max(0, self._rebuild - ceil(walks))
        copies = 9 * bounds.copied_bytes // 16 + COPY_CALL_INSN * bounds.copies
        return len(plan.heights) * rebuild + copies + bounds.invoke_insn - self._invoke

    def _fewer(self, bounds: PlanBounds) -> int:
        return max(0, self._scratch - bounds.scratch)
