"""Bounds of every option of every allowed segment, as the columns that pruning works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from splitopt.cost.copying import copy_insn
from splitopt.planning.band_bounds import band_bounds
from splitopt.planning.cut_nodes import COPIED, LEFT_ENDS, Ends
from splitopt.planning.lower_bound import ram_in_place
from splitopt.planning.segment import STREAMED
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.state import segments_without_loss, segments_without_state
from splitopt.planning.switching import INSIDE, without_place
from splitopt.solvers.partition.option_pool import Mask, OptionBounds
from splitopt.solvers.partition.shortest_paths import Column, Matrix


def option_bounds(table: SegmentTable, allowed: Mask) -> OptionBounds:
    """RAM, instructions and copied bytes that every option needs at least, one row for each, and
    for each place of its pieces that `Switching.places` names.

    `allowed`: [start, stop] is true for the segments that may be chosen.
    """
    places = table.techniques.switching.places
    found = _together([part for place in places for part, _ in _parts(table, allowed, place)])
    if table.techniques.bands:
        table.is_complete &= table.bands.is_complete
    return found


def inside_bounds(table: SegmentTable, allowed: Mask) -> tuple[OptionBounds, Column]:
    """The same of options whose pieces are resident in the main SRAM, and what these keep there at
    least."""
    parts = list(_parts(table, allowed, INSIDE))
    return _together([part for part, _ in parts]), np.concatenate([kept for _, kept in parts])


def _together(parts: list[OptionBounds]) -> OptionBounds:
    return OptionBounds(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _parts(table: SegmentTable, allowed: Mask, place: int) -> Iterator[tuple[OptionBounds, Column]]:
    """Bounds by technique between nodes, and the bytes of images, or of what is kept where pieces
    are resident in the main SRAM."""
    parts = _copied_parts(table, allowed, place)
    if table.outside.memories:
        parts = (_with_outside(table, *part) for part in parts)
    yield from ((_between_nodes(table, found, COPIED), image) for found, image in parts)
    if table.nodes.left:
        may_stay = place or table.techniques.switching.may_restore
        for ends in LEFT_ENDS:
            if may_stay or not ends.read:
                found, image = _left_in_place(table, allowed, place, ends)
                yield _between_nodes(table, found, ends), image


def _between_nodes(table: SegmentTable, found: OptionBounds, ends: Ends) -> OptionBounds:
    """Bounds of segments of ops by their nodes."""
    first = table.nodes.first
    starts, stops = first[found.starts] + ends.read, first[found.stops] + ends.made
    return found._replace(starts=starts, stops=stops)


def _with_outside(
    table: SegmentTable, bounds: OptionBounds, image: Column
) -> tuple[OptionBounds, Column]:
    """Where boundary tensors lie in other memories: the options for which these have room, with
    what copies take more; of bands, only that it is not below 0."""
    keys, at = without_place(bounds.keys), (bounds.starts, bounds.stops)
    values, by_rows = table.values, table.techniques.input_by_rows
    plain, streamed = keys <= 1, keys >= STREAMED
    fit = np.where(plain, values.fit(apart=False)[at], values.fit(apart=True)[at])
    fit = np.where(streamed, values.fit(apart=True, by_rows=by_rows)[at], fit)
    more = plain * values.insn_bound(False, False)[at]
    more += streamed * values.insn_bound(True, by_rows)[at]
    found = bounds._replace(cost=bounds.cost + more)
    return OptionBounds(*(column[fit] for column in found)), image[fit]


def _copied_parts(
    table: SegmentTable, allowed: Mask, place: int
) -> Iterator[tuple[OptionBounds, Column]]:
    """Of all that leave nothing in place. `place`: of resident pieces; 0 for others. Only pieces on
    all rows that stay keep state."""
    allowed = allowed & segments_without_loss(table.graph, is_resident=place > 0)
    if place == INSIDE:
        allowed[0, len(table.graph.ops)] = False  # mostly built once anyhow
    yield _as_tflm_plans(table, allowed, place)
    if table.techniques.offline_plans:
        yield _with_offline_plans(table, allowed & table.may_be_planned, place)
    allowed = allowed & segments_without_state(table.graph)
    if table.techniques.bands:
        banded, image = band_bounds(table, allowed, place)
        yield banded, image
        if table.techniques.offline_plans:
            yield banded._replace(keys=banded.keys + 1), image
    if table.techniques.streams:
        for level in range(len(table.streams.levels)):
            yield _streamed(table, allowed, level, place)


def _image_bound(table: SegmentTable, place: int) -> Matrix:
    return table.kept_bound if place == INSIDE else table.image_bound


def _as_tflm_plans(table: SegmentTable, allowed: Mask, place: int) -> tuple[OptionBounds, Column]:
    """On all rows, where TFLM's planner places all buffers."""
    at = starts, stops = np.nonzero(allowed)
    keys, copied = np.full_like(starts, place), table.boundary.copied[at]
    ram, image = table.stock_ram_bound[at], _image_bound(table, place)[at]
    if place:
        ram, added = ram - table.spared_bytes[at], table.resident_added_bound[at]
    else:
        added = table.stock_added_bound(table.techniques.switching)[at]
    return OptionBounds(starts, stops, keys, ram, added, copied), image


def _with_offline_plans(
    table: SegmentTable, allowed: Mask, place: int
) -> tuple[OptionBounds, Column]:
    """On all rows, where an offline plan lowers the arena."""
    at = starts, stops = np.nonzero(allowed)
    keys, copied = np.full_like(starts, place + 1), table.boundary.copied[at]
    ram, image = table.ram_bound[at], _image_bound(table, place)[at]
    if place:
        ram, added = ram - table.spared_bytes[at], table.resident_added_bound[at]
    else:
        added = table.planned_added_bound(table.techniques.switching)[at]
    return OptionBounds(starts, stops, keys, ram, added, copied), image


def _left_in_place(
    table: SegmentTable, allowed: Mask, place: int, ends: Ends
) -> tuple[OptionBounds, Column]:
    """On all rows, with these ends in place, which takes an offline plan."""
    nodes, switching = table.nodes, table.techniques.switching
    is_kept = segments_without_loss(table.graph, is_resident=place > 0)
    at = starts, stops = np.nonzero(allowed & is_kept & nodes.offered(ends))
    keys, image = np.full_like(starts, place + 1), _image_bound(table, place)[at]
    ram = ram_in_place(table, ends)[at]
    if place:
        ram, added = ram - table.spared_bytes[at], table.resident_added_bound[at]
    else:
        ways = replace(switching, may_rebuild=False) if ends.read else switching
        added = table.planned_added_bound(ways)[at]
    before, copies = table.boundary.copied[at], table.boundary.copies[at]
    copied = before - nodes.sizes[starts] * ends.read - nodes.sizes[stops] * ends.made
    spared = copy_insn(before, copies) - copy_insn(copied, copies - ends.read - ends.made)
    if table.zero_arena and ends.read:
        spared += nodes.sizes[starts]
    return OptionBounds(starts, stops, keys, ram, added - spared, copied), image


def _streamed(
    table: SegmentTable, allowed: Mask, level: int, place: int
) -> tuple[OptionBounds, Column]:
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
    keys = np.full_like(found.starts, place + STREAMED + level)
    cost = found.cost
    if place:
        ram = ram - (found.image - table.rules.abi.interpreter_bytes)
    else:
        least = table.techniques.switching.least_bound
        cost = cost + least(found.rebuild, found.restorable, is_streamed=True)
    bounds = OptionBounds(*at, keys, ram, cost, found.copied)
    is_allowed = allowed[at]
    return OptionBounds(*(column[is_allowed] for column in bounds)), found.image[is_allowed]
