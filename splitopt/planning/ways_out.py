"""Which change of a job without a plan lets its model need less RAM: each is planned, and told only
where it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from splitopt.base.units import added_text, format_bytes, plural
from splitopt.config.job import Job, aiming
from splitopt.config.job_keys import CutSpec
from splitopt.planning.aims import plan_aimed
from splitopt.planning.job_table import techniques_of
from splitopt.planning.planner import Planner
from splitopt.planning.request import Deadline, PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan

_BY_ROWS = "pieces.input: rows, if your application can hand the model's input over row by row"
_EACH = 1 / 4
"""How much of the time that is left each change may take."""

_TECHNIQUES = ("bands", "streams", "offline_plans", "rolled_ends")
_WHOLE_ROUTE = "route: whole, which has bands and streams, too"


@dataclass(frozen=True)
class WayOut:
    """A change of the job, and the plan it leads to: the cheapest within the budget if it `fits`,
    else the lowest."""

    change: str
    plan: SplitPlan
    fits: bool

    def line(self, invoke_insn: int | None) -> str:
        plan = self.plan
        verdict = "fits" if self.fits else "does not fit either"
        return (
            f"{self.change}: {format_bytes(plan.peak_ram_bytes)} in "
            f"{plural(len(plan.segments), 'piece')}, which {verdict}; "
            f"{added_text(plan.added_insn, invoke_insn)}"
        )


def ways_out(
    job: Job,
    table: SegmentTable,
    request_of: Callable[[Job], PlanRequest],
    least_bytes: int | None,
    deadline: Deadline,
) -> tuple[WayOut, ...]:
    """The changes that lead below `least_bytes`, or to any plan where the job has none at any
    budget: those that fit first, by added time, then the others, by peak. What there is no time for
    is left out."""
    found = []
    for change, changed in _changes(job):
        if deadline.is_over:
            break
        planner = Planner(table.under(techniques_of(changed)))
        answer = plan_aimed(planner, request_of(aiming(changed, "fit")), deadline.share(_EACH))
        plan = answer.least if isinstance(answer, Infeasible) else answer
        if not isinstance(plan, SplitPlan):
            continue
        if least_bytes is None or plan.peak_ram_bytes < least_bytes:
            found.append(WayOut(change, plan, plan.peak_ram_bytes <= job.budget_bytes))
    return tuple(sorted(found, key=_rank))


def _rank(way: WayOut) -> tuple[bool, int]:
    return not way.fits, way.plan.added_insn if way.fits else way.plan.peak_ram_bytes


def _changes(job: Job) -> Iterator[tuple[str, Job]]:
    """All techniques taken in that are left out, and each limit lifted, one change at a time."""
    spec = job.spec
    if spec.route == "whole":
        off = [key for key in _TECHNIQUES if not getattr(spec.pieces, key)]
        if off:
            keys = " and ".join(f"pieces.{key}" for key in off)
            yield f"{keys}: true", _with(job, "pieces", dict.fromkeys(off, True))
        if spec.pieces.input == "whole" and spec.pieces.streams:
            yield _BY_ROWS, _with(job, "pieces", {"input": "rows"})
    else:
        whole = spec.model_copy(update={"route": "whole"})
        yield _WHOLE_ROUTE, replace(job, spec=whole)
    if spec.pieces.max is not None:
        yield "no pieces.max", _with(job, "pieces", {"max": None})
    if spec.cut != CutSpec():
        yield "no limits on cuts (cut)", _with(job, "cut", {"allow": None, "forbid": ()})
    if spec.objective.max_added_insn is not None:
        yield "no objective.max_added_insn", _with(job, "objective", {"max_added_insn": None})


def _with(job: Job, section: str, update: Mapping[str, Any]) -> Job:
    changed = getattr(job.spec, section).model_copy(update=update)
    return replace(job, spec=job.spec.model_copy(update={section: changed}))
