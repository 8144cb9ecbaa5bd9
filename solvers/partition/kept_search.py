"""The best plan where options keep bytes for good, over loads, with few exact figures.

Under a price of each byte above the capacity (see kept_pool.py), what a plan weighs is a sum over
its options, and so the least of any plan that begins with a path is known. Several prices bound
more paths than one: what keeps much is bounded best by a high one. All paths are followed, as
kept_labels.py does, that may belong to plans of at most a value, which begins near the least that
any plan may have and rises until there is a plan. Where that rests on bounds, these are settled,
together with those of about as good plans; bounds only rise, so a plan on exact figures is the
best one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.distinct import distinct
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.kept_labels import EndPath, Labels, LabelSearch
from splitopt.solvers.partition.kept_pool import KeptPool, Priced
from splitopt.solvers.partition.kept_prospects import Edges
from splitopt.solvers.partition.option_pool import Mask, OptionName
from splitopt.solvers.partition.shortest_paths import FAR, NEVER, Column, Matrix

_LEVELS = 256
"""Of regions, at most. Where there are more, some count as the next one below."""

_FIRST_STEP = 256
"""The value that plans may have rises first by this part of what is between bound and plan."""

_NEAR, _BATCH = 4, 64
"""What is settled at once: of plans up to this part of what is left to the value that they may
have, so many options at most."""


@dataclass(frozen=True)
class FoundByLoads:
    """Options of the best plan, from the first on; none where no plan is within the value. No plan
    has less than `bound`. `is_proved`: time was enough; else it is the best that was met."""

    names: list[OptionName]
    bound: int
    is_proved: bool


class _Rest(NamedTuple):
    """By cut and level of the region, under a price: the least that plans still weigh without
    region, and, with the region, at this level or above."""

    priced: Priced
    levels: Column
    costs: Matrix
    best: Matrix

    def values(self, cut: int, region: Column, cost: Column, kept: Column) -> Column:
        """See ValueProspects."""
        priced, levels, costs = self.priced, self.levels, self.costs[cut]
        at = np.maximum(0, np.searchsorted(levels, region, side="right") - 1)
        here = priced.weight * np.maximum(region, levels[at]) + costs[at]
        least = np.minimum(np.minimum(here, self.best[cut][at + 1]), NEVER)
        least += priced.cost_weight * cost + priced.weight * kept
        found: Column = -((priced.limit(0) - least) // priced.scale)
        return found


class ValueProspects:
    """Which paths may belong to a plan of at most `most`, for LabelSearch. Bounds hold however the
    figures of edges rise."""

    def __init__(self, n: int, edges: Edges, prices: Sequence[Priced]) -> None:
        self._rests = [_rest(n, edges, priced) for priced in prices]
        self.most = 0

    @property
    def least(self) -> int:
        """No plan has a lower value; FAR or more where there is none."""
        return max(
            int(FAR) if rest.best[0, 0] >= FAR else rest.priced.unlimited(int(rest.best[0, 0]))
            for rest in self._rests
        )

    def has(self, cut: int, region: Column, cost: Column, kept: Column, segments: Column) -> Mask:
        found = np.zeros(len(region), dtype=bool)
        left = np.arange(len(region))
        for rest in self._rests:
            own = rest.values(cut, region[left], cost[left], kept[left])
            left = left[own <= self.most]
        found[left] = True
        return found

    def values(self, cut: int, region: Column, cost: Column, kept: Column) -> Column:
        """At least what plans within the limits have that begin with these paths to a cut."""
        every = [rest.values(cut, region, cost, kept) for rest in self._rests]
        found: Column = np.max(every, axis=0)
        return found


class KeptSearch:
    """Over some options of a pool, by number. `prices`: of one goal."""

    def __init__(self, pool: KeptPool, numbers: Column, prices: Sequence[Priced]) -> None:
        self._pool, self._numbers, self._goal = pool, numbers, prices[0].goal
        self._prospects = ValueProspects(pool.n, pool.edges.some(numbers), prices)

    def best(self, value: int, deadline: Deadline) -> FoundByLoads:
        """The best plan of at most this value."""
        prospects, low = self._prospects, self._prospects.least
        step = max(1, (value - low) // _FIRST_STEP)
        prospects.most = min(value, low + step)
        met: list[OptionName] = []
        while True:
            chosen = self._numbers[self._pool.edges.ram[self._numbers] < NEVER]
            search = _Labels(self._pool, chosen, self._goal, prospects)
            ends = search.run(deadline)
            if ends is None:
                return FoundByLoads(met, low, is_proved=False)
            within = [end for end in ends if self._value(end) <= prospects.most]
            if not within:
                low = prospects.most + 1
                if low > value:
                    return FoundByLoads([], low, is_proved=True)
                step *= 2
                prospects.most = min(value, prospects.most + step)
                continue
            best = min(within, key=self._value)
            low, numbers = self._value(best), chosen[list(best.numbers)].tolist()
            if self._pool.is_exact[numbers].all():
                return FoundByLoads([self._pool.name(k) for k in numbers], low, is_proved=True)
            near = search.open_within(low + max(1, (prospects.most - low) // _NEAR))
            self._pool.settle([*numbers, *near], deadline)
            real = self._real_value(numbers)
            if real is not None and real <= value:
                value, met = real, [self._pool.name(k) for k in numbers]
                prospects.most = min(value, prospects.most)

    def _real_value(self, numbers: Sequence[int]) -> int | None:
        """Of a plan, by exact figures within the limits; None where it has none."""
        pool, goal = self._pool, self._goal
        if not (pool.is_exact[list(numbers)].all() and all(map(pool.is_there, numbers))):
            return None
        peak, cost = pool.amounts(numbers)
        fits = goal.fits(peak) and (goal.max_cost is None or cost <= goal.max_cost)
        return goal.weigh(peak, cost) if fits else None

    def _value(self, end: EndPath) -> int:
        return self._goal.weigh(end.peak, end.cost)


class _Labels(LabelSearch):
    """Under the present figures of these options."""

    def __init__(self, pool: KeptPool, chosen: Column, goal: Goal, prospects: ValueProspects):
        by_segments = goal.max_segments is not None
        edges = pool.edges.some(chosen)
        super().__init__(pool.n, edges, goal, by_segments=by_segments, prospects=prospects)
        self._pool, self._chosen, self._values = pool, chosen, prospects.values

    def open_within(self, value: int) -> list[int]:
        """Options, by number in the pool, that are not exact and may be in plans of at most that
        value: those of the best plans."""
        least = np.full(len(self._chosen), NEVER)
        for cut in range(1, self._n + 1):
            labels: Labels = self._labels[cut]
            if len(labels.edge):
                values = self._values(cut, labels.region, labels.cost, labels.kept)
                np.minimum.at(least, labels.edge, values)
        open_ = np.flatnonzero((least <= value) & ~self._pool.is_exact[self._chosen])
        some = open_[np.argsort(least[open_], kind="stable")[:_BATCH]]
        found: list[int] = self._chosen[some].tolist()
        return found


def _rest(n: int, edges: Edges, priced: Priced) -> _Rest:
    weight = priced.weight
    levels = distinct(edges.ram) if weight else np.array([0])
    if len(levels) > _LEVELS:
        levels = levels[distinct(np.linspace(0, len(levels) - 1, _LEVELS).astype(int))]
    added = priced.cost_weight * edges.cost + weight * edges.kept
    costs = _least_costs(n, edges, added, levels)
    values = np.where(costs < NEVER, weight * levels + costs, NEVER)
    best = np.minimum.accumulate(values[:, ::-1], axis=1)[:, ::-1]
    none = np.full((n + 1, 1), NEVER)
    return _Rest(priced, levels, costs, np.concatenate([best, none], axis=1))


def _least_costs(n: int, edges: Edges, added: Column, levels: Column) -> Matrix:
    """[cut, level]: the least that paths to the end add with no region above the level. Edges by
    rising start."""
    costs = np.full((n + 1, len(levels)), NEVER)
    costs[-1] = 0
    level = np.maximum(0, np.searchsorted(levels, edges.ram, side="right") - 1)
    bounds = np.searchsorted(edges.starts, np.arange(n + 1))
    for cut in range(n - 1, -1, -1):
        own = slice(bounds[cut], bounds[cut + 1])
        if bounds[cut] < bounds[cut + 1]:
            sums = costs[edges.stops[own]] + added[own, None]
            sums[np.arange(len(levels)) < level[own, None]] = NEVER
            least = sums.min(axis=0)
            costs[cut] = np.where(least < FAR, least, NEVER)
    return costs
