"""A sweep from its file to its folder: points solved anywhere, kept one by one, then reported."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from splitopt.base.build import build
from splitopt.base.errors import SplitoptError, ToolError, UsageError
from splitopt.base.json_input import frozen
from splitopt.bundle.documents import dump
from splitopt.bundle.folder import command_line, now_utc, sha256_of, versions
from splitopt.bundle.load import load_sweep
from splitopt.bundle.schema import sweep as schema
from splitopt.bundle.schema.sweep import Record, Sweep
from splitopt.config.board import readable_boards
from splitopt.config.given import Given
from splitopt.config.job import Job
from splitopt.config.own import folder_name, results_folder
from splitopt.config.sweep import SweepSpec, read_sweep
from splitopt.convert.open_model import ModelSource, open_model
from splitopt.planning.job_table import pricing_of
from splitopt.verify.probe import PROVE_NONE, require_runnable
from splitopt.workflows.plan import Prepared, prepare
from splitopt.workflows.sweep.dask_cluster import run_dask
from splitopt.workflows.sweep.front import Front, fronts_of
from splitopt.workflows.sweep.grid import FRONT, Point, content_key, expand
from splitopt.workflows.sweep.local_pool import run_local
from splitopt.workflows.sweep.prove import prove_points
from splitopt.workflows.sweep.record import Made, failed, made_of, with_dominated
from splitopt.workflows.sweep.store import SweepStore, open_store
from splitopt.workflows.sweep.task import Answer, Target, Task
from splitopt.workflows.sweep.written import write_results

Notify = Callable[["Progress"], None]


@dataclass(frozen=True)
class Progress:
    """How far a sweep is. `last`: the row that came last."""

    done: int
    total: int
    step: str = ""
    last: Record | None = None


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep: its folder, its rows in the grid's order, and sweep.json."""

    folder: Path
    rows: tuple[Record, ...]
    document: Sweep

    @property
    def fronts(self) -> tuple[Front, ...]:
        """The undominated points of each model and board."""
        return fronts_of(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """sweep.json, with the folder."""
        return {**dump(self.document), "run_dir": str(self.folder)}

    @property
    def has_failed(self) -> bool:
        """Whether every point failed."""
        return all(row.status == "FAILED" for row in self.rows)

    def require(self) -> None:
        """Raises where every point failed: UsageError where none got so far as to be planned,
        ToolError otherwise."""
        if not self.has_failed:
            return
        error = f"{self.document.path}: every point failed; the first: {self.rows[0].error}"
        is_planned = any(row.unsplit_ram_bytes is not None for row in self.rows)
        failure = (ToolError if is_planned else UsageError)(error)
        failure.facts = self.to_dict()
        raise failure


def run_sweep(
    path: Path,
    *,
    given: Given | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    allow_commands: bool = False,
    notify: Notify = lambda _: None,
) -> SweepResult:
    """Runs what is not done yet; the folder appears under `out` (or the sweep's). `given`: what
    replaces keys of its jobs.

    Where another process runs this very sweep, waits for it and returns what it found. Raises
    SplitoptError for a wrong sweep file, ToolError for a cluster that does not answer or is lost;
    a point that fails is a row.
    """
    spec, given = read_sweep(path), given or Given()
    if given != Given() and spec.job != path.name:
        raise UsageError(f"{path}: a sweep has its own jobs; want no {given.words[0]} with it")
    points = expand(path, spec, given, allow_commands=allow_commands)
    home = results_folder(spec.out, out, str(path)) / folder_name(path.stem, str(path))
    facts = {
        "versions": sorted(versions().items()),
        "build": build(),
        "prove": spec.prove,
        "measures": spec.measures,
    }
    key = content_key(path, points, facts)
    with open_store(home, key, lambda step: notify(Progress(0, len(points), step))) as store:
        if isinstance(store, Path):
            found = load_sweep(store)
            return SweepResult(store, found.records, found.sweep)
        return _Sweep(path, spec, points, key, store, notify).run(home, workers)


@dataclass
class _Sweep:
    """The work of one sweep; models are opened once for all points that share them."""

    path: Path
    spec: SweepSpec
    points: tuple[Point, ...]
    key: str
    store: SweepStore
    notify: Notify
    execution: str = field(default_factory=lambda: uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    sources: dict[str, ModelSource | SplitoptError] = field(default_factory=dict)
    prepared: dict[str, Prepared | SplitoptError] = field(default_factory=dict)

    def run(self, home: Path, workers: int | None) -> SweepResult:
        self.solve(workers)
        prove_points(
            self.spec, self.points, self.store, lambda step: self.notify(self.progress(step))
        )
        rows = with_dominated(
            self.store.rows([point.id for point in self.points]),
            counts_pieces=self.spec.counts_pieces,
        )
        document = self.document(rows)
        self.notify(self.progress("writing the report"))
        self.store.drop_unnamed(rows)
        write_results(self.store.folder, document, rows)
        return SweepResult(self.store.finish(home), tuple(rows), document)

    def progress(self, step: str = "", last: Record | None = None) -> Progress:
        return Progress(len(self.store.done), len(self.points), step, last)

    def solve(self, workers: int | None) -> None:
        """Every point that has no row yet."""
        by_id = {point.id: point for point in self.points}
        tasks: list[Task] = []
        models: dict[str, bytes] = {}
        for point in self.points:
            if point.id in self.store.done:
                continue
            task = self._task(point, models)
            if isinstance(task, Task):
                tasks.append(task)
            else:
                self._keep(point, [failed(point, task)])
        if not tasks:
            return
        self.notify(self.progress("solving"))
        for answer in self._answers(tasks, models, workers):
            self._keep(by_id[answer.id], self._made(by_id[answer.id], answer))

    def _made(self, point: Point, answer: Answer) -> list[Made]:
        """Rows of an answer. A shared plan is written again where the point that had it first has
        another by now, as when a cluster lost it and solved it elsewhere."""
        prepared = self._prepared(point)
        assert isinstance(prepared, Prepared), "a task was made of it"
        made = list(made_of(point, prepared, answer))
        if answer.shared_from is None or not any(self.store.refusal(one.row) for one in made):
            return made
        return list(made_of(point, prepared, replace(answer, shared_from=None)))

    def _answers(
        self, tasks: Sequence[Task], models: Mapping[str, bytes], workers: int | None
    ) -> Iterator[Answer]:
        if self.spec.executor == "dask" and self.spec.scheduler is not None:
            return run_dask(tasks, models, self.spec.scheduler)
        return run_local(tasks, models, workers or self.spec.workers)

    def _keep(self, point: Point, made: Sequence[Made]) -> None:
        self.store.keep(point.id, made)
        self.notify(self.progress("solving", made[-1].row if made else None))

    def _task(self, point: Point, models: dict[str, bytes]) -> Task | str:
        """The point as a task, or the sentence that says why it cannot be solved."""
        if point.job is None:
            return point.error or "not a job"
        prepared = self._prepared(point)
        if isinstance(prepared, SplitoptError):
            return str(prepared)
        try:
            request = prepared.request(point.job)
        except SplitoptError as error:
            return str(error)
        if point.kind == FRONT:
            request = request.without_capacity()
        digest = sha256_of(prepared.graph.source)
        models[digest] = prepared.graph.source
        target = Target(digest, pricing_of(point.job))
        counts = self.spec.counts_pieces
        return Task(self.execution, point.id, point.kind, target, request, counts)

    def _prepared(self, point: Point) -> Prepared | SplitoptError:
        job = point.job
        assert job is not None, "asked for points that are jobs"
        key = repr((_source_key(job), job.board, pricing_of(job)))
        if key not in self.prepared:
            self.prepared[key] = self._prepare(job)
        return self.prepared[key]

    def _prepare(self, job: Job) -> Prepared | SplitoptError:
        key = _source_key(job)
        try:
            if key not in self.sources:
                self.notify(self.progress(f"opening {job.model_path.name}"))
                self.sources[key] = self._open(job)
            source = self.sources[key]
            return source if isinstance(source, SplitoptError) else prepare(job, source)
        except SplitoptError as error:
            self.sources.setdefault(key, error)
            return error

    def _open(self, job: Job) -> ModelSource:
        source = open_model(job)
        if self.spec.prove != "none":
            require_runnable(job, source, way_out=PROVE_NONE)
        return source

    def document(self, rows: Sequence[Record]) -> Sweep:
        return Sweep(
            name=self.path.stem,
            path=str(self.path),
            key=self.key,
            settings=frozen(self.spec.model_dump(mode="json")),
            points=len(rows),
            counts=dict(Counter(row.status for row in rows)),
            fronts=self._fronts(rows),
            resumed_points=self.store.resumed,
            wall_s=round(time.monotonic() - self.started, 3),
            solver_s=round(sum(row.solver_s for row in rows), 3),
            versions=versions(),
            command=command_line(),
            created_utc=now_utc(),
        )

    def _fronts(self, rows: Sequence[Record]) -> tuple[schema.Front, ...]:
        swept = {point.job.board.name: point.job.board for point in self.points if point.job}
        return tuple(
            front.entry(swept[front.board], readable_boards(self.path)) for front in fronts_of(rows)
        )


def _source_key(job: Job) -> str:
    spec = job.spec
    model = str(job.model_path), spec.model.io
    shaped = spec.calibration, spec.preprocess, sorted(spec.input_shapes.items())
    return repr((*model, str(job.file.parent), *shaped))
