"""Which memory beside the main SRAM keeps a job from having a plan, or which way of switching that
the job leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from splitopt.base.units import format_bytes
from splitopt.config.job import Job
from splitopt.planning.job_table import switching_of
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline, PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.switching import Switching, TailMemory

_WAYS = ("rebuild", "resident", "restore")
_PLENTY = 1 << 30


@dataclass(frozen=True)
class ShortMemory:
    """A memory of `bytes`, of which a plan within the job's other limits takes `needed_bytes`."""

    name: str
    bytes: int
    needed_bytes: int


@dataclass(frozen=True)
class Missing:
    """What a plan would need: more of `memories`; `ways` of switching that the job leaves out."""

    memories: tuple[ShortMemory, ...]
    ways: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        if self.ways:
            yield f"pieces.switching with {' and '.join(self.ways)}, which the job leaves out"
        for memory in self.memories:
            yield (
                f"more of memory {memory.name}, which is too small: it has "
                f"{format_bytes(memory.bytes)}, and a plan takes "
                f"{format_bytes(memory.needed_bytes)} of it"
            )


def missing(
    job: Job, table: SegmentTable, request: PlanRequest, deadline: Deadline
) -> Missing | None:
    """For a job without a plan: one memory that is too small, or else all; or else the ways of
    switching that are left out. None where no plan has any of these, or time is over."""
    own = table.techniques.switching
    known_ways = _WAYS if job.board.holds("saved_tails") else _WAYS[:-1]
    ways = tuple(way for way in known_ways if way not in job.spec.pieces.switching)
    every = switching_of(job.board, _WAYS)
    for left_out, known in (((), own), (ways, every if ways else own)):
        names = [memory.name for memory in known.memories]
        if left_out:
            found = _planned(table, known, request, deadline)
            if found is not None:
                return Missing((), left_out)
        if not names or _planned(table, _enlarged(known, names), request, deadline) is None:
            continue
        for some in (*([name] for name in names), names):
            switching = _enlarged(known, some)
            found = _planned(table, switching, request, deadline)
            if found is not None:
                return Missing(tuple(_short(known.memories, found)), left_out)
    return None


def _enlarged(switching: Switching, names: Sequence[str]) -> Switching:
    memories = tuple(
        replace(memory, bytes=_PLENTY) if memory.name in names else memory
        for memory in switching.memories
    )
    return replace(switching, memories=memories)


def _planned(
    table: SegmentTable, switching: Switching, request: PlanRequest, deadline: Deadline
) -> SplitPlan | None:
    if deadline.is_over:
        return None
    planner = Planner(table.under(replace(table.techniques, switching=switching)))
    goal = replace(request.goal, ram_weight=0, cost_weight=1)
    found = planner.find(replace(request, goal=goal, with_ties=False), deadline)
    return found if isinstance(found, SplitPlan) else None


def _short(memories: Sequence[TailMemory], plan: SplitPlan) -> Iterator[ShortMemory]:
    for memory, used in zip(memories, plan.memories, strict=True):
        if used.used_bytes > memory.bytes:
            yield ShortMemory(memory.name, memory.bytes, used.used_bytes)
