"""A sweep's folder while it is under way, and its last step into its final name.

Each point is one file, renamed into place, so a process may die at any moment: what was finished is
found again by the same command. The folder is found by the content of the sweep, and locked.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.json_input import load_json_lines
from splitopt.bundle.documents import json_text, read_document, row_lines
from splitopt.bundle.folder import claim_name
from splitopt.bundle.load import MOST_BYTES, MOST_POINTS, record_of_data
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.sweep import PlannedRecord, Record, Sweep
from splitopt.workflows.sweep.lock import Waiting, alone_in
from splitopt.workflows.sweep.record import Made

_PREFIX = ".unfinished-"
Figures = tuple[str, int, int, int, tuple[int, ...]]
"""(status, peak RAM in bytes, added instructions, pieces, cuts)."""


class SweepStore:
    """`work` holds `points/ID.jsonl`, which only resuming needs, and `result/`, the finished
    sweep's `folder` in the making; `done` is read when it is opened."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.folder = work / "result"
        self._points = work / "points"
        if not self.folder.exists():  # or it has its final name, and what is left is of no use
            shutil.rmtree(self._points, ignore_errors=True)
        self.folder.mkdir(exist_ok=True)
        self._points.mkdir(exist_ok=True)
        self._plans: dict[str, Figures] = {}
        self.done: dict[str, list[Record]] = {}
        for point, rows in sorted(_readable(self._points)):
            if not any(self._is_orphan(row) for row in rows):
                self.done[point] = rows
        self.resumed = len(self.done)

    def keep(self, point: str, made: Sequence[Made]) -> None:
        """A point's rows with their plans, all or nothing; a point that is done stays.

        Raises ToolError for a row that `refusal` refuses.
        """
        if point in self.done:
            return
        for one in made:
            if one.plan is not None:
                folder = self.folder / "plans" / one.row.id
                folder.mkdir(parents=True, exist_ok=True)
                assert one.memory is not None, "made with the plan"
                self._write(folder / "plan.json", json_text(one.plan))
                self._write(folder / "memory.json", json_text(one.memory))
                self._plans.pop(f"plans/{one.row.id}/plan.json", None)
            refused = self.refusal(one.row)
            if refused is not None:
                raise ToolError(f"{self.folder}: point {one.row.id}: {refused}; it is not written")
        self.replace_rows(point, [one.row for one in made])

    def refusal(self, row: Record) -> str | None:
        """Why a row must not be written: it shares with a point that is not here, or its figures
        are not those of its plan file."""
        if row.shared_from is not None and row.shared_from not in self.done:
            return f"shared from point {row.shared_from}, which is not in this sweep's folder"
        if not isinstance(row, PlannedRecord):
            return None
        try:
            found = self._figures(row.plan)
        except UsageError as error:
            return str(error)
        want = (row.status, row.peak_ram_bytes, row.added_insn, row.pieces, row.cuts)
        return None if found == want else f"{row.plan} holds {found}, its row says {want}"

    def _is_orphan(self, row: Record) -> bool:
        """Whether the plan of a row that is done is not there, or not its own."""
        return self.refusal(row.model_copy(update={"shared_from": None})) is not None

    def _figures(self, path: str) -> Figures:
        """Of a plan file. Raises UsageError where it is absent or broken."""
        if path not in self._plans:
            plan = read_document(self.folder / path, Plan)
            cuts = tuple(sorted({segment.start for segment in plan.segments} - {0}))
            figures = (plan.status, plan.peak_ram_bytes, plan.added_insn, len(plan.segments), cuts)
            self._plans[path] = figures
        return self._plans[path]

    def replace_rows(self, point: str, rows: list[Record]) -> None:
        """Rows that have learnt something, where their bundles are, say."""
        self._write(self._points / f"{point}.jsonl", row_lines(rows))
        self.done[point] = rows

    def rows(self, order: Sequence[str]) -> list[Record]:
        return [row for point in order for row in self.done.get(point, ())]

    def drop_unnamed(self, rows: Sequence[Record]) -> None:
        """Removes plans and bundles of which no row speaks, as killed processes leave them."""
        named = {
            PurePath(path).parts[:2] for row in rows for path in (row.plan, row.bundle) if path
        }
        for folder in (*self.folder.glob("plans/*"), *self.folder.glob("bundles/*")):
            if folder.relative_to(self.folder).parts not in named:
                shutil.rmtree(folder)

    def finish(self, home: Path) -> Path:
        """Gives `folder` its final name, which no other folder has. Raises ToolError."""
        try:
            return claim_name(self.folder, home)
        finally:
            if not self.folder.exists():
                shutil.rmtree(self.work, ignore_errors=True)

    def _write(self, path: Path, text: str) -> None:
        partial = self.work / "partial"
        partial.write_text(text, "utf-8")
        partial.replace(path)


@contextmanager
def open_store(home: Path, key: str, waiting: Waiting) -> Iterator[SweepStore | Path]:
    """The folder of this sweep's unfinished work, locked; or, where another process had the lock
    and has finished the sweep meanwhile, the folder of what it found. Raises ToolError."""
    work = home / f"{_PREFIX}{key[:16]}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        before = set(home.iterdir())
        with alone_in(work, waiting) as has_waited:
            finished = _finished(set(home.iterdir()) - before, key) if has_waited else None
            if finished is None:
                work.mkdir(exist_ok=True)
            yield finished or SweepStore(work)
    except OSError as error:
        where = error.filename or work
        raise ToolError(
            f"{where}: cannot be written or read ({error.strerror}); pass another --out"
        ) from error


def _finished(folders: set[Path], key: str) -> Path | None:
    for folder in sorted(folders):
        document = folder / "sweep.json"
        is_sweep = not folder.name.startswith(".") and document.exists()
        if is_sweep and read_document(document, Sweep).key == key:
            return folder
    return None


def _readable(points: Path) -> Iterator[tuple[str, list[Record]]]:
    """What can be read of a killed process; the rest is done again."""
    for path in points.glob("*.jsonl"):
        try:
            lines = load_json_lines(path, MOST_BYTES, MOST_POINTS)
            rows = [record_of_data(data, where) for where, data in lines]
        except UsageError:
            continue
        if rows:
            yield path.stem, rows
