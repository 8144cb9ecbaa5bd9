"""Which options can still be part of a plan that no known one dominates, told by all paths that
lead to them.

Once paths were followed from the first cut on, a path from the last one back is hopeless where
together with none of those that they meet it beats the known plans. That is all that there is to
know of loads, and where nearly all plans of a front are known, it leaves next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.kept_labels import Labels, LabelSearch
from splitopt.solvers.partition.kept_prospects import Edges
from splitopt.solvers.partition.option_pool import Mask
from splitopt.solvers.partition.prospects import Measures
from splitopt.solvers.partition.shortest_paths import NEVER, Column

_PAIRS = 1 << 20
"""Of a path to a cut and one behind it, compared at once."""


def hopeful_edges(
    n: int,
    edges: Edges,
    goal: Goal,
    known: Sequence[Measures],
    labels: Sequence[Labels],
    deadline: Deadline,
) -> Mask:
    """Those that a plan may have which no known one is as good as, in peak and cost; where time is
    over, all. `labels`: by cut, no path to it is better than all of these, but for those that no
    such plan begins with."""
    search = _Backwards(n, edges, goal, Beginnings(n, goal, known, labels))
    return np.full(len(edges.ram), True) if search.run(deadline) is None else search.met


class Beginnings:
    """Prospects of paths from the end back, of cuts that are counted from there."""

    def __init__(
        self, n: int, goal: Goal, known: Sequence[Measures], labels: Sequence[Labels]
    ) -> None:
        self._n, self._labels = n, labels
        steps = undominated([measures[:2] for measures in known], lambda measures: measures)
        worst = NEVER if goal.max_cost is None else goal.max_cost + 1
        top = NEVER if goal.capacity is None else goal.capacity + 1
        self._peaks = np.array([*(peak for peak, _ in steps), top], dtype=np.int64)
        costs = [worst, *(min(cost, worst) for _, cost in steps), -NEVER]
        self._costs = np.array(costs, dtype=np.int64)

    def has(self, cut: int, region: Column, cost: Column, kept: Column, segments: Column) -> Mask:
        labels, found = self._labels[self._n - cut], np.zeros(len(region), dtype=bool)
        many = max(1, _PAIRS // max(1, len(labels.edge)))
        for first in range(0, len(region) if len(labels.edge) else 0, many):
            own = slice(first, first + many)
            peak = np.maximum(region[own, None], labels.region) + kept[own, None] + labels.kept
            most = self._costs[np.searchsorted(self._peaks, peak, side="right")]
            found[own] = (cost[own, None] + labels.cost < most).any(axis=1)
        return found


class _Backwards(LabelSearch):
    """From the last cut to the first. `met`: edges of paths that have prospects."""

    def __init__(self, n: int, edges: Edges, goal: Goal, beginnings: Beginnings) -> None:
        mirrored = edges._replace(starts=n - edges.stops, stops=n - edges.starts)
        super().__init__(n, mirrored, goal, by_segments=False, prospects=beginnings)
        self.met = np.zeros(len(edges.ram), dtype=bool)

    def _longer(self, arcs: Column) -> Labels:
        longer = super()._longer(arcs)
        self.met[longer.edge] = True
        return longer
