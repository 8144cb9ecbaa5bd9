"""From an open model to the optimum over its cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from splitopt.base.errors import INTERRUPTED, ToolError
from splitopt.base.progress import Progress
from splitopt.base.text import html_table
from splitopt.base.units import format_bytes, format_insn, plural
from splitopt.config.job import Job, aiming, job_from
from splitopt.config.objective import Aim
from splitopt.convert.cut_names import cut_names, fused_away
from splitopt.convert.names.record import Correspondence
from splitopt.convert.open_model import ModelSource, open_model
from splitopt.graph.model import ModelGraph
from splitopt.planning.aims import plan_aimed
from splitopt.planning.allowed_cuts import CutNames, absent_cuts
from splitopt.planning.job_table import segment_options
from splitopt.planning.lower_bound import SingleOpBound, limiting_sentence, single_op_bound
from splitopt.planning.planner import Planner
from splitopt.planning.refusals import infeasible
from splitopt.planning.request import Deadline, PlanRequest, request_of
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.short_memories import missing
from splitopt.planning.split_plan import Infeasible, PlannedSegment, SplitPlan
from splitopt.planning.unfinished import cause_of
from splitopt.planning.unsplit import Baseline, HandCuts, by_hand, unsplit
from splitopt.planning.ways_out import ways_out
from splitopt.solvers.interrupt import is_asked_to_stop
from splitopt.solvers.outcome import Outcome
from splitopt.solvers.partition.plan import PartitionPlan
from splitopt.workflows.choices import OWN, Choice, choices
from splitopt.workflows.interrupt import ends_on_interrupt

if TYPE_CHECKING:  # loaded where models are converted
    from splitopt.convert.integer_io import IntegerIo


_Answer = SplitPlan | Infeasible | Outcome[PartitionPlan]
_ONLY_WHOLE = "the ONNX model cannot be cut there, so that only route: whole can use it"


@dataclass(frozen=True)
class Prepared:
    """A model on its target, before any cut is chosen. `names`: of the ONNX model it came from;
    `io`: how its ends became integers, where the job asks for that."""

    graph: ModelGraph
    names: Correspondence | None
    table: SegmentTable
    baseline: Baseline
    io: IntegerIo | None = None

    @cached_property
    def single_op_bound(self) -> SingleOpBound:
        return single_op_bound(self.table)

    @property
    def _cut_names(self) -> CutNames:
        return CutNames(cut_names(self.graph, self.names), fused_away(self.names))

    def request(self, job: Job, segments: npt.NDArray[np.bool_] | None = None) -> PlanRequest:
        """`segments`: those that the ONNX model has, too, which route `pieces` is limited to.
        Raises UsageError for cuts that the model does not have."""
        whole = self.baseline.ram_bytes, self.baseline.share_insn
        asked = request_of(self.graph, job, self._cut_names, whole)
        if segments is None or job.spec.route != "pieces":
            return asked
        return replace(asked, allowed=asked.allowed & segments)

    def absent_cuts(self, job: Job, segments: npt.NDArray[np.bool_] | None) -> tuple[str, ...]:
        """A sentence on cuts of `cut.allow` that only the int8 model has; empty without any."""
        absent = () if segments is None else absent_cuts(self.graph, job, self._cut_names, segments)
        named = ", ".join(map(repr, absent))
        return (f"cut.allow {named}: {_ONLY_WHOLE}",) if absent else ()


def prepare(job: Job, source: ModelSource) -> Prepared:
    """The job's model with its segment table and its unsplit figures, ready to be planned."""
    table = segment_options(job, source.graph)
    return Prepared(source.graph, source.names, table, unsplit(table), source.io)


@dataclass(frozen=True, repr=False)
class Planned:
    """A plan with what it was made on; no piece is written. Bytes, and estimated instructions.
    `choices`: the plans that were to be had, its own among them, where they were asked for."""

    graph: ModelGraph
    table: SegmentTable
    planner: Planner
    plan: SplitPlan
    baseline: Baseline
    by_hand: tuple[HandCuts, ...]
    is_interrupted: bool = False
    choices: tuple[Choice, ...] = ()

    @property
    def limit(self) -> str:
        return limiting_sentence(self.graph, self.table, self.plan)

    @property
    def peak_ram_bytes(self) -> int:
        return self.plan.peak_ram_bytes

    @property
    def unsplit_ram_bytes(self) -> int:
        return self.baseline.ram_bytes

    @property
    def added_insn(self) -> int:
        return self.plan.added_insn

    @property
    def segments(self) -> tuple[PlannedSegment, ...]:
        return self.plan.segments

    @property
    def cuts(self) -> tuple[int, ...]:
        """Ops before which it cuts, rising."""
        return self.plan.cuts

    def __repr__(self) -> str:
        return f"<Planned {plan_line(self.baseline, self.plan)}>"

    def _repr_html_(self) -> str:
        return plan_html(plan_line(self.baseline, self.plan), self.plan)


def plan(
    job: Job | str | Path, *, allow_commands: bool = False, progress: Progress = lambda _: None
) -> Planned:
    """Chooses the cuts of the job's model, proves the choice, and writes nothing.

    `job`: a job, or the path of a job file, whose programs run only with `allow_commands`.
    The result has `peak_ram_bytes`, `unsplit_ram_bytes`, `added_insn` (estimated instructions
    added to each inference), `cuts` and `segments`; `plan.status` says whether it is proved.

    Raises UsageError and ModelError for wrong input, InfeasibleError where no plan fits the
    budget, ToolError where a tool fails or time runs out.

    >>> from splitopt import Job
    >>> model = "configs/models/squeeze_digits_int8.tflite"
    >>> plan(Job.of(model=model, board="corstone300_64k", objective={"minimise": "smallest"}))
    <Planned 52,944 B unsplit, 12,320 B in 6 pieces, OPTIMAL>
    """
    job = job_from(job, allow_commands=allow_commands)
    source = open_model(job, progress)
    allowed = None
    if job.spec.route == "pieces":
        from splitopt.pieces.onnx_route import OnnxRoute

        allowed = OnnxRoute(job, source, progress).allowed
    return plan_job(job, source, progress, allowed)


def plan_line(baseline: Baseline, plan: SplitPlan) -> str:
    """`52,944 B unsplit, 12,320 B in 6 pieces, OPTIMAL`."""
    return (
        f"{format_bytes(baseline.ram_bytes)} unsplit, {format_bytes(plan.peak_ram_bytes)} in "
        f"{plural(len(plan.segments), 'piece')}, {plan.status.name}"
    )


def plan_html(caption: str, plan: SplitPlan) -> str:
    """A table of the pieces, for notebooks."""
    rows = [
        (
            f"{segment.index:02d}",
            f"{segment.start}-{segment.stop - 1}",
            _runs(segment),
            format_bytes(segment.figures.arena_bytes),
            format_bytes(segment.boundary_bytes),
            format_bytes(segment.ram_bytes),
            format_insn(segment.added_insn),
        )
        for segment in plan.segments
    ]
    header = ("piece", "ops", "runs", "arena", "boundary", "RAM", "added insn (estimate)")
    return html_table(caption, header, rows)


def _runs(segment: PlannedSegment) -> str:
    stream, bands = segment.figures.stream, len(segment.figures.executions)
    if stream is not None:
        return f"streamed, {plural(len(stream.groups), 'group')}, {stream.stream.invokes} Invokes"
    return plural(bands, "band") if bands else "once"


def plan_job(
    job: Job,
    source: ModelSource,
    progress: Progress = lambda _: None,
    segments: npt.NDArray[np.bool_] | None = None,
    *,
    keep_interrupted: bool = False,
    with_choices: bool = False,
) -> Planned:
    """Chooses the cuts of the job's model, out of `segments` where given ([start, stop] is true).

    `with_choices`: plans of the other aims, too. `keep_interrupted`: Ctrl-C ends the planning with
    the best plan so far, if there is one. Raises SplitoptError.
    """
    prepared = prepare(job, source)
    planner = Planner(prepared.table, progress)
    deadline = Deadline(job.spec.solve.time_limit_s)

    def request_of(job: Job) -> PlanRequest:
        return prepared.request(job, segments)

    absent = prepared.absent_cuts(job, segments)
    for note in absent:
        progress(f"note: {note}")

    def aimed(aim: Aim) -> PlanRequest:
        return request_of(aiming(job, aim))

    aim = job.spec.objective.minimise
    found: tuple[Choice, ...] = ()
    with ends_on_interrupt(keep_interrupted, progress):
        own = deadline.share(OWN) if with_choices else deadline
        answer = plan_aimed(planner, aimed(aim), own)
        plan = _found(job, prepared, _noted(answer, absent), request_of, deadline)
        if with_choices:
            mine = aim, plan
            found = choices(prepared.graph, planner, mine, aimed, deadline, progress)
            plan = next(choice.plan for choice in found if choice.aim == aim)
        return Planned(
            graph=prepared.graph,
            table=prepared.table,
            planner=planner,
            plan=plan,
            baseline=prepared.baseline,
            by_hand=by_hand(prepared.table, len(plan.segments), aimed(aim), deadline),
            is_interrupted=is_asked_to_stop(),
            choices=found,
        )


def _noted(answer: _Answer, notes: tuple[str, ...]) -> _Answer:
    """With these notes on the plan, else on the least one."""
    if isinstance(answer, SplitPlan):
        return replace(answer, notes=(*answer.notes, *notes))
    if isinstance(answer, Infeasible) and answer.least is not None:
        least = replace(answer.least, notes=(*answer.least.notes, *notes))
        return replace(answer, least=least)
    return answer


def _found(
    job: Job,
    prepared: Prepared,
    answer: _Answer,
    request_of: Callable[[Job], PlanRequest],
    deadline: Deadline,
) -> SplitPlan:
    """The plan. Raises InfeasibleError and ToolError where there is none, KeyboardInterrupt where
    none was found before an interrupt."""
    if isinstance(answer, SplitPlan):
        return answer
    if isinstance(answer, Infeasible):
        table, least = prepared.table, answer.least
        lacks = missing(job, table, request_of(job), deadline.share(1 / 2))
        least_bytes = None if least is None else least.peak_ram_bytes
        ways = ways_out(job, table, request_of, least_bytes, deadline)
        error = infeasible(job, table, answer, prepared.baseline, ways, lacks)
        error.exit_code = INTERRUPTED if is_asked_to_stop() else error.exit_code
        raise error
    if is_asked_to_stop():
        raise KeyboardInterrupt
    if cause_of(prepared.table) == "memory":
        raise ToolError(
            f"{job.file}: no plan was found, and none was ruled out: tables of bands are full; "
            "raise budget_bytes, or set pieces.bands: false"
        )
    raise ToolError(
        f"{job.file}: no plan was found within {job.spec.solve.time_limit_s:g} s, and none was "
        "ruled out; raise --time-limit (solve.time_limit_s)"
    )
