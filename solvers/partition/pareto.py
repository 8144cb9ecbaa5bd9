"""The exact Pareto front of (peak, added cost, segments) over all plans of an instance.

Paths through the cuts are extended segment by segment, those of k segments before those of k + 1.
At each node a path is dropped where another of no more segments has no higher peak and no higher
cost: whatever completes the one completes the other. A path's peak counts as at least the lowest
peak that any path from its node to the end must have, which drops most.

Judged so are loads, as in dp.py: what is found is no worse than any plan. Where the smallest layout
of a path needs more than its load, exact_front.py finds what is better than the plans known then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import Rivals, undominated
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.exact_front import better_plans
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out_quickly
from splitopt.solvers.partition.ordered_layout import OrderedLayouts
from splitopt.solvers.partition.orders import Orders
from splitopt.solvers.partition.plan import PartitionPlan, PlanCost, plan_cost
from splitopt.solvers.partition.prospects import Measures, least_costs, lowest_peaks
from splitopt.solvers.partition.shortest_paths import NEVER

Loads = npt.NDArray[np.int64]
"""A row of measures for each."""


@dataclass(frozen=True)
class FrontPoint:
    """A plan that no other one found dominates. `bound`: no plan of no more cost and no more
    segments has a lower peak. The status is OPTIMAL where that is the plan's own peak."""

    plan: PartitionPlan
    cost: PlanCost
    bound: int

    @property
    def measures(self) -> Measures:
        return self.cost.peak, self.cost.added, self.cost.segments

    @property
    def status(self) -> Status:
        return Status.OPTIMAL if self.cost.peak == self.bound else Status.FEASIBLE


@dataclass(frozen=True)
class Front:
    """Points by falling peak; `is_complete`: it is proved that none is missing. `loads`: no plan
    is better than all of these."""

    points: tuple[FrontPoint, ...]
    is_complete: bool
    loads: tuple[Measures, ...] = ()

    @property
    def reaches_loads(self) -> bool:
        """Whether some plan is as good as each load, so that options that no load needs do not
        matter."""
        return {point.measures for point in self.points}.issuperset(self.loads)

    def unproved(self, loads: Sequence[Measures]) -> Front:
        """The same plans where all that is known is that none is better than all of these."""
        return _front((point.plan for point in self.points), loads, is_complete=False)


@dataclass(frozen=True, slots=True)
class _Label:
    """A path from 0 to a node: the lowest peak it can end with, its cost, and its last option."""

    peak: int
    cost: int
    segments: int
    copied: int
    number: int
    before: _Label | None

    @property
    def measures(self) -> Measures:
        return self.peak, self.cost, self.segments

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the options, from 0 on."""
        return () if self.before is None else (*self.before.numbers, self.number)


def pareto_front(instance: PartitionInstance, params: SolveParams | None = None) -> Front:
    """All plans that no other one dominates in peak, added cost and number of segments.

    The goal's limits hold, its weights play no part. Of plans that are equal in all three figures,
    one is kept, of few copied bytes. Where time runs out, or paths are too many, points may be
    missing, and bounds are loads.
    """
    deadline = Deadline((params or SolveParams()).time_limit_s)
    ends, untried = _Search(instance).run(deadline)
    orders = Orders(instance.options, instance.boundaries)
    plans = _undominated(instance, _laid_out(instance, ends, orders, deadline))
    loads = undominated((end.measures for end in ends), lambda load: load)
    if untried is not None:
        return _front(plans, [*loads, untried], is_complete=False)
    front = _front(plans, loads, is_complete=True)
    return front if front.reaches_loads else _improved(instance, front, orders, deadline)


def improved_front(
    instance: PartitionInstance, front: Front, params: SolveParams | None = None
) -> Front:
    """The front of an instance that has further options than that of a given front: those that
    change no load of it, but are in plans which no point of it dominates."""
    deadline = Deadline((params or SolveParams()).time_limit_s)
    orders = Orders(instance.options, instance.boundaries)
    return _improved(instance, front, orders, deadline)


def _improved(
    instance: PartitionInstance, front: Front, orders: Orders, deadline: Deadline
) -> Front:
    known = [point.measures for point in front.points]
    better = better_plans(instance, orders, known, deadline)
    plans = [*(point.plan for point in front.points), *better.plans]
    return _front(_undominated(instance, plans), front.loads, is_complete=better.is_complete)


def _front(
    plans: Iterable[PartitionPlan], loads: Sequence[Measures], *, is_complete: bool
) -> Front:
    known = np.array(loads, dtype=np.int64).reshape(-1, 3)
    points = [_point(plan, known, is_proved=is_complete) for plan in plans]
    points.sort(key=lambda point: (-point.cost.peak, point.cost.added))
    return Front(tuple(points), is_complete, tuple(loads))


def _laid_out(
    instance: PartitionInstance, ends: Iterable[_Label], orders: Orders, deadline: Deadline
) -> Iterator[PartitionPlan]:
    """The paths with small layouts, or with quick ones where time runs out. One that another layout
    beats is left out."""
    ordered = OrderedLayouts(orders)
    reached = Rivals()
    for end in ends:
        numbers = end.numbers
        options = tuple(instance.options[number] for number in numbers)
        is_rolled = any(option.rolls for option in options)
        layout = None
        if not is_rolled or deadline.is_over:
            layout = lay_out_quickly(options, instance.boundaries)
        if (layout is None or layout.region_bytes > end.peak) and not deadline.is_over:
            start = ordered.small(numbers)
            measures = start.region, end.cost, end.segments
            if reached.beat(measures):
                continue
            if layout is None or start.region < layout.region_bytes:
                layout = ordered.layout(numbers, start)
        if layout is not None:
            reached.add((layout.region_bytes, end.cost, end.segments))
            yield PartitionPlan(options, layout)


def _undominated(
    instance: PartitionInstance, plans: Iterable[PartitionPlan]
) -> list[PartitionPlan]:
    fitting = (plan for plan in plans if instance.goal.fits(plan.layout.region_bytes))
    return undominated(fitting, _measures)


def _measures(plan: PartitionPlan) -> Measures:
    cost = plan_cost(plan)
    return cost.peak, cost.added, cost.segments


def _point(plan: PartitionPlan, loads: Loads, *, is_proved: bool) -> FrontPoint:
    cost = plan_cost(plan)
    if is_proved:
        return FrontPoint(plan, cost, cost.peak)
    rivals = loads[(loads[:, 1:] <= (cost.added, cost.segments)).all(axis=1), 0]
    return FrontPoint(plan, cost, int(rivals.min(initial=cost.peak)) if len(rivals) else 0)


class _Search:
    def __init__(self, instance: PartitionInstance) -> None:
        self._n, self._max_cost = instance.n, instance.goal.max_cost
        self._most_segments = instance.most_segments
        self._peak_to_end = lowest_peaks(instance)
        self._cost_to_end = least_costs(instance)
        self._arcs: list[list[tuple[int, int, Option]]] = [[] for _ in range(instance.n)]
        for number, (option, ram) in enumerate(zip(instance.options, instance.rams, strict=True)):
            if instance.goal.fits(ram) and self._peak_to_end[option.stop] < NEVER:
                least = max(ram, self._peak_to_end[option.stop])
                self._arcs[option.start].append((least, number, option))

    def run(self, deadline: Deadline) -> tuple[list[_Label], Measures | None]:
        """The labels at the end. And what no plan of more segments than were tried is better than;
        None where all were."""
        if self._peak_to_end[0] >= NEVER:
            return [], None
        layer = {0: [_Label(self._peak_to_end[0], 0, 0, 0, -1, None)]}
        fronts: dict[int, _Staircase] = {}
        ends: list[_Label] = []
        for segments in range(1, self._most_segments + 1):
            extended = self._extended(layer, fronts, deadline)
            if extended is None:
                return ends, (self._peak_to_end[0], self._cost_to_end[0], segments)
            if not extended:
                return ends, None
            layer = extended
            ends += layer.pop(self._n, [])
        return ends, None

    def _extended(
        self, layer: dict[int, list[_Label]], fronts: dict[int, _Staircase], deadline: Deadline
    ) -> dict[int, list[_Label]] | None:
        """Every label by every option, as far as nothing of no more segments dominates it; None
        where time ran out before all were made."""
        found: dict[int, list[_Label]] = {}
        for node, labels in layer.items():
            if deadline.is_over and fronts:
                return None
            for least, number, option in self._arcs[node]:
                front, rest = fronts.get(option.stop), self._cost_to_end[option.stop]
                made = found.setdefault(option.stop, [])
                for label in labels:
                    peak, cost = max(label.peak, least), label.cost + option.cost
                    if self._max_cost is not None and cost + rest > self._max_cost:
                        continue
                    if front is None or not front.dominates(peak, cost):
                        copied = label.copied + option.copied_bytes
                        segments = label.segments + 1
                        made.append(_Label(peak, cost, segments, copied, number, label))
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
