"""splitopt sweep: a sweep file to its folder, or one job to its Pareto front."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from splitopt.base.errors import InfeasibleError
from splitopt.config.given import Given
from splitopt.config.job import Job
from splitopt.convert.open_model import open_model
from splitopt.planning.placed_front import placed_front
from splitopt.planning.planner import Planner
from splitopt.workflows.plan import prepare
from splitopt.workflows.sweep.front import Front, fronts_of
from splitopt.workflows.sweep.grid import FRONT, Point
from splitopt.workflows.sweep.record import made_of, with_dominated
from splitopt.workflows.sweep.run import Notify, SweepResult, run_sweep
from splitopt.workflows.sweep.task import Answer


@overload
def sweep(what: Job, *, counts_pieces: bool = False) -> Front: ...


@overload
def sweep(
    what: str | Path,
    *,
    given: Given | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    allow_commands: bool = False,
    notify: Notify = lambda _: None,
) -> SweepResult: ...


def sweep(
    what: Job | str | Path,
    *,
    given: Given | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    allow_commands: bool = False,
    notify: Notify = lambda _: None,
    counts_pieces: bool = False,
) -> Front | SweepResult:
    """Plans over budgets: every budget of one job, or what a sweep file asks for.

    Of a job: its exact Pareto front of peak RAM in bytes and added instructions (estimated), with
    `counts_pieces` of their number, too; nothing is written. The job's budget plays no part, its
    other limits hold. Of a sweep file, or of a job file or model, which stand for a sweep over all
    budgets under `given`: all its points; they go to a new folder below `out` (default: the
    sweep's), and `SweepResult.fronts` has a front for each model and board. A sweep that was
    stopped is continued. `workers`: processes, default one for each core; `notify`: told of
    progress. `allow_commands`: whether programs that its jobs name may run.

    Raises UsageError for a wrong file or limits out of range, ModelError for a model that cannot
    be cut, InfeasibleError where no cuts keep a job's limits, ToolError where a cluster fails.

    >>> from splitopt import read_job
    >>> front = sweep(read_job("configs/jobs/squeeze_digits.yaml"))
    >>> front.points[0].peak_ram_bytes, front.points[-1].peak_ram_bytes
    (52944, 12320)
    """
    if not isinstance(what, Job):
        return run_sweep(
            Path(what),
            given=given,
            out=out,
            workers=workers,
            allow_commands=allow_commands,
            notify=notify,
        )
    prepared = prepare(what, open_model(what))
    request = prepared.request(what).without_capacity()
    found = placed_front(Planner(prepared.table), request, counts_pieces=counts_pieces)
    if not found.plans:
        raise InfeasibleError(f"{what.file}: no plan keeps the limits of the job")
    point = Point("1", FRONT, what.file, {}, what)
    cause = None if found.unfinished is None else found.unfinished.cause
    answer = Answer(point.id, found.plans, is_complete=found.is_complete, cause=cause)
    rows = [made.row for made in made_of(point, prepared, answer)]
    return fronts_of(with_dominated(rows, counts_pieces=counts_pieces))[0]
