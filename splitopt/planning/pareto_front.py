"""The exact Pareto front of a model on a board: every budget at which the optimum changes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from splitopt.planning.build_plan import split_plan_of
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.lazy_front import kept_for_front
from splitopt.solvers.partition.pareto import pareto_front

_PRUNING = 0.5
"""How much of the time may go into finding the options that the front uses."""


@dataclass(frozen=True)
class PlanFront:
    """Plans by falling peak, none of which another one dominates in peak RAM, added instructions
    and number of cuts. `is_complete`: it is proved that none is missing."""

    plans: tuple[SplitPlan, ...]
    is_complete: bool


def plan_front(planner: Planner, request: PlanRequest) -> PlanFront:
    """All undominated plans; the request's limits hold, its weights play no part.

    Where every plan adds something, none of these has a segment that needs more than the unsplit
    model, because leaving the model whole adds nothing.

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
    kept = kept_for_front(pruner.pool, goal, deadline.share(_PRUNING), most_peak)
    params = replace(request.params, time_limit_s=deadline.left_s)
    front = pareto_front(planner.instance(kept.names, goal), params)
    spent_s = time.monotonic() - started
    plans = tuple(
        split_plan_of(
            table,
            point.plan,
            goal,
            point.status,
            cost=point.cost.peak,
            bound=point.load,
            solve_s=spent_s,
        )
        for point in front.points
    )
    is_complete = kept.is_complete and table.is_complete and front.is_complete
    return PlanFront(plans, is_complete)
