"""The options of all allowed segments as a pool: bounds, and exact figures when asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from splitopt.base.progress import Progress, counted
from splitopt.planning.option_bounds import option_bounds
from splitopt.planning.segment import STREAMED
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import place_of, without_place
from splitopt.solvers.partition.option_pool import Mask, OptionPool, Settled
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
    pool = OptionPool(bounds, len(table.graph.ops), _Prices(table, one_more))
    table.last_pool = allowed, pool
    return pool


class _Prices:
    """The exact figures of an option: RAM with what lies outside of its arena, and instructions."""

    def __init__(self, table: SegmentTable, one_more: Callable[[], None]) -> None:
        self._table, self._one_more = table, one_more

    def __call__(self, start: int, stop: int, key: int) -> Settled | None:
        self._one_more()
        table, place = self._table, place_of(key)
        key = without_place(key)
        if key >= STREAMED:
            return self._streamed(start, stop, key - STREAMED, place)
        option = table.option(start, stop, key)
        if option is None:
            return None
        way = table.techniques.switching.cheapest(table.choices(option, place), place)
        if way is None:
            return None
        loads = table.boundary.load_in_bands if option.is_apart else table.boundary.load
        is_last = key % 2 == 0 and not table.could_be_planned(option)
        saved = sum(saved_bytes(table.graph, pair) for pair in option.rolled)
        ram = way.arena_bytes + int(loads[start, stop]) - saved
        return Settled(ram, option.kept_insn + way.insn, is_last)

    def _streamed(self, start: int, stop: int, level: int, place: int) -> Settled | None:
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
        if table.techniques.rolled_ends:
            ram -= found.saved_inside if by_rows else found.saved
        spent = found.added_insn - found.rebuild_insn + way.insn
        return Settled(ram, spent, copied=found.copied)
