"""The exact Pareto front of (peak, added cost) over all plans of an instance; segments count as a
third measure where that is asked for.

First come the paths that are on the front by their loads (load_paths.py): what is found is no worse
than any plan. Where the smallest layout of one needs more than its load, exact_front.py finds what
is better than the plans known then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import Rivals, undominated
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.conflicts import MOST_CONFLICTS, Conflict, conflicts_of
from splitopt.solvers.partition.exact_front import better_plans
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.kept_labels import EndPath
from splitopt.solvers.partition.layout import lay_out, lay_out_quickly
from splitopt.solvers.partition.load_paths import kept_paths, load_paths
from splitopt.solvers.partition.ordered_layout import OrderedLayouts
from splitopt.solvers.partition.orders import Orders
from splitopt.solvers.partition.plan import Layout, PartitionPlan, PlanCost, plan_cost
from splitopt.solvers.partition.prospects import Measures

Loads = npt.NDArray[np.int64]
"""A row of measures for each."""


@dataclass(frozen=True)
class FrontPoint:
    """A plan that no other one found dominates. `bound`: no plan of no more cost, and no more
    segments where these count, has a lower peak. The status is OPTIMAL where that is the plan's own
    peak."""

    plan: PartitionPlan
    cost: PlanCost
    bound: int

    @property
    def status(self) -> Status:
        return Status.OPTIMAL if self.cost.peak == self.bound else Status.FEASIBLE


@dataclass(frozen=True)
class Front:
    """Points by falling peak; `is_complete`: it is proved that none is missing. `loads`: no plan
    is better than all of these. `counts_segments`: whether they are a measure."""

    points: tuple[FrontPoint, ...]
    is_complete: bool
    loads: tuple[Measures, ...] = ()
    counts_segments: bool = False

    @property
    def measures(self) -> list[Measures]:
        """Of its points."""
        return [
            measures_of(point.cost, counts_segments=self.counts_segments) for point in self.points
        ]

    @property
    def reaches_loads(self) -> bool:
        """Whether some plan is as good as each load, so that options that no load needs do not
        matter."""
        return set(self.measures).issuperset(self.loads)

    def unproved(self, loads: Sequence[Measures]) -> Front:
        """The same plans where all that is known is that none is better than all of these."""
        plans = [point.plan for point in self.points]
        return _front(plans, loads, is_complete=False, counts_segments=self.counts_segments)


def measures_of(cost: PlanCost, *, counts_segments: bool) -> Measures:
    return cost.peak, cost.added, cost.segments if counts_segments else 0


def pareto_front(
    instance: PartitionInstance,
    params: SolveParams | None = None,
    *,
    counts_segments: bool = False,
    learnt: Learnt | None = None,
) -> Front:
    """All plans that no other one dominates in peak, added cost and, where it counts, number of
    segments.

    The goal's limits hold, its weights play no part. Of plans that are equal in all of these, one
    is kept, of few segments and few copied bytes. Where time runs out, or paths are too many,
    points may be missing, and bounds are loads. `learnt`: of layouts, where
    options keep bytes; what comes to be known is added.
    """
    deadline = Deadline((params or SolveParams()).time_limit_s)
    by_segments = counts_segments or instance.goal.max_segments is not None
    if any(option.kept for option in instance.options):
        learnt = learnt or Learnt([], {})
        return _WithKept(instance, deadline, learnt, by_segments, counts_segments).run()
    paths = load_paths(instance, deadline, by_segments=by_segments)
    ends = [(end, (end.peak, end.cost, end.segments * counts_segments)) for end in paths.ends]
    best = undominated(ends, lambda it: it[1])
    orders = Orders(instance.options, instance.boundaries)
    plans = list(_laid_out(instance, best, orders, deadline))
    loads = [load for _, load in best]
    if paths.untried is not None:
        peak, cost, segments = paths.untried
        loads.append((peak, cost, segments * counts_segments))
    is_complete = paths.untried is None
    front = _front(plans, loads, is_complete=is_complete, counts_segments=counts_segments)
    if front.reaches_loads or not is_complete:
        return front
    return _improved(instance, front, orders, deadline)


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
    counts = front.counts_segments
    better = better_plans(instance, orders, front.measures, deadline, counts_segments=counts)
    plans = [*(point.plan for point in front.points), *better.plans]
    return _front(plans, front.loads, is_complete=better.is_complete, counts_segments=counts)


def _front(
    plans: Iterable[PartitionPlan],
    loads: Sequence[Measures],
    *,
    is_complete: bool,
    counts_segments: bool,
) -> Front:
    """Of those that no other one dominates."""
    known = np.array(loads, dtype=np.int64).reshape(-1, 3)
    measured = [
        (plan, measures_of(plan_cost(plan), counts_segments=counts_segments)) for plan in plans
    ]
    best = undominated(measured, lambda it: it[1])
    points = [
        FrontPoint(plan, plan_cost(plan), measures[0] if is_complete else _bound(measures, known))
        for plan, measures in best
    ]
    points.sort(key=lambda point: (-point.cost.peak, point.cost.added))
    return Front(tuple(points), is_complete, tuple(loads), counts_segments)


def _bound(measures: Measures, loads: Loads) -> int:
    """Of the peak of a plan that is no worse than these measures."""
    rivals = loads[(loads[:, 1:] <= measures[1:]).all(axis=1), 0]
    return int(rivals.min(initial=measures[0])) if len(rivals) else 0


def _laid_out(
    instance: PartitionInstance,
    ends: Iterable[tuple[EndPath, Measures]],
    orders: Orders,
    deadline: Deadline,
) -> Iterator[PartitionPlan]:
    """The paths with small layouts, or with quick ones where time runs out. One that another layout
    beats is left out."""
    ordered, reached = OrderedLayouts(orders), Rivals()
    for end, load in ends:
        if reached.beat(load):
            continue
        numbers = end.numbers
        options = tuple(instance.options[number] for number in numbers)
        is_rolled = any(option.rolls for option in options)
        layout = None
        if not is_rolled or deadline.is_over:
            layout = lay_out_quickly(options, instance.boundaries)
        if (layout is None or layout.region_bytes > end.peak) and not deadline.is_over:
            start = ordered.small(numbers)
            if reached.beat((start.region, *load[1:])):
                continue
            if layout is None or start.region < layout.region_bytes:
                layout = ordered.layout(numbers, start)
        if layout is not None and instance.goal.fits(layout.region_bytes):
            reached.add((layout.region_bytes, *load[1:]))
            yield PartitionPlan(options, layout)


@dataclass(frozen=True)
class Learnt:
    """Of layouts: conflicts of options, and a small layout of each choice of them. It grows."""

    conflicts: list[Conflict]
    layouts: dict[tuple[Option, ...], Layout]


class _WithKept:
    """Where options keep bytes: over loads and the conflicts of options, which are learnt from
    plans whose layouts need more, until all plans of the front need no more."""

    def __init__(
        self,
        instance: PartitionInstance,
        deadline: Deadline,
        learnt: Learnt,
        by_segments: bool,
        counts: bool,
    ) -> None:
        self._instance, self._deadline, self._learnt = instance, deadline, learnt
        self._by_segments, self._counts = by_segments, counts
        self._ordered = OrderedLayouts(Orders(instance.options, instance.boundaries))

    def run(self) -> Front:
        learnt, plans = self._learnt.conflicts, list[PartitionPlan]()
        while True:
            paths = kept_paths(
                self._instance, self._deadline, learnt, by_segments=self._by_segments
            )
            ends = undominated(paths.ends, self._measures)
            found, more = self._plans(ends)
            plans += found
            if not more or len(learnt) + len(more) > MOST_CONFLICTS:
                break
            learnt += more
        loads = list(map(self._measures, ends))
        loads += [] if paths.untried is None else [paths.untried]
        front = _front(plans, loads, is_complete=False, counts_segments=self._counts)
        is_complete = front.reaches_loads and paths.untried is None
        return replace(front, is_complete=is_complete)

    def _measures(self, end: EndPath) -> Measures:
        return end.peak, end.cost, end.segments * self._counts

    def _plans(self, ends: Iterable[EndPath]) -> tuple[list[PartitionPlan], list[Conflict]]:
        """Of these paths, and what those teach that need more than their regions."""
        plans, learnt = [], list[Conflict]()
        for end in ends:
            options = tuple(self._instance.options[number] for number in end.numbers)
            layout = self._layout(end, options)
            if self._instance.goal.fits(layout.region_bytes + end.kept):
                plans.append(PartitionPlan(options, layout))
            is_over = layout.region_bytes > end.region and not self._deadline.is_over
            if is_over and not any(conflict.holds(options) for conflict in learnt):
                found = conflicts_of(self._instance, end.numbers, end.region, self._left)
                learnt += (own for own in found if own.region > end.region)
        return plans, learnt

    def _layout(self, end: EndPath, options: tuple[Option, ...]) -> Layout:
        """A small one; the smallest, where that may not need more than the path's region."""
        known = self._learnt.layouts.get(options)
        if known is not None and known.region_bytes <= end.region:
            return known
        found = lay_out_quickly(options, self._instance.boundaries)
        if found.region_bytes > end.region and not self._deadline.is_over:
            start = self._ordered.small(end.numbers)
            if start.region < found.region_bytes:
                found = self._ordered.layout(end.numbers, start)
        if found.region_bytes > end.region and not self._deadline.is_over:
            laid_out = lay_out(options, self._instance.boundaries, self._left, end.region)
            found = min(found, laid_out.layout, key=lambda layout: layout.region_bytes)
        self._learnt.layouts[options] = found
        return found

    @property
    def _left(self) -> SolveParams:
        return SolveParams(time_limit_s=self._deadline.left_s)
