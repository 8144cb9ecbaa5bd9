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

TIE_SEGMENT = 2**40
"""Weight of one segment against copied bytes where plans tie."""


class LeastRest:
    """For every cut and level of the peak: the least cost to the end with no option above it, and
    the least tie of such paths, `TIE_SEGMENT` for each segment and the copied bytes. Where cost is
    minimised, that of paths of the least cost.

    No plan has a lower peak than the lowest level.
    """

    def __init__(
        self, pool: OptionPool, among: Survivors, goal: Goal, *, with_ties: bool = False
    ) -> None:
        self._goal = goal
        lowest = lowest_peak(pool, among) or 0
        peaks = np.maximum(pool.ram[among.numbers], lowest)
        levels = distinct(peaks) if goal.ram_weight and len(peaks) else np.array([lowest])
        if len(levels) > _LEVELS:
            levels = levels[distinct(np.linspace(0, len(levels) - 1, _LEVELS).astype(int))]
        ties = pool.copied[among.numbers] + TIE_SEGMENT if with_ties else None
        rest = _Rest(pool, among.numbers, levels, ties, is_after_cost=goal.cost_weight > 0)
        weighted = goal.ram_weight * levels + goal.cost_weight * rest.costs
        values = np.where(rest.costs < NEVER, weighted, NEVER)
        best, least = _least_behind(values, rest.ties)
        self._levels: list[int] = levels.tolist()
        self._costs: list[list[int]] = rest.costs.tolist()
        self._ties: list[list[int]] = rest.ties.tolist()
        self._best: list[list[int]] = best.tolist()
        self._best_ties: list[list[int]] = least.tolist()
        self._first: list[int] = (rest.costs >= NEVER).sum(axis=1).tolist()
        self.fewest: list[int] = rest.fewest.tolist()
        """Segments to the end, by cut."""

    def value(self, cut: int, peak: int, cost: int) -> int | None:
        """At least what a plan weighs that gets to the cut with this peak and cost; None where no
        plan that does so keeps the goal's limit on cost."""
        rank = self.rank(cut, peak, cost, 0)
        return None if rank is None else rank[0]

    def rank(self, cut: int, peak: int, cost: int, tie: int) -> tuple[int, int] | None:
        """At least what a plan weighs that gets to the cut with this peak, cost and tie, and its
        tie if it weighs no more than that; None as above."""
        goal, levels, costs, best = self._goal, self._levels, self._costs[cut], self._best[cut]
        at = max(self._first[cut], bisect_right(levels, peak) - 1)
        if goal.max_cost is not None:
            most = goal.max_cost - cost
            at = max(at, bisect_left(costs, True, key=lambda rest: rest <= most))
        if at >= len(levels):
            return None
        value = goal.weigh(max(peak, levels[at]), cost + costs[at])
        rest = self._ties[cut][at]
        if at + 1 < len(levels):
            higher = best[at + 1] + goal.cost_weight * cost
            if higher <= value:
                least = self._best_ties[cut][at + 1]
                value, rest = higher, least if higher < value else min(rest, least)
        return value, tie + rest


class _Rest:
    """[cut, level]: the least cost to the end, and the least tie; and by cut the fewest segments.
    `is_after_cost`: ties count only where costs are the least."""

    def __init__(
        self,
        pool: OptionPool,
        numbers: Column,
        levels: Column,
        ties: Column | None,
        *,
        is_after_cost: bool,
    ) -> None:
        self.costs = np.full((pool.n + 1, len(levels)), NEVER)
        self.ties = np.zeros_like(self.costs)
        self.fewest = np.full(pool.n + 1, NEVER)
        self.costs[-1], self.fewest[-1] = 0, 0
        starts, stops, amounts = pool.starts[numbers], pool.stops[numbers], pool.cost[numbers]
        level = np.maximum(0, np.searchsorted(levels, pool.ram[numbers], side="right") - 1)
        ends = np.searchsorted(starts, np.arange(pool.n + 1))
        for cut in range(pool.n - 1, -1, -1):
            own = slice(ends[cut], ends[cut + 1])
            if ends[cut] == ends[cut + 1]:
                continue
            sums = self.costs[stops[own]] + amounts[own, None]
            sums[np.arange(len(levels)) < level[own, None]] = NEVER
            least = sums.min(axis=0)
            self.costs[cut] = np.where(least < FAR, least, NEVER)
            self.fewest[cut] = min(NEVER, self.fewest[stops[own]].min() + 1)
            if ties is not None:
                counts = sums == least if is_after_cost else sums < FAR
                behind = self.ties[stops[own]] + ties[own, None]
                self.ties[cut] = np.where(counts & (least < FAR), behind, NEVER).min(axis=0)


def _least_behind(values: Matrix, ties: Matrix) -> tuple[Matrix, Matrix]:
    """[cut, level]: the least value of this level and all higher ones, and its least tie."""
    best, least = values.copy(), ties.copy()
    for level in range(values.shape[1] - 2, -1, -1):
        higher, own = best[:, level + 1], best[:, level]
        behind = np.where(higher <= own, least[:, level + 1], NEVER)
        least[:, level] = np.minimum(np.where(own <= higher, least[:, level], NEVER), behind)
        best[:, level] = np.minimum(own, higher)
    return best, least
