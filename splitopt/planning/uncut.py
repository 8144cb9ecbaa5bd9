"""The model in one piece, where that is all there is to find."""

from __future__ import annotations

from dataclasses import replace

from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.switching import OUTSIDE
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.plan import plan_cost
from splitopt.solvers.partition.solve import solve as solve_partition


def uncut_plan(planner: Planner, request: PlanRequest, deadline: Deadline) -> SplitPlan | None:
    """The model in one piece that runs once, on all rows, where that adds nothing and fits: of
    lowest peak, which an offline plan may give it. None where that is not to be had."""
    table = planner.table
    whole = 0, len(table.graph.ops)
    if not request.allowed[whole]:
        return None
    table.begin(deadline)
    goal = replace(request.goal, ram_weight=1, cost_weight=0)
    memory = table.figures(*whole).memory
    least = table.ram(*whole) - memory.head_bytes + memory.peak_load_bytes
    if OUTSIDE in table.techniques.switching.places:
        least = int(table.ram_bound[whole] - table.spared_bytes[whole])
    if not goal.fits(least):
        return None  # not even under an offline plan
    ends = table.nodes.whole
    names = [(*ends, 0), (*ends, 1)] if table.techniques.offline_plans else [(*ends, 0)]
    every = planner.instance(names, goal)
    instance = replace(every, options=tuple(option for option in every.options if option.cost <= 0))
    outcome = solve_partition(instance, replace(request.params, time_limit_s=deadline.left_s))
    if outcome.plan is None:
        return None
    check_plan(instance, outcome.plan, outcome.cost)
    cost = request.goal.weigh(outcome.cost or 0, plan_cost(outcome.plan).added)
    return planner.built(replace(outcome, cost=cost, bound=cost), request)
