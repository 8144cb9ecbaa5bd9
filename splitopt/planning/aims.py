"""What a job aims at, as one question to the planner after the other.

`fit`: the least added time within the budget, of plans that add as little the lowest peak, of these
the fewest pieces. A model that fits in one piece is not cut. `smallest`: the lowest peak, then the
least added time, then the fewest pieces. `balanced`: the least sum, but a model that fits in one
piece is not cut for less than a tenth of its own sum. `weighted` is one question.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from splitopt.planning.planner import Answer, Planner
from splitopt.planning.request import Deadline, PlanRequest
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.uncut import uncut_plan
from splitopt.planning.unfinished import unfinished
from splitopt.solvers.outcome import Status
from splitopt.solvers.partition.instance import Goal

_FIRST = 0.7
"""How much of the time goes into what counts first."""

LEAST_GAIN = Fraction(1, 10)
"""Of its own sum, for which `balanced` cuts a model that fits in one piece."""


def plan_aimed(planner: Planner, request: PlanRequest, deadline: Deadline | None = None) -> Answer:
    """The plan that a request aims at; as `Planner.plan`.

    Of `fit` and `smallest`, cost and bound are those of what counts first. Where that is proved and
    the rest is not, they are equal, and the status is FEASIBLE.
    """
    deadline = deadline or Deadline(request.params.time_limit_s)
    found = _aimed(planner, request, deadline)
    if not isinstance(found, Infeasible) or found.least is None:
        return found
    least = found.least  # the cheapest of that peak says what such a budget would cost
    goal = replace(request.goal, ram_weight=0, cost_weight=1, capacity=least.peak_ram_bytes)
    cheapest = planner.plan(replace(request, goal=goal), deadline)
    is_better = isinstance(cheapest, SplitPlan) and cheapest.added_insn <= least.added_insn
    if not isinstance(cheapest, SplitPlan) or not is_better:
        return found
    peak = least.peak_ram_bytes
    told = replace(
        cheapest,
        status=least.status,
        goal=least.goal,
        cost=peak,
        bound=least.bound,
        unfinished=least.unfinished,
    )
    return replace(found, least=told)


def _aimed(planner: Planner, request: PlanRequest, deadline: Deadline) -> Answer:
    if request.aim == "balanced":
        return _balanced(planner, request, deadline)
    if request.aim == "weighted":
        return planner.plan(request, deadline)
    if request.aim == "fit":
        uncut = uncut_plan(planner, request, deadline)
        if uncut is not None:
            return uncut
    first = planner.plan(replace(request, with_ties=False), deadline.share(_FIRST))
    if not isinstance(first, SplitPlan):
        return first
    goal = _then(request.goal, first)
    second = planner.plan(replace(request, goal=goal), deadline)
    return _both(planner, first, second)


def _balanced(planner: Planner, request: PlanRequest, deadline: Deadline) -> Answer:
    """The least sum; the uncut model where that fits and cuts gain little."""
    found = planner.plan(request, deadline)
    if not isinstance(found, SplitPlan):
        return found
    uncut = uncut_plan(planner, request, deadline)
    if uncut is None or found.cost <= uncut.cost * (1 - LEAST_GAIN):
        return found
    if found.status is Status.OPTIMAL or found.bound > uncut.cost * (1 - LEAST_GAIN):
        return uncut
    return replace(
        uncut,
        status=Status.FEASIBLE,
        bound=min(found.bound, uncut.cost),
        unfinished=found.unfinished,
    )


def _then(goal: Goal, first: SplitPlan) -> Goal:
    """What decides between plans that are as good as the first in what counts first."""
    if goal.cost_weight:
        most = first.added_insn if goal.max_cost is None else min(first.added_insn, goal.max_cost)
        return replace(goal, ram_weight=1, cost_weight=0, max_cost=max(0, most))
    return replace(goal, ram_weight=0, cost_weight=1, capacity=first.peak_ram_bytes)


def _both(planner: Planner, first: SplitPlan, second: Answer) -> SplitPlan:
    """The second plan under what counts first; the first one where that is better."""
    key = _by_cost if first.goal.cost_weight else _by_peak
    best = first
    if isinstance(second, SplitPlan) and key(second) <= key(first):
        best = second
    is_proved = isinstance(second, SplitPlan) and second.status is Status.OPTIMAL
    is_proved &= first.status is Status.OPTIMAL and best is second
    left = None
    if not is_proved:
        left = first.unfinished or unfinished(planner.table, first.goal.capacity)
    return replace(
        best,
        status=Status.OPTIMAL if is_proved else Status.FEASIBLE,
        goal=first.goal,
        cost=key(best)[0],
        bound=min(first.bound, key(best)[0]),
        solve_s=first.solve_s + (second.solve_s if isinstance(second, SplitPlan) else 0),
        unfinished=left,
    )


def _by_cost(plan: SplitPlan) -> tuple[int, int]:
    return plan.added_insn, plan.peak_ram_bytes


def _by_peak(plan: SplitPlan) -> tuple[int, int]:
    return plan.peak_ram_bytes, plan.added_insn
