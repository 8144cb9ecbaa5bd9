"""The exact Pareto front of a model on a board: every budget at which the optimum changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from splitopt.planning.build_plan import named_option, split_plan_of
from splitopt.planning.planner import Planner
from splitopt.planning.priced_options import kept_pool
from splitopt.planning.request import PlanRequest
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.state import stateful_ops
from splitopt.planning.switching import INSIDE, place_of, without_place
from splitopt.planning.unfinished import Cause, Unfinished, unfinished
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import undominated
from splitopt.solvers.interrupt import is_asked_to_stop
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.kept_front import KeptFront, least_added
from splitopt.solvers.partition.kept_pool import KeptPool
from splitopt.solvers.partition.lazy_front import KeptForFront, kept_for_front, wanted_beside
from splitopt.solvers.partition.option_pool import OptionName
from splitopt.solvers.partition.pareto import Front, Learnt, improved_front, pareto_front
from splitopt.solvers.partition.shortest_paths import NEVER

_PRUNING = 0.5
"""How much of the time may go into finding the options that the front uses."""


@dataclass(frozen=True)
class PlanFront:
    """Plans by falling peak, none of which another one dominates in peak RAM, added instructions
    and, where it counts, number of cuts. `unfinished`: what was not looked at; None where it is
    proved that none is missing."""

    plans: tuple[SplitPlan, ...]
    unfinished: Unfinished | None = None

    @property
    def is_complete(self) -> bool:
        return self.unfinished is None


def plan_front(planner: Planner, request: PlanRequest, *, counts_pieces: bool = False) -> PlanFront:
    """All undominated plans; the request's limits hold, its weights play no part.

    `counts_pieces`: whether their number is a third measure. If not, of plans that are equal in
    peak and added instructions, one of few pieces is kept as far as that costs no search.

    Where every plan adds something, none of these has a segment that needs more than the unsplit
    model, because leaving the model whole adds nothing. Where plans with every piece in its
    cheapest way put more into a memory than that holds, plans are found peak by peak, and those
    that only fewer cuts speak for are missing. Boundary tensors lie where the planner has them; see
    `placed_front` for all places.

    Raises UsageError where a sum leaves 64 bits.
    """
    started = time.monotonic()
    deadline = Deadline(request.params.time_limit_s)
    planner.prepare(request, deadline)
    goal = replace(request.goal, ram_weight=1, cost_weight=0)
    search = _Search(planner, replace(request, goal=goal), deadline, counts_pieces)
    front = search.without_residents()
    if search.fits_stores(front):
        front = search.with_residents(front)
    if not search.fits_stores(front):
        return _peak_by_peak(planner, request, deadline)
    spent_s = time.monotonic() - started
    plans = tuple(
        split_plan_of(
            planner.table,
            point.plan,
            goal,
            point.status,
            cost=point.cost.peak,
            bound=point.bound,
            solve_s=spent_s,
        )
        for point in front.points
    )
    return PlanFront(plans, None if front.is_complete else unfinished(planner.table, None))


class _Search:
    """First over plans that keep nothing in the main SRAM, then over all of them: those that are
    known tell what the others must beat. `counts`: whether pieces do."""

    def __init__(
        self, planner: Planner, request: PlanRequest, deadline: Deadline, counts: bool
    ) -> None:
        self._planner, self._table = planner, planner.table
        self._request, self._goal = request, request.goal
        self._deadline, self._counts = deadline, counts
        self._pruner = planner.pruner(request)
        self._names = set[OptionName]()
        """Options that plans known so far may have."""
        self._learnt = Learnt.of(planner.instance((), request.goal))

    def without_residents(self) -> Front:
        pool, goal, least_cost = self._pruner.pool, self._goal, self._pruner.least_cost
        share, most_peak = self._deadline.share(_PRUNING), self._most_peak(least_cost)
        kept = kept_for_front(pool, goal, share, most_peak, counts_segments=self._counts)
        front = self._over(kept.names)
        if not (kept.is_complete and self._table.is_complete):
            least = self._pruner.bound if self._table.is_complete else 0
            return front.unproved([(least, least_cost, int(self._counts))])
        return self._beside(front, lambda known: wanted_beside(known, pool, goal, self._deadline))

    def with_residents(self, front: Front) -> Front:
        """`front`: without."""
        table, goal = self._table, self._goal
        switching = table.techniques.switching
        may_lower = not switching.may_rebuild or bool(table.nodes.left)
        may_lower |= bool(stateful_ops(table.graph))
        is_least = front.is_complete and all(point.cost.added <= 0 for point in front.points)
        if not switching.may_reside or (is_least and not may_lower):
            return front
        pool = kept_pool(table, self._request.allowed)
        most_peak = self._most_peak(least_added(pool))
        if most_peak is not None and goal.fits(most_peak):
            goal = replace(goal, capacity=most_peak)
        lowest = 0 if may_lower else min((point.bound for point in front.points), default=0)
        search = KeptFront(
            pool,
            goal,
            partial(named_option, table),
            self._deadline,
            counts_segments=self._counts,
            lowest=lowest,
        )
        both, is_first = self._seen_first(front, pool), True
        while True:
            before, self._names = len(self._learnt.conflicts), set(_names(both))
            measures, conflicts = both.measures, self._learnt.conflicts
            kept = search.names(measures, conflicts, only_exact=is_first)
            proved = kept.is_complete and front.is_complete
            is_known = kept.is_exact and self._names.issuperset(kept.names)
            if proved and both.is_complete and is_known and not is_first:
                return both
            both = self._further(kept.names, both)
            if not proved or not (is_first or both.reaches_loads):
                return both.unproved(search.loads(both.measures))
            if len(self._learnt.conflicts) == before and kept.is_exact and not is_first:
                return both
            is_first = False

    def _seen_first(self, front: Front, pool: KeptPool) -> Front:
        """Over the options of a front, and what these are where their pieces are resident. Further
        options that are known without are settled, too."""
        known = self._pruner.pool
        exact = known.names(np.flatnonzero(known.is_exact & (known.ram < NEVER)))
        pool.settle(
            pool.numbers_of(
                (start, stop, without_place(key) | INSIDE) for start, stop, key in exact
            ),
            self._deadline,
        )
        self._names = set(_names(front))
        inside = {(start, stop, key | INSIDE) for start, stop, key in self._names}
        numbers = pool.numbers_of(inside)
        there = {pool.name(number) for number in numbers if pool.is_there(number)}
        return self._further(self._names | there, front)

    def fits_stores(self, front: Front) -> bool:
        """Whether memories hold all that plans put into them."""
        instance = self._planner.instance((), self._goal)
        return all(instance.fits_stores(point.plan.options) for point in front.points)

    def _most_peak(self, least_cost: int) -> int | None:
        """The unsplit model's, where no plan adds less than it does."""
        whole = (0, len(self._table.graph.ops))
        is_bounded = self._request.allowed[whole] and least_cost >= 0
        return self._table.ram(*whole) if is_bounded else None

    def _over(self, more: Iterable[OptionName]) -> Front:
        """Of these options and all before."""
        self._names.update(more)
        instance, counts = self._instance(self._names), self._counts
        return pareto_front(instance, self._left, counts_segments=counts, learnt=self._learnt)

    def _further(self, names: Iterable[OptionName], front: Front) -> Front:
        """Of these options, and of plans that are known."""
        instance, counts = self._instance(names), self._counts
        plans = [point.plan for point in front.points]
        return pareto_front(
            instance, self._left, counts_segments=counts, learnt=self._learnt, beside=plans
        )

    def _beside(self, front: Front, wanted_of: Callable[[Front], KeptForFront]) -> Front:
        """The front over all options, where layouts of those that loads need miss their loads."""
        while not front.reaches_loads:
            wanted = wanted_of(front)
            is_new = not self._names.issuperset(wanted.names)
            if not self._table.is_complete or not (wanted.is_complete or is_new):
                return front.unproved(front.loads)
            if is_new:
                self._names.update(wanted.names)
                front = improved_front(self._instance(self._names), front, self._left, self._learnt)
            if wanted.is_complete:
                break
        return front

    def _instance(self, some: Iterable[OptionName]) -> PartitionInstance:
        """Of these options, each in its cheapest way."""
        names = sorted(some)
        free = [name for name in names if place_of(name[2]) != INSIDE]
        inside = [name for name in names if place_of(name[2]) == INSIDE]
        instance = self._planner.instance(free, self._goal, is_cheapest=True)
        residents = (named_option(self._table, name) for name in inside)
        return replace(instance, options=(*instance.options, *residents))

    @property
    def _left(self) -> SolveParams:
        return replace(self._request.params, time_limit_s=self._deadline.left_s)


def _names(front: Front) -> Iterator[OptionName]:
    """Of the options of its plans, wherever in memories their pieces are."""
    for point in front.points:
        for option in point.plan.options:
            yield option.start, option.stop, option.key | (INSIDE if option.kept else 0)


def _peak_by_peak(planner: Planner, request: PlanRequest, deadline: Deadline) -> PlanFront:
    """The cheapest plan of any peak, then of any lower one, and so on."""
    goal, found = replace(request.goal, ram_weight=0, cost_weight=1), list[SplitPlan]()
    while not deadline.is_over:
        plan = planner.plan(replace(request, goal=goal), deadline)
        if not isinstance(plan, SplitPlan):
            break
        found.append(plan)
        goal = replace(goal, capacity=plan.peak_ram_bytes - 1)
    peak = replace(request.goal, ram_weight=1, cost_weight=0)
    best = undominated(found, lambda plan: (plan.added_insn, plan.peak_ram_bytes))
    plans = (
        replace(plan, goal=peak, cost=plan.peak_ram_bytes, bound=_bound(plan)) for plan in best
    )
    cause: Cause | None = None if deadline.is_over or is_asked_to_stop() else "places"
    return PlanFront(tuple(plans), unfinished(planner.table, None, cause=cause))


def _bound(plan: SplitPlan) -> int:
    """Of the peak of any plan that adds no more: one of a lower peak adds more, where proved."""
    return plan.peak_ram_bytes if plan.status is Status.OPTIMAL else 0
