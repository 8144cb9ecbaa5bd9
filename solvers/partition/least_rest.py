"""What plans still weigh from a cut on, at least, judged by the figures that a pool has now."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np

from splitopt.solvers.distinct import distinct
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.option_pool import OptionPool, Survivors
from splitopt.solvers.partition.shortest_paths import FAR, NEVER, Column, Matrix
from splitopt.solvers.partition.through import lowest_peak

_LEVELS = 256
"""Of the peak, at most. Where there are more RAM figures, some count as the next one below."""

_NONE = int(NEVER)


class LeastRest:
    """For every cut and level of the peak: the least cost to the end with no option above it.

    No plan has a lower peak than the lowest level.
    """

    def __init__(self, pool: OptionPool, among: Survivors, goal: Goal) -> None:
        self._goal = goal
        lowest = lowest_peak(pool, among) or 0
        peaks = np.maximum(pool.ram[among.numbers], lowest)
        levels = distinct(peaks) if goal.ram_weight and len(peaks) else np.array([lowest])
        if len(levels) > _LEVELS:
            levels = levels[distinct(np.linspace(0, len(levels) - 1, _LEVELS).astype(int))]
        costs, fewest = _least(pool, among.numbers, levels)
        values = np.where(costs < NEVER, goal.ram_weight * levels + goal.cost_weight * costs, NEVER)
        best = np.minimum.accumulate(values[:, ::-1], axis=1)[:, ::-1]
        self._levels: list[int] = levels.tolist()
        self._costs: list[list[int]] = costs.tolist()
        self._best: list[list[int]] = best.tolist()
        self.fewest: list[int] = fewest.tolist()
        """Segments to the end, by cut."""

    def value(self, cut: int, peak: int, cost: int) -> int | None:
        """At least what a plan weighs that gets to the cut with this peak and cost; None where no
        plan that does so keeps the goal's limit on cost."""
        goal, levels, costs, best = self._goal, self._levels, self._costs[cut], self._best[cut]
        at = max(0, bisect_right(levels, peak) - 1)
        most = _NONE - 1 if goal.max_cost is None else goal.max_cost - cost
        at = max(at, bisect_left(costs, True, key=lambda rest: rest <= most))
        if at >= len(levels):
            return None
        value = goal.weigh(max(peak, levels[at]), cost + costs[at])
        if at + 1 < len(levels):
            value = min(value, best[at + 1] + goal.cost_weight * cost)
        return value


def _least(pool: OptionPool, numbers: Column, levels: Column) -> tuple[Matrix, Column]:
    """[cut, level]: the least cost to the end; and by cut the fewest segments."""
    costs = np.full((pool.n + 1, len(levels)), NEVER)
    fewest = np.full(pool.n + 1, NEVER)
    costs[-1], fewest[-1] = 0, 0
    starts, stops, amounts = pool.starts[numbers], pool.stops[numbers], pool.cost[numbers]
    level = np.maximum(0, np.searchsorted(levels, pool.ram[numbers], side="right") - 1)
    ends = np.searchsorted(starts, np.arange(pool.n + 1))
    for cut in range(pool.n - 1, -1, -1):
        own = slice(ends[cut], ends[cut + 1])
        if ends[cut] < ends[cut + 1]:
            sums = costs[stops[own]] + amounts[own, None]
            sums[np.arange(len(levels)) < level[own, None]] = NEVER
            least = sums.min(axis=0)
            costs[cut] = np.where(least < FAR, least, NEVER)
            fewest[cut] = min(NEVER, fewest[stops[own]].min() + 1)
    return costs, fewest
