"""The exact Pareto front of (peak, added cost, segments) over all plans of an instance.

Paths through the cuts are extended segment by segment, those of k segments before those of k + 1.
At each node a path is dropped where another of no more segments has no higher peak and no higher
cost: whatever completes the one completes the other. A path's peak counts as at least the lowest
peak that any path from its node to the end must have, which drops most.

Judged are loads, as in dp.py: a point whose layout needs more than its load is FEASIBLE only.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import undominated
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.plan import PartitionPlan, PlanCost, plan_cost
from splitopt.solvers.partition.shortest_paths import NEVER, least_weights, to_end


@dataclass(frozen=True)
class FrontPoint:
    """A plan that no other one dominates. Its status is OPTIMAL where the plan is proved, and
    FEASIBLE where only its `load` is: the layout then needs more bytes than the load."""

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
    """A path from 0 to a node: the lowest peak it can end with, its cost, and its last option."""

    peak: int
    cost: int
    copied: int
    option: Option | None
    before: "_Label | None"


def pareto_front(instance: PartitionInstance, params: SolveParams | None = None) -> Front:
    """All plans that no other one dominates in peak, added cost and number of segments.

    The goal's limits hold, its weights play no part. Of plans that are equal in all three, the one
    of fewest copied bytes is kept. Where time runs out, the points found are proved, but more
    segments might give further points; so might points that were dominated by a load which no
    layout reaches.
    """
    params = params or SolveParams()
    deadline = Deadline(params.time_limit_s)
    ends, all_tried = _Search(instance).run(deadline)
    points = [
        _point(instance, label, replace(params, time_limit_s=deadline.left_s)) for label in ends
    ]
    is_complete = all_tried and all(point.status is Status.OPTIMAL for point in points)
    # Where layouts took more than loads, points may have come to be dominated.
    fitting = (point for point in points if instance.goal.fits(point.cost.peak))
    front = undominated(fitting, lambda p: (p.cost.peak, p.cost.added, p.cost.segments))
    return Front(tuple(sorted(front, key=lambda p: (-p.cost.peak, p.cost.added))), is_complete)


class _Search:
    def __init__(self, instance: PartitionInstance) -> None:
        self._n, self._max_cost = instance.n, instance.goal.max_cost
        self._most_segments = instance.most_segments
        arcs = [
            (option.start, option.stop, ram, option)
            for ram, option in zip(instance.rams, instance.options, strict=True)
            if instance.goal.fits(ram)
        ]
        rows = [(start, stop, ram, option.cost) for start, stop, ram, option in arcs]
        starts, stops, rams, costs = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        peaks = to_end(least_weights(instance.n, starts, stops, rams), np.maximum)
        self._peak_to_end: list[int] = peaks.tolist()
        rests = to_end(least_weights(instance.n, starts, stops, costs), np.add)
        self._cost_to_end: list[int] = rests.tolist()
        self._arcs: list[list[tuple[int, Option]]] = [[] for _ in range(instance.n)]
        for start, stop, ram, option in arcs:
            if self._peak_to_end[stop] < NEVER:
                self._arcs[start].append((max(ram, self._peak_to_end[stop]), option))

    def run(self, deadline: Deadline) -> tuple[list[_Label], bool]:
        """The labels at the end, and whether every number of segments was tried."""
        if self._peak_to_end[0] >= NEVER:
            return [], True
        layer = {0: [_Label(self._peak_to_end[0], 0, 0, None, None)]}
        fronts: dict[int, _Staircase] = {}
        ends: list[_Label] = []
        for _ in range(self._most_segments):
            extended = self._extended(layer, fronts, deadline)
            if extended is None:
                return ends, False
            if not extended:
                return ends, True
            layer = extended
            ends += layer.pop(self._n, [])
        return ends, True

    def _extended(
        self, layer: dict[int, list[_Label]], fronts: dict[int, "_Staircase"], deadline: Deadline
    ) -> dict[int, list[_Label]] | None:
        """Every label by every option, as far as nothing of no more segments dominates it; None
        where time ran out before all were made."""
        found: dict[int, list[_Label]] = {}
        for node, labels in layer.items():
            if deadline.is_over and fronts:
                return None
            for least, option in self._arcs[node]:
                front, rest = fronts.get(option.stop), self._cost_to_end[option.stop]
                made = found.setdefault(option.stop, [])
                for label in labels:
                    peak, cost = max(label.peak, least), label.cost + option.cost
                    if self._max_cost is not None and cost + rest > self._max_cost:
                        continue
                    if front is None or not front.dominates(peak, cost):
                        copied = label.copied + option.copied_bytes
                        made.append(_Label(peak, cost, copied, option, label))
        kept = {
            node: fronts.setdefault(node, _Staircase()).take(made) for node, made in found.items()
        }
        return {node: labels for node, labels in kept.items() if labels}


@dataclass
class _Staircase:
    """The undominated (peak, cost) of one node so far: peaks rise, costs fall."""

    peaks: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)

    def dominates(self, peak: int, cost: int) -> bool:
        at = bisect_right(self.peaks, peak)
        return at > 0 and self.costs[at - 1] <= cost

    def take(self, labels: Iterable[_Label]) -> list[_Label]:
        """Those of the labels that nothing dominates, which are then part of it."""
        few_copies_first = sorted(labels, key=lambda label: label.copied)
        best = undominated(few_copies_first, lambda label: (label.peak, label.cost))
        kept = [label for label in best if not self.dominates(label.peak, label.cost)]
        if kept:
            known = zip(self.peaks, self.costs, strict=True)
            steps = [*known, *((label.peak, label.cost) for label in kept)]
            steps = undominated(steps, lambda step: step)
            self.peaks, self.costs = [peak for peak, _ in steps], [cost for _, cost in steps]
        return kept


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
