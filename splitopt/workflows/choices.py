"""The plans that one run chooses from: the cheapest that fits, the balanced and the smallest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from splitopt.base.progress import Progress, within
from splitopt.config.objective import Aim
from splitopt.graph.model import ModelGraph
from splitopt.pieces.piece_set import cut_flatbuffer
from splitopt.planning.aims import plan_aimed
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline, PlanRequest
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.interrupt import is_asked_to_stop
from splitopt.solvers.outcome import Status
from splitopt.solvers.partition.instance import Goal

AIMS: tuple[Aim, ...] = ("fit", "balanced", "smallest")
OWN = 0.6
"""How much of the time goes into the plan that the job aims at."""
_QUICKEST_FIRST: tuple[Aim, ...] = ("balanced", "smallest", "fit")


@dataclass(frozen=True)
class Choice:
    """A plan, by what it aims at; its files would take `flash_bytes`."""

    aim: Aim
    plan: SplitPlan
    flash_bytes: int


def choices(
    graph: ModelGraph,
    planner: Planner,
    own: tuple[Aim, SplitPlan],
    request_of: Callable[[Aim], PlanRequest],
    deadline: Deadline,
    progress: Progress,
) -> tuple[Choice, ...]:
    """The three, and the job's own where that is none of them; those that were not found by the
    deadline are left out. All share what was settled for `own`. Where one is not proved, the best
    of the others takes its place if that is better."""
    plans = dict([own])
    for aim in _QUICKEST_FIRST:
        if aim in plans or deadline.is_over or is_asked_to_stop():
            continue
        within(progress, aim)("planning")
        request = request_of(aim)
        if aim == "smallest":  # no higher than what is known; less is left to look at
            least = min(plan.peak_ram_bytes for plan in plans.values())
            request = replace(request, goal=replace(request.goal, capacity=least))
        found = plan_aimed(planner, request, deadline.share(1 / 2))
        if isinstance(found, SplitPlan):
            plans[aim] = found
    plans = {aim: best_known(plan, plans.values()) for aim, plan in plans.items()}
    order = sorted(plans, key=lambda aim: (*AIMS, "weighted").index(aim))
    return tuple(Choice(aim, plans[aim], _flash_bytes(graph, plans[aim])) for aim in order)


def best_known(plan: SplitPlan, known: Iterable[SplitPlan]) -> SplitPlan:
    """By what `plan` aims at: itself, or one of the known plans if that keeps its limits."""
    if plan.status is Status.OPTIMAL:
        return plan
    best = min(
        (plan, *(own for own in known if _keeps(own, plan.goal))), key=partial(_rank, plan.goal)
    )
    if best is plan:
        return plan
    cost = plan.goal.weigh(best.peak_ram_bytes, best.added_insn)
    return replace(
        best,
        status=plan.status,
        goal=plan.goal,
        cost=cost,
        bound=min(plan.bound, cost),
        solve_s=plan.solve_s,
        unfinished=plan.unfinished,
    )


def _keeps(plan: SplitPlan, limits: Goal) -> bool:
    most = limits.max_cost, limits.max_segments
    amounts = plan.added_insn, len(plan.segments)
    within = (limit is None or own <= limit for limit, own in zip(most, amounts, strict=True))
    return limits.fits(plan.peak_ram_bytes) and all(within)


def _rank(goal: Goal, plan: SplitPlan) -> tuple[int, int, int]:
    """What counts first, then what else is wanted less of."""
    value = goal.weigh(plan.peak_ram_bytes, plan.added_insn)
    return value, plan.added_insn, plan.peak_ram_bytes


def _flash_bytes(graph: ModelGraph, plan: SplitPlan) -> int:
    """Of its pieces' files."""
    return sum(len(data) for files in cut_flatbuffer(graph, plan).files for data in files)
