"""The exact Pareto front of a model on a board: every budget at which the optimum changes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from splitopt.planning.build_plan import split_plan_of
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.switching import Switching
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import undominated
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.lazy_front import kept_for_front, wanted_beside
from splitopt.solvers.partition.option_pool import OptionName, OptionPool
from splitopt.solvers.partition.pareto import Front, improved_front, pareto_front

_PRUNING = 0.5
"""How much of the time may go into finding the options that the front uses."""


_WITHOUT_RESIDENTS = (
    "The front is one without pieces that are resident in the main SRAM; a budget of its own may "
    "have a quicker plan."
)


@dataclass(frozen=True)
class PlanFront:
    """Plans by falling peak, none of which another one dominates in peak RAM, added instructions
    and, where it counts, number of cuts. `is_complete`: it is proved that none is missing."""

    plans: tuple[SplitPlan, ...]
    is_complete: bool


def plan_front(planner: Planner, request: PlanRequest, *, counts_pieces: bool = False) -> PlanFront:
    """All undominated plans; the request's limits hold, its weights play no part.

    `counts_pieces`: whether their number is a third measure. If not, of plans that are equal in
    peak and added instructions, one of few pieces is kept as far as that costs no search.

    Where every plan adds something, none of these has a segment that needs more than the unsplit
    model, because leaving the model whole adds nothing. Where plans with every piece in its
    cheapest way put more into a memory than that holds, plans are found peak by peak, and those
    that only fewer cuts speak for are missing.

    Raises UsageError where a sum leaves 64 bits.
    """
    started = time.monotonic()
    table = planner.table
    whole = (0, len(table.graph.ops))
    goal = replace(request.goal, ram_weight=1, cost_weight=0)
    deadline = Deadline(request.params.time_limit_s)
    planner.prepare(request, deadline)
    pruner = planner.pruner(replace(request, goal=goal))
    is_bounded = request.allowed[whole] and pruner.least_cost >= 0
    most_peak = table.ram(*whole) if is_bounded else None
    kept = kept_for_front(
        pruner.pool,
        goal,
        deadline.share(_PRUNING),
        most_peak,
        counts_segments=counts_pieces,
    )
    instance = planner.instance(kept.names, goal, is_cheapest=True)
    front = pareto_front(instance, _left(request, deadline), counts_segments=counts_pieces)
    if not (kept.is_complete and table.is_complete):
        least = pruner.bound if table.is_complete else 0
        front = front.unproved([(least, pruner.least_cost, int(counts_pieces))])
    elif not front.reaches_loads:
        front = _beside(front, kept.names, planner, pruner.pool, request, goal, deadline)
    if not all(instance.fits_stores(point.plan.options) for point in front.points):
        return _peak_by_peak(planner, request, deadline)
    spent_s = time.monotonic() - started
    plans = tuple(
        split_plan_of(
            table,
            point.plan,
            goal,
            point.status,
            cost=point.cost.peak,
            bound=point.bound,
            solve_s=spent_s,
        )
        for point in front.points
    )
    return _without_residents(PlanFront(plans, front.is_complete), table.techniques.switching)


def _without_residents(front: PlanFront, switching: Switching) -> PlanFront:
    """Says what is missing where pieces may be resident in the main SRAM: plans that add less than
    one of the same peak. They have no lower peak, unless nothing may be built again."""
    if not switching.may_reside:
        return front
    plans = tuple(replace(plan, notes=(*plan.notes, _WITHOUT_RESIDENTS)) for plan in front.plans)
    adds_nothing = all(plan.added_insn <= 0 for plan in plans) and switching.may_rebuild
    return PlanFront(plans, front.is_complete and adds_nothing)


def _beside(
    front: Front,
    kept: Sequence[OptionName],
    planner: Planner,
    pool: OptionPool,
    request: PlanRequest,
    goal: Goal,
    deadline: Deadline,
) -> Front:
    """The front over all options, where layouts of those that loads need miss their loads."""
    among = set(kept)
    while True:
        wanted = wanted_beside(front, pool, goal, deadline)
        is_new = not among.issuperset(wanted.names)
        if not planner.table.is_complete or not (wanted.is_complete or is_new):
            return front.unproved(front.loads)
        if is_new:
            among.update(wanted.names)
            instance = planner.instance(sorted(among), goal, is_cheapest=True)
            front = improved_front(instance, front, _left(request, deadline))
        if wanted.is_complete:
            return front


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
    return PlanFront(tuple(plans), is_complete=False)


def _bound(plan: SplitPlan) -> int:
    """Of the peak of any plan that adds no more: one of a lower peak adds more, where proved."""
    return plan.peak_ram_bytes if plan.status is Status.OPTIMAL else 0


def _left(request: PlanRequest, deadline: Deadline) -> SolveParams:
    return replace(request.params, time_limit_s=deadline.left_s)
