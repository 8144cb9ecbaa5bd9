"""Which paths over loads may lead to a plan that no known one is as good as."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.kept_prospects import Edges
from splitopt.solvers.partition.option_pool import Mask
from splitopt.solvers.partition.prospects import Measures
from splitopt.solvers.partition.shortest_paths import FAR, NEVER, Column, reach_by_level


class OpenPaths:
    """In peak and cost, where options keep nothing for good.

    Between two peaks of known plans the cheapest one that takes no more is the same; so the highest
    peak there leaves most options, and a path has prospects where its cost and the least of a rest
    by these options is lower than that plan's.
    """

    def __init__(self, n: int, edges: Edges, goal: Goal, known: Sequence[Measures]) -> None:
        steps = undominated([measures[:2] for measures in known], lambda measures: measures)
        top = int(NEVER) - 1 if goal.capacity is None else goal.capacity
        worst = int(NEVER) if goal.max_cost is None else goal.max_cost + 1
        self._highest = np.array([*(min(peak - 1, top) for peak, _ in steps), top])
        costs = np.minimum([worst, *(cost for _, cost in steps)], worst)
        level = np.searchsorted(self._highest, edges.ram)
        columns = edges.starts, edges.stops, edges.cost, level
        ahead, rest = reach_by_level(n, len(self._highest), *columns)
        most = np.where(rest < FAR, costs[:, None] - 1 - rest, -NEVER)
        self._most = np.maximum.accumulate(most[::-1], axis=0)[::-1]
        left = most[:, edges.stops] - ahead[:, edges.starts] - edges.cost
        left[np.arange(len(costs))[:, None] < level] = -1
        self.edges = np.flatnonzero((left >= 0).any(axis=0))
        """Numbers of the options that such a path may have."""

    def has(self, cut: int, region: Column, cost: Column, kept: Column, segments: Column) -> Mask:
        """Which of these paths to a cut; see LabelSearch."""
        level = np.searchsorted(self._highest, region)
        is_within = level < len(self._highest)
        found: Mask = is_within & (cost <= self._most[np.where(is_within, level, 0), cut])
        return found
