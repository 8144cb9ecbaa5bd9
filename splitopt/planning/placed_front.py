"""The exact front over the places that boundary tensors may have: the fronts of all, merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from splitopt.planning.pareto_front import PlanFront, plan_front
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.unfinished import Unfinished, unfinished
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
    fitting = [_fitting(front, planner.table) for front in fronts]
    left = next((front.unfinished for front in fitting if not front.is_complete), None)
    found = undominated(
        (plan for front in fitting for plan in front.plans),
        lambda plan: (
            plan.peak_ram_bytes,
            plan.added_insn,
            *([len(plan.segments)] if counts_pieces else []),
        ),
    )
    plans = found if left is None else [_proved_to(plan, fronts, left) for plan in found]
    return PlanFront(tuple(reversed(plans)), left)


def _fitting(front: PlanFront, table: SegmentTable) -> PlanFront:
    """Without plans for which a memory is too small."""
    fits = tuple(
        plan
        for plan in front.plans
        if all(memory.used_bytes <= memory.bytes for memory in plan.memories)
    )
    if len(fits) == len(front.plans):
        return front
    left = front.unfinished or unfinished(table, None, cause="places")
    return PlanFront(fits, left)


def _proved_to(plan: SplitPlan, fronts: Sequence[PlanFront], left: Unfinished) -> SplitPlan:
    """The plan with a bound of the peak of all plans that add no more, in any place. `left`: what
    was not looked at in them."""
    bound = min(plan.bound, *(_bound(front, plan) for front in fronts))
    if plan.status is Status.OPTIMAL and bound >= plan.peak_ram_bytes:
        return plan
    own = plan.unfinished or left
    return replace(plan, status=Status.FEASIBLE, bound=bound, unfinished=own)


def _bound(front: PlanFront, plan: SplitPlan) -> int:
    """Of what adds no more than the plan, in this place: the lowest peak of its front that does,
    if that is complete; else the bound of a plan of it that adds at least as much; 0 where none
    does."""
    if front.is_complete:
        within = (own for own in front.plans if own.added_insn <= plan.added_insn)
        return min((own.bound for own in within), default=plan.peak_ram_bytes)
    rising = sorted(front.plans, key=lambda own: own.added_insn)
    return next((own.bound for own in rising if own.added_insn >= plan.added_insn), 0)
