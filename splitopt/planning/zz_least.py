"""The least peak RAM that any set of cuts can reach, and the cheapest cuts that reach it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from splitopt.config.job import Job
from splitopt.graph.model import ModelGraph
from splitopt.planning.planner import Planner
from splitopt.planning.request import request_of
from splitopt.planning.split_plan import Infeasible, PlannedSegment, SplitPlan


@dataclass(frozen=True)
class PieceFact:
    """One piece of the split with the least peak; ops [start, stop)."""

    index: int
    start: int
    stop: int
    ram_bytes: int
    arena_bytes: int
    boundary_bytes: int
    head_bytes: int
    fragmentation_bytes: int
    tail_bytes: int


@dataclass(frozen=True)
class LeastPeak:
    """`status` OPTIMAL: proved, no set of cuts gets lower. `added_status`: none that reaches it
    adds fewer instructions (OPTIMAL), or none was found in time (FEASIBLE)."""

    peak_ram_bytes: int
    status: str
    cuts: tuple[int, ...]
    added_insn: int
    added_status: str
    pieces: tuple[PieceFact, ...]
    exact: bool

    @property
    def is_proved(self) -> bool:
        return self.status == "OPTIMAL"


def least_peak(planner: Planner, graph: ModelGraph, job: Job) -> LeastPeak | str:
    """The answer, or one sentence on why there is none. `job`: one without limits.

    Raises UsageError for a model of more ops than are planned.
    """
    request = request_of(graph, job).without_capacity()
    found = planner.plan(request)
    if isinstance(found, Infeasible):
        return "No piece of this model has both an input and an output that can be handed over."
    if not isinstance(found, SplitPlan):
        return f"No cuts were found within {request.params.time_limit_s:g} s, none were ruled out."
    goal = replace(request.goal, ram_weight=0, cost_weight=1, capacity=found.peak_ram_bytes)
    cheap = planner.plan(replace(request, goal=goal))
    if not isinstance(cheap, SplitPlan):
        return _described(found, found.status.name, "FEASIBLE")
    return _described(cheap, found.status.name, cheap.status.name)


def _described(plan: SplitPlan, status: str, added_status: str) -> LeastPeak:
    return LeastPeak(
        peak_ram_bytes=plan.peak_ram_bytes,
        status=status,
        cuts=plan.cuts,
        added_insn=plan.added_insn,
        added_status=added_status,
        pieces=tuple(_piece(segment) for segment in plan.segments),
        exact=plan.exact,
    )


def _piece(segment: PlannedSegment) -> PieceFact:
    arena = segment.figures.arena
    return PieceFact(
        index=segment.index,
        start=segment.start,
        stop=segment.stop,
        ram_bytes=segment.ram_bytes,
        arena_bytes=segment.figures.arena_bytes,
        boundary_bytes=segment.boundary_bytes,
        head_bytes=arena.head_bytes,
        fragmentation_bytes=arena.fragmentation_bytes,
        tail_bytes=arena.tail_bytes,
    )
