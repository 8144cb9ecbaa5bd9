"""Options that keep bytes for good, priced so that the search for paths can stay as it is.

The bytes that a plan keeps add up, as its cost does, and so they count like cost: for weights of
RAM and cost, what an option adds is cost_weight * cost + ram_weight * kept. A capacity is on the
largest region and all that is kept together, which no path knows. But every plan within the
capacity weighs no more with a price for each byte of RAM above that (below it, less than nothing),
and so with a limit on cost. So the least weight of any plan under any prices is a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.kept_prospects import Edges
from splitopt.solvers.partition.option_pool import (
    Mask,
    OptionBounds,
    OptionName,
    OptionPool,
    Settled,
)
from splitopt.solvers.partition.shortest_paths import NEVER, Column

_SCALE, _SMALL = 2**14, 2**12
"""How much finer a price is than weights, where these are small."""


class Amounts(NamedTuple):
    """What options take by what is known of them; `peak`: region and kept bytes."""

    peak: int
    cost: int


@dataclass(frozen=True)
class Priced:
    """A goal with a price of each byte above its capacity, and one of cost above its limit, in
    parts of `scale`; 0 without one."""

    goal: Goal
    price: int = 0
    cost_price: int = 0

    @property
    def scale(self) -> int:
        return _SCALE if max(self.goal.ram_weight, self.goal.cost_weight) < _SMALL else 1

    @property
    def weight(self) -> int:
        """Of a byte."""
        return self.scale * self.goal.ram_weight + self.price

    @property
    def cost_weight(self) -> int:
        return self.scale * self.goal.cost_weight + self.cost_price

    @property
    def plain(self) -> Goal:
        """As a pool of these weights takes it."""
        return replace(self.goal, ram_weight=self.weight, cost_weight=1, max_cost=None)

    def limit(self, value: int) -> int:
        """What plans within the limits weigh at most whose value is at most that."""
        return self.scale * value + self._free

    def unlimited(self, weighed: int) -> int:
        """At least the value of plans within the limits that weigh that much."""
        return -(-(weighed - self._free) // self.scale)

    def left(self, peak: int, cost: int) -> int | None:
        """What a plan of this peak and cost weighs less than its value; None where it keeps the
        limits not."""
        goal = self.goal
        if not goal.fits(peak) or (goal.max_cost is not None and cost > goal.max_cost):
            return None
        return self._free - self.price * peak - self.cost_price * cost

    @property
    def _free(self) -> int:
        """What a plan at the limits pays."""
        paid = self.price * (self.goal.capacity or 0)
        return paid + self.cost_price * (self.goal.max_cost or 0)


class SettledKept(NamedTuple):
    """Exact figures of an option; see Settled."""

    ram: int
    cost: int
    kept: int
    is_last: bool = False
    copied: int | None = None


ExactKept = Callable[[int, int, int], SettledKept | None]


class KeptPool:
    """What is known of all options, for pools of any weights."""

    def __init__(
        self,
        bounds: OptionBounds,
        kept: Column,
        is_exact: Mask,
        n: int,
        exact: ExactKept,
        is_close: Mask | None = None,
    ) -> None:
        """`kept`: at least the bytes that each option keeps. `is_exact`: where nothing is left to
        settle. `is_close`: where that can wait, as figures hardly change. All columns are taken
        over, and sorted in place."""
        order = np.lexsort((bounds.keys, bounds.stops, bounds.starts))
        self._is_close = np.zeros_like(is_exact) if is_close is None else is_close
        for column in (*bounds, kept, is_exact, self._is_close):
            column[:] = column[order]
        self._bounds, self._kept, self._is_exact = bounds, kept, is_exact
        self._n, self._exact = n, exact
        self._known: dict[tuple[int, int, int], SettledKept | None] = {}

    def weighed(self, priced: Priced) -> OptionPool:
        """All options, what they keep counted as cost."""
        weight, cost_weight = priced.weight, priced.cost_weight
        bounds = self._bounds

        def exact(start: int, stop: int, key: int) -> Settled | None:
            name = start, stop, key
            if name not in self._known:
                self._known[name] = self._exact(*name)
            found = self._known[name]
            if found is None:
                return None
            added = cost_weight * found.cost + weight * found.kept
            return Settled(found.ram, added, found.is_last, found.copied)

        added = cost_weight * bounds.cost + weight * self._kept
        pool = OptionPool(bounds._replace(cost=added), self._n, exact, is_sorted=True)
        pool.is_exact[:] = self._is_exact
        return pool

    @property
    def edges(self) -> Edges:
        """All options under present figures, which `settle` changes in place."""
        bounds = self._bounds
        return Edges(
            bounds.starts, bounds.stops, bounds.ram, bounds.cost, self._kept, bounds.copied
        )

    @property
    def n(self) -> int:
        return self._n

    @property
    def is_exact(self) -> Mask:
        return self._is_exact

    @property
    def is_close(self) -> Mask:
        return self._is_close

    def is_there(self, number: int) -> bool:
        """By what is known of it."""
        return bool(self._bounds.ram[number] < NEVER)

    def name(self, number: int) -> OptionName:
        bounds = self._bounds
        return int(bounds.starts[number]), int(bounds.stops[number]), int(bounds.keys[number])

    def numbers_of(self, names: Iterable[OptionName]) -> list[int]:
        """Of those names that there are, ascending."""
        bounds, found = self._bounds, []
        for start, stop, key in sorted(set(names)):
            low, high = np.searchsorted(bounds.starts, [start, start + 1])
            first, last = low + np.searchsorted(bounds.stops[low:high], [stop, stop + 1])
            at = first + np.searchsorted(bounds.keys[first:last], key)
            if at < last and bounds.keys[at] == key:
                found.append(int(at))
        return found

    def settle(self, numbers: Iterable[int], deadline: Deadline) -> None:
        """Puts exact figures in the place of bounds, until the deadline is over."""
        for number in numbers:
            if deadline.is_over:
                return
            if self._is_exact[number]:
                continue
            name = self.name(number)
            if name not in self._known:
                self._known[name] = self._exact(*name)
            self._take(number, self._known[name])

    def learn(self, pool: OptionPool) -> None:
        """What such a pool has settled."""
        for number in np.flatnonzero(pool.is_exact & ~self._is_exact).tolist():
            self._take(number, self._known.get(pool.name(number)))

    def _take(self, number: int, found: SettledKept | None) -> None:
        bounds = self._bounds
        self._is_exact[number] = True
        if found is None:
            bounds.ram[number] = NEVER
            return
        bounds.ram[number], bounds.cost[number] = found.ram, found.cost
        self._kept[number] = found.kept
        if found.copied is not None:
            bounds.copied[number] = found.copied
        start, stop, key = self.name(number)
        is_followed = found.is_last and number + 1 < len(bounds.keys)
        if is_followed and self.name(number + 1) == (start, stop, key + 1):
            self._take(number + 1, None)

    def kept_of(self, number: int, pool: OptionPool) -> int:
        """What an option keeps, by what such a pool knows of it."""
        found = self._known.get(pool.name(number)) if pool.is_exact[number] else None
        return int(self._kept[number]) if found is None else found.kept

    def amounts(self, numbers: Iterable[int]) -> Amounts:
        """What a plan of these options takes together."""
        chosen = list(numbers)
        region, kept = self._bounds.ram[chosen].max(), self._kept[chosen].sum()
        return Amounts(int(region + kept), int(self._bounds.cost[chosen].sum()))
