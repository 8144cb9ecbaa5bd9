"""The options of all allowed segments as a pool: bounds, and exact figures when asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from splitopt.base.progress import Progress, counted
from splitopt.planning.option_bounds import inside_bounds, option_bounds
from splitopt.planning.segment import STREAMED
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import place_of, without_place
from splitopt.solvers.partition.kept_pool import KeptPool, SettledKept
from splitopt.solvers.partition.option_pool import Mask, OptionBounds, OptionPool, Settled
from splitopt.tiling.rolled import saved_bytes


def option_pool(
    table: SegmentTable, allowed: Mask, progress: Progress = lambda _: None
) -> OptionPool:
    """The pool of these segments. That of the mask asked for last is kept, with all that was
    settled: explanations ask one question after another."""
    known = table.last_pool
    if known is not None and np.array_equal(known[0], allowed):
        return known[1]
    bounds = option_bounds(table, allowed)
    one_more = counted(progress, "exact figures of options", len(bounds.ram))
    prices = _Prices(table, one_more)

    def exact(start: int, stop: int, key: int) -> Settled | None:
        found = prices(start, stop, key)
        return None if found is None else Settled(*found[:2], found.is_last, found.copied)

    pool = OptionPool(bounds, table.nodes.items, exact)
    table.last_pool = allowed, pool
    return pool


def kept_pool(table: SegmentTable, allowed: Mask, progress: Progress = lambda _: None) -> KeptPool:
    """The same options, as far as they are known, and those whose pieces are resident in the main
    SRAM."""
    pool = option_pool(table, allowed, progress)
    known = OptionBounds(pool.starts, pool.stops, pool.keys, pool.ram, pool.cost, pool.copied)
    bounds, kept = inside_bounds(table, allowed)
    both = OptionBounds(*map(np.concatenate, zip(known, bounds, strict=True)))
    del bounds  # tens of MB
    one_more = counted(progress, "exact figures of resident options", len(kept))
    is_inside = np.arange(len(both.keys)) >= len(pool.ram)
    return KeptPool(
        both,
        np.concatenate([np.zeros_like(pool.ram), kept]),
        np.concatenate([pool.is_exact, np.zeros(len(kept), dtype=bool)]),
        table.nodes.items,
        _Prices(table, one_more),
        is_close=is_inside & (without_place(both.keys) <= 1),
    )


class _Prices:
    """The exact figures of an option: RAM with what lies outside of its arena, instructions, and
    what it keeps in the main SRAM for good."""

    def __init__(self, table: SegmentTable, one_more: Callable[[], None]) -> None:
        self._table, self._one_more = table, one_more

    def __call__(self, start: int, stop: int, key: int) -> SettledKept | None:
        self._one_more()
        table, place, key = self._table, place_of(key), without_place(key)
        option = table.option(start, stop, key) if key < STREAMED else None
        start, stop, _ = table.nodes.segment(start, stop)
        if key >= STREAMED:
            return self._streamed(start, stop, key - STREAMED, place)
        if option is None:
            return None
        way = table.techniques.switching.cheapest(table.choices(option, place), place)
        if way is None:
            return None
        is_last = key % 2 == 0 and not table.could_be_planned(option)
        saved = sum(saved_bytes(table.graph, pair) for pair in option.rolled)
        read, made = table.boundary.ends(start, stop, in_bands=option.is_apart)
        in_arena = table.nodes.held_in_place(start, stop, option.left)
        ends = read - in_arena[0], made - in_arena[1]
        beside = sum(ends) if option.is_apart else max(ends)
        ram = way.arena_bytes + int(table.boundary.through[start, stop]) + beside - saved
        insn = option.kept_insn + way.insn + table.outside_insn(option)
        return SettledKept(ram, insn, way.kept_bytes, is_last)

    def _streamed(self, start: int, stop: int, level: int, place: int) -> SettledKept | None:
        table = self._table
        found = table.streams.levels[level].quick_figures(start, stop)
        if found is None:
            return None
        way = table.techniques.switching.cheapest([(found, found.resident)], place)
        if way is None:
            return None
        ram = way.arena_bytes + int(table.boundary.load_in_bands[start, stop])
        by_rows = table.techniques.input_by_rows
        if by_rows:
            ram -= int(table.boundary.held.outer_in[start, stop])
        boundary_outside, input_outside = table.outside.kinds
        if table.techniques.rolled_ends and not boundary_outside:
            ram -= found.saved_inside if by_rows or input_outside else found.saved
        spent = found.added_insn - found.rebuild_insn + way.insn
        if table.outside.memories:
            spent += int(table.values.insn_bound(True, by_rows)[start, stop])
        return SettledKept(ram, spent, way.kept_bytes, copied=found.copied)
