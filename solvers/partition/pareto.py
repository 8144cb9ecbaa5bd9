"""The exact Pareto front of (peak, added cost) over all plans of an instance; segments count as a
third measure where that is asked for.

First come the paths that are on the front by their loads (load_paths.py): no plan is better than
all of them. Where the smallest layout of one needs more than its load, that is a conflict of some
of its options; paths over loads and conflicts follow until all of the front need no more.
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
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.conflicts import Conflict
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.kept_labels import EndPath
from splitopt.solvers.partition.layout import lay_out, lay_out_quickly
from splitopt.solvers.partition.load_paths import kept_paths, load_paths
from splitopt.solvers.partition.needs import Needs
from splitopt.solvers.partition.order_conflicts import Teacher
from splitopt.solvers.partition.orders import Undecided
from splitopt.solvers.partition.plan import Layout, PartitionPlan, PlanCost, plan_cost
from splitopt.solvers.partition.prospects import Measures

_UNDECIDED = 0.1
"""Of the time that is left, for a layout of which orders do not decide."""

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
    beside: Sequence[PartitionPlan] = (),
) -> Front:
    """All plans that no other one dominates in peak, added cost and, where it counts, number of
    segments.

    The goal's limits hold, its weights play no part. Of plans that are equal in all of these, one
    is kept, of few segments and few copied bytes. Where time runs out, or paths are too many,
    points may be missing, and bounds are loads. `learnt`: of layouts, where options keep bytes;
    what comes to be known is added. `beside`: plans that are on the front, too, but for those that
    others dominate.
    """
    params = params or SolveParams()
    deadline = Deadline(params.time_limit_s)
    by_segments = counts_segments or instance.goal.max_segments is not None
    learnt = learnt or Learnt.of(instance)
    if beside or any(option.kept for option in instance.options):
        return _ByConflicts(instance, deadline, learnt, by_segments, counts_segments).run(beside)
    paths = load_paths(instance, deadline, by_segments=by_segments)
    ends = [(end, (end.peak, end.cost, end.segments * counts_segments)) for end in paths.ends]
    best = undominated(ends, lambda it: it[1])
    plans = list(_laid_out(instance, best, deadline))
    loads = [load for _, load in best]
    if paths.untried is not None:
        peak, cost, segments = paths.untried
        loads.append((peak, cost, segments * counts_segments))
    is_complete = paths.untried is None
    front = _front(plans, loads, is_complete=is_complete, counts_segments=counts_segments)
    if front.reaches_loads or not is_complete:
        return front
    return improved_front(instance, front, replace(params, time_limit_s=deadline.left_s), learnt)


def improved_front(
    instance: PartitionInstance,
    front: Front,
    params: SolveParams | None = None,
    learnt: Learnt | None = None,
) -> Front:
    """The front of an instance that has further options than that of a given front: those that
    change no load of it, but are in plans which no point of it dominates."""
    deadline, counts = Deadline((params or SolveParams()).time_limit_s), front.counts_segments
    by_segments, learnt = (
        counts or instance.goal.max_segments is not None,
        learnt or Learnt.of(instance),
    )
    known = [point.plan for point in front.points]
    further = _ByConflicts(instance, deadline, learnt, by_segments, counts).run(known)
    plans = [*known, *(point.plan for point in further.points)]
    return _front(plans, front.loads, is_complete=further.is_complete, counts_segments=counts)


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
    deadline: Deadline,
) -> Iterator[PartitionPlan]:
    """The paths with layouts that are found quickly; where time is left, those that roll need more
    than that. One that another layout beats is left out."""
    reached = Rivals()
    for end, load in ends:
        options = tuple(instance.options[number] for number in end.numbers)
        is_rolled = any(option.rolls for option in options)
        if reached.beat(load) or (is_rolled and not deadline.is_over):
            continue
        layout = lay_out_quickly(options, instance.boundaries)
        if instance.goal.fits(layout.region_bytes):
            reached.add((layout.region_bytes, *load[1:]))
            yield PartitionPlan(options, layout)


@dataclass(frozen=True)
class Learnt:
    """Of layouts: conflicts of options, a small layout of each choice of them, and what orders of
    their blocks need. It grows."""

    conflicts: list[Conflict]
    layouts: dict[tuple[Option, ...], Layout]
    needs: Needs
    teacher: Teacher

    @classmethod
    def of(cls, instance: PartitionInstance) -> Learnt:
        """Nothing, of any options between which the values of an instance pass."""
        return cls.between(instance.boundaries)

    @classmethod
    def between(cls, boundaries: Sequence[Boundary]) -> Learnt:
        """Nothing, of any options between which these values pass."""
        needs = Needs(boundaries)
        return cls([], {}, needs, Teacher(needs))


class _ByConflicts:
    """Over loads and the conflicts of options, which are learnt from plans whose layouts need more,
    until all plans of the front need no more."""

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

    def run(self, beside: Sequence[PartitionPlan] = ()) -> Front:
        """`beside`: plans that are known, which may be points."""
        learnt, plans = self._learnt.conflicts, list(beside)
        while True:
            known = [measures_of(plan_cost(plan), counts_segments=self._counts) for plan in plans]
            paths = kept_paths(
                *(self._instance, self._deadline, learnt, known), by_segments=self._by_segments
            )
            ends = self._new(paths.ends, known)
            found, more = self._plans(ends)
            plans += found
            if not more:
                break
            learnt += more
        loads = undominated([*known, *map(self._measures, ends)], lambda load: load)
        if paths.untried is not None:
            peak, cost, segments = paths.untried
            loads.append((peak, cost, segments * self._counts))
        front = _front(plans, loads, is_complete=False, counts_segments=self._counts)
        is_complete = front.reaches_loads and paths.untried is None
        return replace(front, is_complete=is_complete)

    def _new(self, ends: Iterable[EndPath], known: Sequence[Measures]) -> list[EndPath]:
        """Those that no other one dominates, and that no known plan is as good as."""
        both = [(measures, None) for measures in known]
        rows = [*both, *((self._measures(end), end) for end in ends)]
        return [end for _, end in undominated(rows, lambda row: row[0]) if end is not None]

    def _measures(self, end: EndPath) -> Measures:
        return end.peak, end.cost, end.segments * self._counts

    def _plans(self, ends: Iterable[EndPath]) -> tuple[list[PartitionPlan], list[Conflict]]:
        """Of these paths, and what those teach that need more than their regions."""
        plans, learnt = [], list[Conflict]()
        for end in ends:
            options = tuple(self._instance.options[number] for number in end.numbers)
            layout = self._layout(end.region, options, learnt)
            if layout is not None:
                self._learnt.layouts[options] = layout
                if self._instance.goal.fits(layout.region_bytes + end.kept):
                    plans.append(PartitionPlan(options, layout))
        return plans, learnt

    def _layout(
        self, region: int, options: tuple[Option, ...], learnt: list[Conflict]
    ) -> Layout | None:
        """One that takes no more than the region; where there is none, which is learnt, or time is
        over, another one if it is known or found quickly."""
        found, is_over = self._learnt.layouts.get(options), self._deadline.is_over
        if found is None and (is_over or not any(option.rolls for option in options)):
            found = lay_out_quickly(options, self._instance.boundaries)
        if is_over or (found is not None and found.region_bytes <= region):
            return found
        is_told = any(it.region > region and it.holds(options) for it in learnt)
        return (None if is_told else self._decided(region, options, learnt)) or found

    def _decided(
        self, region: int, options: tuple[Option, ...], learnt: list[Conflict]
    ) -> Layout | None:
        """Within the region; where orders do not decide, the smallest one that is found."""
        needs, teacher = self._learnt.needs, self._learnt.teacher
        known = teacher.soon(self._instance, options, region, self._deadline)
        if known:
            learnt += known
            return None
        soon = needs.soon(options, region)
        if soon is not None:
            return soon
        try:
            fit = needs.fit(options, region, self._deadline)
        except Undecided:
            limited = SolveParams(time_limit_s=self._deadline.share(_UNDECIDED).left_s)
            laid_out = lay_out(options, self._instance.boundaries, limited, region)
            if laid_out.bound > region:
                learnt.append(Conflict(options, laid_out.bound))
            return laid_out.layout
        if fit.places is not None:
            return needs.layout(options, fit.places)
        first, needed = options[: fit.stop], fit.needed
        learnt += teacher.conflicts_of(self._instance, first, region, needed, self._deadline)
        return None
