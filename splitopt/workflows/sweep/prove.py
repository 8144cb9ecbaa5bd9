"""Points of a sweep as bundles: pieces written, run in TFLM and proved equal."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from splitopt.base.errors import SplitoptError
from splitopt.base.progress import Progress
from splitopt.bundle.schema.sweep import PlannedRecord, Record
from splitopt.config.job import Job, read_job
from splitopt.config.sweep import SweepSpec
from splitopt.workflows.run import run_job
from splitopt.workflows.sweep.grid import Point
from splitopt.workflows.sweep.record import with_dominated
from splitopt.workflows.sweep.store import SweepStore


def prove_points(
    spec: SweepSpec, points: Sequence[Point], store: SweepStore, progress: Progress
) -> None:
    """Sets `bundle` and `proved` of the rows that the sweep asks to be proved."""
    if spec.prove == "none":
        return
    rows = with_dominated(
        store.rows([point.id for point in points]), counts_pieces=spec.counts_pieces
    )
    wanted = [r for r in rows if r.plan and (spec.prove == "all" or not r.dominated)]
    names = {row.id for row in wanted if row.proved is None}
    for point in points:
        mine = store.done.get(point.id, [])
        for number, row in enumerate(mine):
            if isinstance(row, PlannedRecord) and row.id in names:
                progress(f"proving {row.id}")
                mine = [*mine[:number], _proved(point, row, store), *mine[number + 1 :]]
                store.replace_rows(point.id, mine)


def _proved(point: Point, row: PlannedRecord, store: SweepStore) -> Record:
    out = store.folder / "bundles" / row.id
    if out.exists():  # of a process that was killed before it noted the proof
        shutil.rmtree(out)
    try:
        result = run_job(_job_of(point, row), out=out)
    except SplitoptError as error:
        return row.model_copy(update={"proved": False, "error": str(error)})
    bundle = result.folder.relative_to(store.folder).as_posix()
    return row.model_copy(update={"bundle": bundle, "proved": result.is_equal})


def _job_of(point: Point, row: PlannedRecord) -> Job:
    """The job whose optimum is this very point: its peak as budget, no cut but its own, least
    time. A plan of fewer of these cuts would dominate it."""
    limits = {
        "budget_bytes": row.peak_ram_bytes,
        "cut": {"allow": list(row.cuts)},
        "objective": {"minimise": "fit"},
    }
    # Programs that it names were allowed when the point was made.
    return read_job(point.file, {**point.overrides, **limits}, allow_commands=True)
