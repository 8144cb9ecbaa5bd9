"""Which paths and options can still be part of a plan that no known one dominates, where options
keep bytes for good.

What a plan keeps adds to its peak, so no table of peaks tells. But under a price of a byte, peak
and cost are one sum, whose least rest from each cut on is known for every level of the region. A
plan that is better than all known ones lies below some corner of their staircase: its peak is less
than that of one of them, its cost less than that of the one before. For each corner one price is
asked; so what is called hopeless is, and not all that is hopeless is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.instance import Goal, PartitionInstance
from splitopt.solvers.partition.option_pool import Mask
from splitopt.solvers.partition.prospects import Measures
from splitopt.solvers.partition.shortest_paths import Column

_LEVELS, _PRICES = 64, 24
"""Of regions, and of a byte, about."""
_STEPS = 256
"""Of kept bytes."""
_SLACK = 1e-9
"""Part of a sum by which floats may be wrong."""

Floats = npt.NDArray[np.float64]


class Edges(NamedTuple):
    """Columns, one entry for each option: from which cut to which, at least the region that it
    needs, its cost, the bytes that it keeps and those that it copies."""

    starts: Column
    stops: Column
    ram: Column
    cost: Column
    kept: Column
    copied: Column

    def some(self, chosen: Mask | Column) -> Edges:
        return Edges(*(column[chosen] for column in self))


def edges_of(instance: PartitionInstance) -> Edges:
    """Of the options of an instance, in their order."""
    rows = [
        (o.start, o.stop, ram, o.cost, o.kept, o.copied_bytes)
        for o, ram in zip(instance.options, instance.rams, strict=True)
    ]
    return Edges(*np.array(rows, dtype=np.int64).reshape(-1, len(Edges._fields)).T)


class KeptProspects:
    """Of options for n items, beside plans that are known. Where segments count, a path is measured
    by known plans of as few."""

    def __init__(
        self,
        n: int,
        edges: Edges,
        known: Sequence[Measures],
        goal: Goal,
        *,
        by_segments: bool,
        lowest: int = 0,
    ) -> None:
        self._n, self._edges, self._lowest = n, edges, lowest
        self._floor = lowest_regions(n, edges)
        self._levels = _levels(np.maximum(edges.ram, self._floor[0]), known)
        self._level = self._level_of(edges.ram)
        self._prices = np.array(_prices(known), dtype=np.float64)
        self._behind = self._rests(edges.starts, edges.stops, range(n - 1, -1, -1), n)
        self._least = self._with_levels(self._behind)
        self._kept_step = max(1, _most_kept(n, edges, goal) // _STEPS)
        self._known_limits: dict[tuple[int, int], Floats] = {}
        self._goal, self._by_segments, self._known = goal, by_segments, list(known)
        self._most = self._thresholds()

    def add(self, plan: Measures) -> None:
        """A plan that is known from now on."""
        self._known.append(plan)
        self._most, self._known_limits = self._thresholds(), {}

    def has(self, cut: int, region: Column, cost: Column, kept: Column, segments: Column) -> Mask:
        """Which of these paths to a cut can lead to a better plan."""
        level = self._level_of(region)
        step = np.minimum(kept // self._kept_step, _STEPS - 1)
        if len(self._most) == 1:
            return np.asarray(cost <= self._limits(cut, 0)[level, step])
        counts = np.minimum(segments, len(self._most) - 1)
        found = np.zeros(len(region), dtype=bool)
        for count in np.unique(counts).tolist():
            own = counts == count
            found[own] = cost[own] <= self._limits(cut, count)[level[own], step[own]]
        return found

    def _limits(self, cut: int, count: int) -> Floats:
        """[level, step of kept bytes]: what paths of so many segments to a cut may cost."""
        if (cut, count) not in self._known_limits:
            some = np.flatnonzero(self._most[count] > -np.inf)
            ram_weight, cost_weight = self._prices[some].T[:, :, None, None]
            kept = ram_weight * (self._kept_step * np.arange(_STEPS))
            left = self._most[count, some, None, None] - self._least[some, cut, :, None] - kept
            own = np.where(left >= 0, np.inf, -np.inf)
            np.divide(left, cost_weight, out=own, where=cost_weight > 0)
            self._known_limits[cut, count] = own.max(axis=0, initial=-np.inf)
        return self._known_limits[cut, count]

    def lowest_peaks(self, costs: Column) -> Column:
        """At least the peak of any plan that costs no more, for each of these costs."""
        priced = self._prices[:, 0] > 0
        least = self._least[priced, 0, 0]
        ram_weight, cost_weight = self._prices[priced].T[:, :, None]
        left = (least - _SLACK * np.abs(least))[:, None] - cost_weight * costs
        found = np.floor(left / ram_weight).max(axis=0, initial=self._lowest)
        return np.where(np.isfinite(found), found, self._lowest).astype(np.int64)

    def gains(self) -> Floats:
        """By how much plans through each option may be better than all known ones: not at all
        where it is negative."""
        edges, n = self._edges, self._n
        ahead = self._rests(edges.stops, edges.starts, range(1, n + 1), 0)
        most, levels = self._most.max(axis=0), self._levels[:, None]
        above = np.where(np.arange(len(levels))[:, None] < self._level, np.inf, 0.0)
        found = np.full(len(edges.ram), -np.inf)
        for price in np.flatnonzero(most > -np.inf):
            ram_weight, cost_weight = self._prices[price]
            behind = self._behind[price].T + ram_weight * levels
            least = ahead[price].T[:, edges.starts]
            least += behind[:, edges.stops]
            least += above
            own = cost_weight * edges.cost + ram_weight * edges.kept
            np.maximum(found, most[price] - least.min(axis=0) - own, out=found)
        return found

    def _level_of(self, regions: Column) -> Column:
        """The highest level that is no higher."""
        found: Column = np.maximum(0, np.searchsorted(self._levels, regions, side="right") - 1)
        return found

    def _rests(self, ends: Column, others: Column, cuts: range, first: int) -> Floats:
        """[price, cut, level]: the least weight of paths between a cut and the `first`."""
        ram_weight, cost_weight = self._prices.T[:, :, None]
        own = cost_weight * self._edges.cost + ram_weight * self._edges.kept
        levels = np.arange(len(self._levels))
        found = np.full((len(own), self._n + 1, len(levels)), np.inf)
        found[:, first] = 0
        above = np.where(levels < self._level[:, None], np.inf, 0.0)
        order = np.argsort(ends, kind="stable")
        bounds = np.searchsorted(ends[order], np.arange(self._n + 2))
        for cut in cuts:
            some = order[bounds[cut] : bounds[cut + 1]]
            if len(some):
                sums = found[:, others[some]]
                sums += own[:, some, None]
                sums += above[some]
                sums.min(axis=1, out=found[:, cut])
        return found

    def _with_levels(self, behind: Floats) -> Floats:
        """With the weight of the region, at least of this level."""
        sums = behind + self._prices[:, :1, None] * self._levels
        least: Floats = np.minimum.accumulate(sums[:, :, ::-1], axis=2)[:, :, ::-1]
        return least

    def _thresholds(self) -> Floats:
        """By number of segments, and price: what plans weigh at most that may be better than the
        known ones. One row where segments do not count."""
        known, goal = self._known, self._goal
        if not self._by_segments:
            return self._threshold([plan[:2] for plan in known], goal)[None]
        counts = [[plan[:2] for plan in known if plan[2] <= most] for most in range(self._n + 1)]
        return np.stack([self._threshold(plans, goal) for plans in counts])

    def _threshold(self, known: Sequence[tuple[int, int]], goal: Goal) -> Floats:
        top = np.inf if goal.capacity is None else float(goal.capacity)
        worst = np.inf if goal.max_cost is None else float(goal.max_cost)
        steps = undominated(known, lambda measures: measures)
        peaks = np.array([*(peak - 1.0 for peak, _ in steps), top])
        costs = np.array([worst, *(cost - 1.0 for _, cost in steps)])
        corners = np.minimum(peaks, top), np.minimum(costs, worst)
        corners = tuple(c[corners[0] >= self._lowest] for c in corners)
        with np.errstate(invalid="ignore"):  # nothing of what is not limited is nothing
            parts = (w[:, None] * c for w, c in zip(self._prices.T, corners, strict=True))
            weighed = sum(np.nan_to_num(part, nan=0.0, posinf=np.inf) for part in parts)
        gaps = weighed - self._least[:, 0, 0][:, None]
        gaps[:2] = np.where(np.isfinite(gaps[2:]).any(axis=0), np.inf, gaps[:2])
        chosen = gaps.argmin(axis=0)
        most = np.full(len(self._prices), -np.inf)
        np.maximum.at(most, chosen, weighed[chosen, np.arange(len(chosen))])
        return np.where(np.isfinite(most), most + _SLACK * np.abs(np.nan_to_num(most)), most)


def lowest_regions(n: int, edges: Edges) -> Column:
    """By cut: the lowest region of any path from there to the end."""
    found = np.full(n + 1, np.iinfo(np.int64).max)
    found[n] = 0
    order = np.argsort(-edges.starts, kind="stable")
    rows = zip(*(column[order].tolist() for column in edges[:3]), strict=True)
    for start, stop, ram in rows:
        found[start] = min(found[start], max(ram, found[stop]))
    return found


def _most_kept(n: int, edges: Edges, goal: Goal) -> int:
    """By any plan."""
    most = n * int(edges.kept.max(initial=0))
    return most if goal.capacity is None else min(most, goal.capacity)


def _levels(regions: Column, known: Sequence[Measures]) -> Column:
    """Most of them where known plans are."""
    every = np.unique(regions)
    if len(every) <= _LEVELS:
        return every
    peaks = sorted(peak for peak, _, _ in known)
    middle = np.searchsorted(every, peaks[len(peaks) // 2]) if peaks else len(every) // 2
    spread = [
        np.linspace(0, middle, 2 * _LEVELS // 3, endpoint=False),
        np.linspace(middle, len(every) - 1, _LEVELS // 3),
    ]
    chosen = np.concatenate(spread).astype(int).clip(0, len(every) - 1)
    found: Column = every[np.unique(chosen)]
    return found


def _prices(known: Sequence[Measures]) -> list[tuple[float, float]]:
    """Weights of a byte and of cost: RAM alone, cost alone, and slopes of the known plans' hull."""
    steps = undominated([measures[:2] for measures in known], lambda measures: measures)
    hull: list[tuple[int, int]] = []
    for step in steps:
        while len(hull) > 1 and _slope(hull[-2], step) >= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(step)
    slopes = sorted({_slope(a, b) for a, b in pairwise(hull)})
    if slopes and len(slopes) < _PRICES:
        more = np.geomspace(slopes[0] / 2, 2 * slopes[-1], _PRICES - len(slopes))
        slopes = sorted({*slopes, *more.tolist()})
    return [(1.0, 0.0), (0.0, 1.0), *((slope, 1.0) for slope in slopes)]


def _slope(high: tuple[int, int], low: tuple[int, int]) -> float:
    """Cost for each byte."""
    return (high[1] - low[1]) / (low[0] - high[0])
