"""The exact front over the places that boundary tensors may have: the fronts of all, merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from splitopt.planning.pareto_front import PlanFront, plan_front
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.dominance import undominated
from splitopt.solvers.outcome import Status


def placed_front(
    planner: Planner, request: PlanRequest, *, counts_pieces: bool = False
) -> PlanFront:
    """As `plan_front`, boundary tensors in the main SRAM or in any place that a memory beside it
    has for them. Of plans that are equal in what counts, the first place is taken.

    A plan that puts more into a memory than that has is left out; then the front is not complete.
    Raises as `plan_front`.
    """
    outsides = planner.table.techniques.switching.outsides
    if len(outsides) == 1:
        return plan_front(planner, request, counts_pieces=counts_pieces)
    limit_s = request.params.time_limit_s / len(outsides)
    own = replace(request, params=replace(request.params, time_limit_s=limit_s))
    fronts = [
        plan_front(planner.placing(outside), own, counts_pieces=counts_pieces)
        for outside in outsides
    ]
    fitting = [_fitting(front) for front in fronts]
    is_complete = all(front.is_complete for front in fitting)
    found = undominated(
        (plan for front in fitting for plan in front.plans),
        lambda plan: (
            plan.peak_ram_bytes,
            plan.added_insn,
            *([len(plan.segments)] if counts_pieces else []),
        ),
    )
    plans = found if is_complete else [_unproved(plan, fronts) for plan in found]
    return PlanFront(tuple(reversed(plans)), is_complete)


def _fitting(front: PlanFront) -> PlanFront:
    """Without plans for which a memory is too small."""
    fits = tuple(
        plan
        for plan in front.plans
        if all(memory.used_bytes <= memory.bytes for memory in plan.memories)
    )
    return PlanFront(fits, front.is_complete and len(fits) == len(front.plans))


def _unproved(plan: SplitPlan, fronts: Sequence[PlanFront]) -> SplitPlan:
    """The plan with a bound of the peak of all plans that add no more, in any place."""
    bounds = [plan.bound, *(_bound(front, plan) for front in fronts)]
    return replace(plan, status=Status.FEASIBLE, bound=min(bounds))


def _bound(front: PlanFront, plan: SplitPlan) -> int:
    """Of what adds no more than the plan, in this place: the bound of a plan of its front that adds
    at least as much; where none does, the lowest peak, if that is known."""
    if front.is_complete:
        return min((own.peak_ram_bytes for own in front.plans), default=plan.bound)
    rising = sorted(front.plans, key=lambda own: own.added_insn)
    return next((own.bound for own in rising if own.added_insn >= plan.added_insn), 0)
