"""The plans that one run chooses from: the cheapest that fits, the balanced and the smallest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from splitopt.base.progress import Progress, within
from splitopt.config.objective import Aim
from splitopt.graph.model import ModelGraph
from splitopt.pieces.piece_set import cut_flatbuffer
from splitopt.planning.aims import plan_aimed
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline, PlanRequest
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.interrupt import is_asked_to_stop

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
    deadline are left out. All share what was settled for `own`."""
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
    order = sorted(plans, key=lambda aim: (*AIMS, "weighted").index(aim))
    return tuple(Choice(aim, plans[aim], _flash_bytes(graph, plans[aim])) for aim in order)


def _flash_bytes(graph: ModelGraph, plan: SplitPlan) -> int:
    """Of its pieces' files."""
    return sum(len(data) for files in cut_flatbuffer(graph, plan).files for data in files)
