"""Options whose figures start as bounds and become exact when asked for.

The exact RAM and cost of an option are expensive, and a chain of 300 ops has 45,150 segments, many
with a dozen band plans. So all options start with lower bounds of their RAM and cost, and those
that are promising are settled in batches. What one question has settled, the next one starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.shortest_paths import NEVER, Column, Matrix, no_edges

Mask = npt.NDArray[np.bool_]

OptionName = tuple[int, int, int]
"""(start, stop, key)."""


class Settled(NamedTuple):
    """Exact figures of an option. `is_last`: the same segment has no option of the next key, which
    was only bounded so far. `copied`: None where the bytes were exact already."""

    ram: int
    cost: int
    is_last: bool = False
    copied: int | None = None


Exact = Callable[[int, int, int], Settled | None]
"""An option's name → its exact figures; None where it turns out that there is no such option."""


class OptionBounds(NamedTuple):
    """Columns, one entry for each option: its name, and at least its RAM, its cost and the bytes
    that it copies."""

    starts: Column
    stops: Column
    keys: Column
    ram: Column
    cost: Column
    copied: Column


@dataclass(frozen=True)
class Survivors:
    """The options (by number, by segment) that a question still looks at, and their segments.

    `firsts`: where the options of each segment begin among `numbers`. `starts`, `stops`: of these
    segments, in ascending order.
    """

    numbers: Column
    firsts: Column
    starts: Column
    stops: Column

    def of_segment(self, start: int, stop: int) -> Column:
        """The numbers of one segment's options."""
        low, high = np.searchsorted(self.starts, [start, start + 1])
        at = int(low + np.searchsorted(self.stops[low:high], stop))
        last = self.firsts[at + 1] if at + 1 < len(self.firsts) else None
        return self.numbers[self.firsts[at] : last]


class OptionPool:
    """All options of a problem of n items, by segment."""

    def __init__(
        self, options: OptionBounds, n: int, exact: Exact, *, is_sorted: bool = False
    ) -> None:
        """`is_sorted`: by name, and nobody changes the columns of names and cost."""
        if is_sorted:
            options = options._replace(ram=options.ram.copy(), copied=options.copied.copy())
        else:
            order = np.lexsort((options.keys, options.stops, options.starts))
            options = OptionBounds(*(np.ascontiguousarray(column[order]) for column in options))
        self.starts, self.stops, self.keys, self.ram, self.cost, self.copied = options
        self.n = n
        self.is_exact: Mask = np.zeros(len(self.ram), dtype=bool)
        self._exact = exact

    def settle(self, numbers: Iterable[int], deadline: Deadline | None = None) -> None:
        """Puts exact figures in the place of bounds, until the deadline is over."""
        for number in numbers:
            if self.is_exact[number]:
                continue
            if deadline is not None and deadline.is_over:
                return
            found = self._exact(*self.name(number))
            self.is_exact[number] = True
            if found is None:
                self.ram[number] = NEVER
                continue
            self.ram[number], self.cost[number] = found.ram, found.cost
            if found.copied is not None:
                self.copied[number] = found.copied
            if found.is_last:
                self._drop_next(number)

    def name(self, number: int) -> OptionName:
        return int(self.starts[number]), int(self.stops[number]), int(self.keys[number])

    def of_segment(self, start: int, stop: int) -> Column:
        """The numbers of one segment's options, ascending."""
        low, high = np.searchsorted(self.starts, [start, start + 1])
        first, last = low + np.searchsorted(self.stops[low:high], [stop, stop + 1])
        return np.arange(first, last)

    def names(self, numbers: Iterable[int]) -> list[OptionName]:
        """In ascending order, each once."""
        return sorted({self.name(int(number)) for number in numbers})

    def survivors(self, chosen: Mask) -> Survivors:
        numbers = np.flatnonzero(chosen)
        starts, stops = self.starts[numbers], self.stops[numbers]
        is_first = np.ones(len(numbers), dtype=bool)
        is_first[1:] = (starts[1:] != starts[:-1]) | (stops[1:] != stops[:-1])
        firsts = np.flatnonzero(is_first)
        return Survivors(numbers, firsts, starts[firsts], stops[firsts])

    def weights(self, among: Survivors, amounts: Column) -> Matrix:
        """For each segment, the smallest amount of its survivors; `amounts` are theirs."""
        weights = no_edges(self.n)
        if len(among.numbers):
            weights[among.starts, among.stops] = np.minimum.reduceat(amounts, among.firsts)
        return weights

    def _drop_next(self, number: int) -> None:
        start, stop, key = self.name(number)
        if number + 1 < len(self.keys) and self.name(number + 1) == (start, stop, key + 1):
            self.ram[number + 1] = NEVER
            self.is_exact[number + 1] = True
