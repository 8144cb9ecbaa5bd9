"""Bounds of every option of every allowed segment, as the columns that pruning works on."""

from __future__ import annotations

import numpy as np

from splitopt.planning.band_bounds import band_bounds
from splitopt.planning.segment import STREAMED
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.partition.option_pool import Mask, OptionBounds


def option_bounds(table: SegmentTable, allowed: Mask) -> OptionBounds:
    """RAM, instructions and copied bytes that every option needs at least, one row for each.

    `allowed`: [start, stop] is true for the segments that may be chosen.
    """
    parts = [_as_tflm_plans(table, allowed)]
    if table.techniques.offline_plans:
        parts.append(_with_offline_plans(table, allowed & table.may_be_planned))
    if table.techniques.bands:
        banded = band_bounds(table, allowed)
        parts.append(banded)
        if table.techniques.offline_plans:
            parts.append(banded._replace(keys=banded.keys + 1))
        table.is_complete &= table.bands.is_complete
    if table.techniques.streams:
        parts += [_streamed(table, allowed, k) for k in range(len(table.streams.levels))]
    return OptionBounds(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _as_tflm_plans(table: SegmentTable, allowed: Mask) -> OptionBounds:
    """On all rows, where TFLM's planner places all buffers."""
    at = starts, stops = np.nonzero(allowed)
    added = table.stock_added_bound(table.techniques.switching)[at]
    figures = table.stock_ram_bound[at], added, table.boundary.copied[at]
    return OptionBounds(starts, stops, np.zeros_like(starts), *figures)


def _with_offline_plans(table: SegmentTable, allowed: Mask) -> OptionBounds:
    """On all rows, where an offline plan lowers the arena."""
    at = starts, stops = np.nonzero(allowed)
    added = table.planned_added_bound(table.techniques.switching)[at]
    figures = table.ram_bound[at], added, table.boundary.copied[at]
    return OptionBounds(starts, stops, np.ones_like(starts), *figures)


def _streamed(table: SegmentTable, allowed: Mask, level: int) -> OptionBounds:
    """Row by row, or several at a time, as a level of streams has it."""
    beyond = table.streams.rules if level else None
    found = table.streams.levels[level].columns(table.boundary.copied, beyond)
    held = table.boundary.held
    at = found.starts, found.stops
    read, made = held.in_[at], held.out[at] + held.outer_out[at]
    ram = found.arena + held.through[at] + read + made
    if not table.techniques.input_by_rows:
        ram += held.outer_in[at]
        read = read + held.outer_in[at]
    if table.techniques.rolled_ends:
        ram -= np.minimum(read, made)  # no pair saves more than the smaller of its tensors
    keys = np.full_like(found.starts, STREAMED + level)
    switching = table.techniques.switching
    cost = found.cost + switching.least_bound(found.rebuild, found.image, is_streamed=True)
    bounds = OptionBounds(*at, keys, ram, cost, found.copied)
    is_allowed = allowed[at]
    return OptionBounds(*(column[is_allowed] for column in bounds))
