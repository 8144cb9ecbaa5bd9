"""Paths from both ends that meet, where options keep bytes for good, and which options can still
be part of a plan that no known one dominates.

Few paths reach a cut near the end from which they come, many one near the other. So those from the
first cut are followed as far as they cross a middle one, and those from the last cut back to it.
Together they tell all that there is to know of loads: a path is hopeless where with none of those
that it meets it beats the known plans. Where nearly all plans of a front are known, that leaves
next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.kept_labels import Labels, LabelSearch, joined
from splitopt.solvers.partition.kept_prospects import Edges
from splitopt.solvers.partition.option_pool import Mask
from splitopt.solvers.partition.prospects import Measures
from splitopt.solvers.partition.shortest_paths import NEVER, Column

_PAIRS = 1 << 16
"""Of a path to a cut and one behind it, compared at once."""
_BITS = 16
"""Of peaks that are told apart at first."""


Joint = tuple[tuple[int, ...], int, int, int]
"""Peak, cost, segments and copied bytes of a plan; the cut where its halves meet, and which labels
these are."""


def mirrored(n: int, edges: Edges) -> Edges:
    """From the last cut to the first, which count from there."""
    return edges._replace(starts=n - edges.stops, stops=n - edges.starts)


class Meets:
    """Which paths to a cut make a plan that no known one is as good as, together with one of those
    that begin there. `labels`: these, by cut. Prospects, but that segments do not count."""

    def __init__(self, goal: Goal, known: Sequence[Measures], labels: Sequence[Labels]) -> None:
        steps = undominated([plan[:2] for plan in known], lambda plan: plan)
        worst = NEVER if goal.max_cost is None else goal.max_cost + 1
        peaks = [peak for peak, _ in steps]
        costs = [worst, *(min(cost, worst) for _, cost in steps)]
        if goal.capacity is not None:
            peaks, costs = [*peaks, goal.capacity + 1], [*costs, -NEVER]
        self._peaks, self._costs = np.array(peaks, dtype=np.int64), np.array(costs, dtype=np.int64)
        self._labels = labels
        self._low, high = (peaks[0], peaks[-1]) if peaks else (0, 0)
        self._shift = max(0, (high - self._low).bit_length() - _BITS)
        most = self._most(np.arange(self._low, high + 1, 1 << self._shift))
        self._table = np.array([worst, *most], dtype=np.int64)

    def has(self, cut: int, region: Column, cost: Column, kept: Column, segments: Column) -> Mask:
        parts = [is_better.any(axis=1) for is_better in self._blocks(cut, region, cost, kept)]
        return np.concatenate(parts) if parts else np.zeros(len(region), dtype=bool)

    def some(self, cut: int, labels: Labels) -> Labels:
        """Those of them, without what they have of conflicts."""
        columns = labels.region, labels.cost, labels.kept, labels.segments
        chosen = labels.some(self.has(cut, *columns))
        return chosen._replace(mask=chosen.mask[:, :0])

    def pairs(self, cut: int, labels: Labels) -> Iterator[tuple[Column, Column]]:
        """The numbers of such paths, and of those that begin there."""
        first, others = 0, self._labels[cut]
        for is_better in self._blocks(cut, labels.region, labels.cost, labels.kept):
            own, other = np.nonzero(is_better)
            own, first = own + first, first + len(is_better)
            if self._shift:
                peak, cost = together(labels, others, own, other)
                chosen = self.are_better(peak, cost)
                own, other = own[chosen], other[chosen]
            yield own, other

    def are_better(self, peak: Column, cost: Column) -> Mask:
        """Whether no known plan is as good as one of these."""
        found: Mask = cost < self._most(peak)
        return found

    def _blocks(self, cut: int, region: Column, cost: Column, kept: Column) -> Iterator[Mask]:
        """[path, of those that begin at the cut]: whether they are better together, or nearly."""
        labels = self._labels[cut]
        many = max(1, _PAIRS // max(1, len(labels.edge)))
        for first in range(0, len(region), many):
            own = slice(first, first + many)
            peak = np.maximum(region[own, None], labels.region)
            peak += kept[own, None]
            peak += labels.kept - self._low
            peak >>= self._shift
            peak += 1
            most = self._table.take(peak, mode="clip")
            most -= labels.cost
            yield cost[own, None] < most

    def _most(self, peak: Column) -> Column:
        """What better plans of these peaks cost less than."""
        found: Column = self._costs[np.searchsorted(self._peaks, peak, side="right")]
        return found


def together(own: Labels, other: Labels, some: Column, others: Column) -> tuple[Column, Column]:
    """Peak and cost of plans of such paths, by their numbers."""
    peak = np.maximum(own.region[some], other.region[others])
    peak += own.kept[some]
    peak += other.kept[others]
    return peak, own.cost[some] + other.cost[others]


class Halves:
    """`ahead`: was followed over edges that start before the middle, `behind` over all others,
    mirrored."""

    def __init__(
        self, n: int, middle: int, goal: Goal, ahead: LabelSearch, behind: LabelSearch
    ) -> None:
        self._n, self.middle, self._goal = n, middle, goal
        self._ahead, self._behind = ahead, behind
        self._crossed = {cut: ahead.labels[cut] for cut in range(middle, n + 1)}
        self._before = {cut: behind.labels[cut] for cut in range(n - middle + 1)}

    def better(
        self, known: Sequence[Measures], deadline: Deadline
    ) -> tuple[list[int], list[int]] | None:
        """Edges, of each half, of the plans that are the best of those that no known one is as
        good as; None where time is over."""
        best, back = list[Joint](), self._behind.labels[::-1]
        meets = Meets(self._goal, known, back)
        for cut in range(self.middle, self._n + 1):
            if deadline.is_over:
                return None
            own, other = self._ahead.labels[cut], back[cut]
            met = np.zeros(len(own.edge), dtype=bool), np.zeros(len(other.edge), dtype=bool)
            further = Meets(self._goal, [*known, *((row[0], row[1], 0) for row, *_ in best)], back)
            for some, others in meets.pairs(cut, own):
                met[0][some], met[1][others] = True, True
                chosen = further.are_better(*together(own, other, some, others))
                best += _best(cut, own, other, some[chosen], others[chosen])
            best = undominated(sorted(best), lambda joint: joint[0][:2])
            self._crossed[cut] = own.some(met[0])
            self._before[self._n - cut] = other.some(met[1])
        used: tuple[set[int], set[int]] = set(), set()
        for _, cut, first, second in best:
            used[0].update(self._ahead.path(first, cut))
            used[1].update(self._behind.path(second, self._n - cut))
        return sorted(used[0]), sorted(used[1])

    def hopeful(
        self, ahead: Edges, behind: Edges, known: Sequence[Measures], deadline: Deadline
    ) -> tuple[Mask, Mask]:
        """Which edges of each half, of these, a plan may have that no known one is as good as, in
        peak and cost; where time is over, all. What was known before stays known."""
        n, goal = self._n, self._goal
        forth, back = self._ahead.labels, self._behind.labels
        to_end, to_start = Meets(goal, known, back[::-1]), Meets(goal, known, forth[::-1])
        self._crossed = {cut: to_end.some(cut, own) for cut, own in self._crossed.items()}
        self._before = {cut: to_start.some(cut, own) for cut, own in self._before.items()}
        first = _Seeded(n, mirrored(n, ahead), goal, to_start, self._before)
        second = _Seeded(n, behind, goal, to_end, self._crossed)
        if not (first.follow(deadline) and second.follow(deadline)):
            return np.ones(len(ahead.ram), dtype=bool), np.ones(len(behind.ram), dtype=bool)
        return first.met, second.met


def _best(cut: int, own: Labels, other: Labels, some: Column, others: Column) -> Iterator[Joint]:
    """Of plans of such paths to a cut, most of those that others dominate left out."""
    peak, cost = together(own, other, some, others)
    order = np.lexsort((cost, peak))
    left = order[cost[order] <= np.minimum.accumulate(cost[order])]
    some, others = some[left], others[left]
    counts = own.segments[some] + other.segments[others]
    copied = own.copied[some] + other.copied[others]
    columns = (peak[left], cost[left], counts, copied, some, others)
    for *row, first, second in zip(*(column.tolist() for column in columns), strict=True):
        yield tuple(row), cut, first, second


class _Seeded(LabelSearch):
    """With paths to some cuts that are there from the start. `met`: edges of all that have
    prospects."""

    def __init__(
        self, n: int, edges: Edges, goal: Goal, meets: Meets, seeds: Mapping[int, Labels]
    ) -> None:
        super().__init__(n, edges, goal, by_segments=False, prospects=meets)
        self._seeds = seeds
        self.met = np.zeros(len(edges.ram), dtype=bool)

    def _at(self, cut: int, deadline: Deadline) -> Labels:
        found = super()._at(cut, deadline)
        return self._best(joined(found, self._seeds[cut])) if cut in self._seeds else found

    def _longer(self, arcs: Column) -> Labels:
        longer = super()._longer(arcs)
        self.met[longer.edge] = True
        return longer
