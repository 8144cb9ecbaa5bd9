"""Bounds of every band plan, all at once. None is above the exact figure."""

from __future__ import annotations

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.copying import copy_insn, fill_insn
from splitopt.planning.band_columns import BandColumns
from splitopt.planning.segment_bounds import tensor_counts, tensor_sums
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.segment_tails import SegmentTails
from splitopt.planning.switching import image_bytes
from splitopt.solvers.partition.option_pool import Mask, OptionBounds
from splitopt.tiling.entries import Column


def band_bounds(table: SegmentTable, allowed: Mask, place: int = 0) -> tuple[OptionBounds, Column]:
    """Of the band plans of allowed segments, whoever places the buffers of their pieces: RAM, exact
    but for fragmentation; instructions; and the bytes that are copied, exact. Their keys are those
    of pieces as TFLM plans them. And the bytes of all images. `place`: of resident pieces."""
    plans = table.bands.columns
    plans = plans.where(allowed[plans.starts, plans.stops])
    starts, stops = plans.starts, plans.stops
    tails = _tails(table, plans)
    arena = tails.arena(plans.peak_load) + table.headroom_bytes
    image = image_bytes(tails.tail, table.rules.abi.interpreter_bytes)
    rebuild = np.maximum(0, _rebuild(table, plans))
    if place:
        switching = np.zeros_like(rebuild)
        arena = arena - (image - table.rules.abi.interpreter_bytes)
    else:
        switching = table.techniques.switching.least_bound(rebuild, image)
    zeroing = fill_insn(arena) if table.zero_arena else 0
    # The whole model in one piece is built once, at start-up.
    is_whole = (starts == 0) & (stops == len(table.graph.ops))
    is_rebuilt = ~is_whole | (plans.pieces > 1)
    added = np.where(is_rebuilt, plans.pieces * switching + zeroing, 0)
    added += copy_insn(plans.copied, plans.copies) + _recomputed(table, plans)
    ram = arena + table.boundary.load_in_bands[starts, stops]
    ram -= plans.rolled if table.techniques.rolled_ends else 0
    keys = place + 2 * plans.variants
    return OptionBounds(starts, stops, keys, ram, added, plans.copied), plans.pieces * image


def _fewer_requests(table: SegmentTable, plans: BandColumns) -> Column:
    """How many requests of scratch fewer than on all rows a piece has: kernels may ask for it at
    one height and not at another."""
    requests = np.cumsum([0, *(len(memory.scratch) for memory in table.memories)])
    on_all_rows = requests[plans.stops] - requests[plans.starts]
    fewer: Column = np.maximum(0, on_all_rows - plans.requests)
    return fewer


def _tails(table: SegmentTable, plans: BandColumns) -> SegmentTails:
    """What a piece holds beside its head is what the segment holds on all rows. A request of
    scratch fewer saves a handle in the tail, whose end then moves by no more than the handles
    rounded up to 16."""
    at, fewer = (plans.starts, plans.stops), _fewer_requests(table, plans)
    handles = align_up(table.rules.abi.scratch_handle[0] * fewer, ARENA_ALIGNMENT)
    temporary = np.where(fewer > 0, 0, table.tails.temporary[at])
    return SegmentTails(table.tails.tail[at] - handles, temporary)


def _rebuild(table: SegmentTable, plans: BandColumns) -> Column:
    """AllocateTensors and construction of one piece: as on all rows, but that a request of scratch
    fewer saves a walk over the ops."""
    at, ops = (plans.starts, plans.stops), plans.stops - plans.starts
    walks = table.costs.allocate.scratch_times_ops * ops * _fewer_requests(table, plans)
    rebuild: Column = table.rebuild_bound[at] - np.ceil(walks).astype(np.int64)
    return rebuild + _planning(table, plans)


def _planning(table: SegmentTable, plans: BandColumns) -> Column:
    """What TFLM's planner does with one piece beside listing tensors, whatever their sizes are.

    It lists scratch, passes once over the list in its sort and, for each buffer but the first,
    takes a step of a search and one of the walk to its place at least. An offline plan may spare
    it all of that but the list; then it reads an offset for each tensor.
    """
    at, insn = (plans.starts, plans.stops), table.costs.allocate
    planned = [int(tensor.is_activation and tensor.bytes > 0) for tensor in table.graph.tensors]
    buffers = tensor_sums(table.graph, planned)[at] + plans.requests
    each = insn.sort_comparison + insn.scan_step + insn.insert_step
    offline = insn.offline_plan + insn.offline_plan_tensor * tensor_counts(table.graph)[at]
    found = insn.planned_buffer * plans.requests + np.minimum(each * (buffers - 1), offline)
    least: Column = np.floor(found).astype(np.int64)
    return least


def _recomputed(table: SegmentTable, plans: BandColumns) -> Column:
    """What all executions take more than the segment on all rows, exact."""
    up_to = np.array([table.whole_invoke(0, stop) for stop in range(len(table.graph.ops) + 1)])
    each, whole = up_to[0], up_to[0] + up_to[plans.stops] - up_to[plans.starts]
    recomputed: Column = plans.insn + plans.counts * each - whole
    return recomputed
