"""The exact Pareto front of (peak, added cost, segments) over all plans of an instance.

Paths through the cuts are extended segment by segment, those of k segments before those of k + 1.
At each node a path is dropped where another of no more segments has no higher peak and no higher
cost: whatever completes the one completes the other. A path's peak counts as at least the least
peak that any way from its node to the end must have, which drops most.

Judged are loads, as in dp.py: a point whose layout needs more than its load is FEASIBLE only.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.cost import PlanCost, plan_cost
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.plan import PartitionPlan


@dataclass(frozen=True)
class FrontPoint:
    """A plan that no other dominates. OPTIMAL: proved; FEASIBLE: its `load` is, its layout, which
    needs more, is not."""

    plan: PartitionPlan
    cost: PlanCost
    load: int

    @property
    def status(self) -> Status:
        return Status.OPTIMAL if self.cost.peak == self.load else Status.FEASIBLE


@dataclass(frozen=True)
class Front:
    """Points by falling peak; `is_complete`: it is proved that none is missing."""

    points: tuple[FrontPoint, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class _Label:
    """A path from 0 to a node: the least peak it can end with, its cost, and its last option."""

    peak: int
    cost: int
    copied: int
    option: Option | None
    before: "_Label | None"


def pareto_front(instance: PartitionInstance, params: SolveParams | None = None) -> Front:
    """All limits of the instance hold; its objective's weights play no part.

    Of plans equal in all three, the one of fewest copied bytes. Out of time, what is there is
    proved, but more segments might give further points; so might points that a load dominated
    which no layout reaches.
    """
    params = params or SolveParams()
    ends, all_tried = _Search(instance).run(Deadline(params.time_limit_s))
    points = [_point(instance, label, params) for label in ends]
    is_complete = all_tried and all(point.status is Status.OPTIMAL for point in points)
    capacity = instance.capacity
    fitting = [p for p in points if capacity is None or p.cost.peak <= capacity]
    return Front(_undominated(fitting), is_complete)


class _Search:
    def __init__(self, instance: PartitionInstance) -> None:
        self._n = instance.n
        self._max_cost = instance.objective.max_cost
        self._most = instance.n if instance.max_segments is None else instance.max_segments
        capacity = instance.capacity
        self._arcs: list[list[tuple[int, Option]]] = [[] for _ in range(instance.n)]
        for ram, option in zip(instance.rams, instance.options, strict=True):
            if capacity is None or ram <= capacity:
                self._arcs[option.start].append((ram, option))
        self._peak_to_go = self._bottlenecks()

    def _bottlenecks(self) -> list[int | None]:
        """The least peak of any way from each node to the end; None where there is none."""
        least: list[int | None] = [None] * self._n + [0]
        for start in reversed(range(self._n)):
            for ram, option in self._arcs[start]:
                rest = least[option.stop]
                if rest is not None:
                    peak, known = max(ram, rest), least[start]
                    least[start] = peak if known is None else min(known, peak)
        return least

    def run(self, deadline: Deadline) -> tuple[list[_Label], bool]:
        """The labels at the end, and whether every number of segments was tried."""
        start = self._peak_to_go[0]
        if start is None:
            return [], True
        layer = {0: [_Label(start, 0, 0, None, None)]}
        fronts: dict[int, _Staircase] = {}
        ends: list[_Label] = []
        for _ in range(self._most):
            layer = self._extended(layer, fronts)
            if not layer:
                return ends, True
            ends += layer.pop(self._n, [])
            if deadline.is_over:
                return ends, False
        return ends, True

    def _extended(
        self, layer: dict[int, list[_Label]], fronts: dict[int, "_Staircase"]
    ) -> dict[int, list[_Label]]:
        """Every label by every option, as far as nothing of no more segments dominates it."""
        found: dict[int, list[_Label]] = {}
        for node, labels in layer.items():
            for ram, option in self._arcs[node]:
                rest = self._peak_to_go[option.stop]
                if rest is None:
                    continue
                least = max(ram, rest)
                front = fronts.get(option.stop)
                made = found.setdefault(option.stop, [])
                for label in labels:
                    peak, cost = max(label.peak, least), label.cost + option.cost
                    if self._max_cost is not None and cost > self._max_cost:
                        continue
                    if front is None or not front.dominates(peak, cost):
                        copied = label.copied + option.copied_bytes
                        made.append(_Label(peak, cost, copied, option, label))
        kept = {
            node: fronts.setdefault(node, _Staircase()).take(labels)
            for node, labels in found.items()
        }
        return {node: labels for node, labels in kept.items() if labels}


class _Staircase:
    """Peaks rising, costs falling: what no path of so many segments beats in both."""

    def __init__(self) -> None:
        self._peaks: list[int] = []
        self._costs: list[int] = []

    def dominates(self, peak: int, cost: int) -> bool:
        at = bisect_right(self._peaks, peak)
        return at > 0 and self._costs[at - 1] <= cost

    def take(self, labels: Iterable[_Label]) -> list[_Label]:
        """Those of the labels that nothing dominates, which are then part of it."""
        kept: list[_Label] = []
        for label in sorted(labels, key=lambda label: (label.peak, label.cost, label.copied)):
            if kept and kept[-1].cost <= label.cost:
                continue
            if not self.dominates(label.peak, label.cost):
                kept.append(label)
        if kept:
            self._merge([(label.peak, label.cost) for label in kept])
        return kept

    def _merge(self, more: Sequence[tuple[int, int]]) -> None:
        known = zip(self._peaks, self._costs, strict=True)
        self._peaks, self._costs = [], []
        for peak, cost in sorted([*known, *more]):
            if not self._costs or cost < self._costs[-1]:
                self._peaks.append(peak)
                self._costs.append(cost)


def _point(instance: PartitionInstance, label: _Label, params: SolveParams) -> FrontPoint:
    options = []
    step: _Label | None = label
    while step is not None and step.option is not None:
        options.append(step.option)
        step = step.before
    options.reverse()
    laid_out = lay_out(options, instance.boundaries, params)
    plan = PartitionPlan(tuple(options), laid_out.layout)
    return FrontPoint(plan, plan_cost(plan), label.peak)


def _undominated(points: Sequence[FrontPoint]) -> tuple[FrontPoint, ...]:
    """By falling peak; where layouts took more than loads, points may have come to be dominated."""

    def beats(a: PlanCost, b: PlanCost) -> bool:
        mine, theirs = (a.peak, a.added, a.segments), (b.peak, b.added, b.segments)
        return mine != theirs and all(x <= y for x, y in zip(mine, theirs, strict=True))

    kept = [p for p in points if not any(beats(q.cost, p.cost) for q in points)]
    return tuple(sorted(kept, key=lambda p: (-p.cost.peak, p.cost.added)))
