"""The best plan over the places that boundary tensors may have, and over how these share a memory
with the images in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from splitopt.planning.outside import Outside
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan, UsedMemory
from splitopt.planning.unfinished import unfinished
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.plan import PartitionPlan

Found = SplitPlan | Outcome[PartitionPlan]
"""A plan; the proof that there is none; or neither (UNKNOWN)."""


_FIRST = 0.6
"""How much of the time all in the main SRAM may take; the other places share the rest."""


class Finder(Protocol):
    """A planner."""

    @property
    def table(self) -> SegmentTable: ...
    def find_here(self, request: PlanRequest, deadline: Deadline) -> Found: ...
    def placing(self, outside: Outside) -> Finder: ...


def best_placed(finder: Finder, request: PlanRequest, deadline: Deadline) -> Found:
    """The best plan of all places, the main SRAM first; of equally good ones, the first. All are
    searched, for what is better than what was found before, so that a bound holds for all."""
    outsides, found = finder.table.techniques.switching.outsides, list[Found]()
    goal = request.goal
    for number, outside in enumerate(outsides):
        own = deadline.share(_FIRST if number == 0 else 1 / (len(outsides) - number))
        made = _fitting(finder.placing(outside), replace(request, goal=goal), own)
        if isinstance(made, SplitPlan):
            goal, made = _better_than(made), replace(made, goal=request.goal)
        found.append(made)
    return _best(finder.table, found, request)


def _better_than(plan: SplitPlan) -> Goal:
    """The plan's goal, within limits that every better plan keeps."""
    goal = plan.goal
    if not goal.cost_weight and plan.peak_ram_bytes:
        return replace(goal, capacity=plan.peak_ram_bytes - 1)
    if not goal.ram_weight and plan.added_insn > 0:
        return replace(goal, max_cost=plan.added_insn - 1)
    return goal


def _fitting(finder: Finder, request: PlanRequest, deadline: Deadline) -> Found:
    """The best plan that puts no more into a memory than it has.

    Where the best of all puts more there, let b bytes of it be boundary tensors. Another plan has
    fewer of them there, or images for which b bytes less are left: both parts are searched. A plan
    whose boundary tensors take as much, but leave fewer gaps, is in neither: without it, nothing
    is proved.
    """
    found = finder.find_here(request, deadline)
    full = None if isinstance(found, Outcome) else _full(found)
    if isinstance(found, Outcome) or full is None:
        return found
    if deadline.is_over:
        return Outcome(Status.UNKNOWN, bound=found.bound)
    memory, parts = found.memories[full], _parts(finder, full, found.memories[full])
    best = _best(finder.table, [_fitting(p, request, deadline) for p in parts], request)
    images = memory.used_bytes - memory.boundary_bytes
    if images + memory.load_bytes > memory.bytes:
        return best
    if isinstance(best, SplitPlan):
        return _proved_to(finder.table, best, min(found.bound, best.bound), Status.FEASIBLE)
    return Outcome(Status.UNKNOWN, bound=found.bound)


def _full(plan: SplitPlan) -> int | None:
    """The number of a memory that the plan puts too much into."""
    numbered = enumerate(plan.memories)
    return next((k for k, memory in numbered if memory.used_bytes > memory.bytes), None)


def _parts(finder: Finder, number: int, memory: UsedMemory) -> Iterator[Finder]:
    """Planners for plans with fewer bytes of boundary tensors in that memory, and for those with
    fewer of images."""
    outside, count = finder.table.outside, len(finder.table.techniques.switching.memories)

    def limited(limits: tuple[int, ...], default: int, limit: int) -> tuple[int, ...]:
        known = limits or (default,) * count
        return (*known[:number], limit, *known[number + 1 :])

    most = limited(outside.most, memory.bytes, memory.load_bytes - 1)
    yield finder.placing(replace(outside, most=most))
    if memory.boundary_bytes < memory.used_bytes and memory.boundary_bytes <= memory.bytes:
        least = limited(outside.least, 0, memory.boundary_bytes)
        yield finder.placing(replace(outside, least=least))


def _best(table: SegmentTable, found: Sequence[Found], request: PlanRequest) -> Found:
    """The best of what was found in parts that together hold all plans."""
    plans = [own for own in found if isinstance(own, SplitPlan)]
    bounds: list[int] = [plan.bound for plan in plans]
    is_open = False
    for own in found:
        if isinstance(own, Outcome) and own.status is Status.UNKNOWN:
            is_open = True
            least = request.goal.weigh(0, -table.whole_invoke(0, len(table.graph.ops)))
            bounds.append(least if own.bound is None else own.bound)
    if not plans:
        status = Status.UNKNOWN if is_open else Status.INFEASIBLE
        return Outcome(status, bound=min(bounds, default=None))
    best = min(plans, key=lambda plan: (plan.cost, len(plan.segments), plan.copied_bytes))
    is_proved = not is_open and all(plan.status is Status.OPTIMAL for plan in plans)
    status = Status.OPTIMAL if is_proved else Status.FEASIBLE
    return _proved_to(table, best, min(best.cost, *bounds), status)


def _proved_to(table: SegmentTable, plan: SplitPlan, bound: int, status: Status) -> SplitPlan:
    left = None
    if status is not Status.OPTIMAL:
        left = plan.unfinished or unfinished(table, plan.goal.capacity)
    return replace(plan, bound=bound, status=status, unfinished=left)
