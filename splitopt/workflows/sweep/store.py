"""A sweep's folder while it is under way, and its last step into its final name.

Each point is one file, renamed into place, so a process may die at any moment: what was finished is
found again by the same command. The folder is found by the content of the sweep, and locked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.json_input import load_json_lines
from splitopt.bundle.documents import json_text, row_lines
from splitopt.bundle.folder import claim_name
from splitopt.bundle.load import MOST_BYTES, MOST_POINTS, record_of_data
from splitopt.bundle.schema.sweep import Record
from splitopt.workflows.sweep.record import Made

_PREFIX = ".unfinished-"
_POINTS, _LOCK = "points", "lock"


class SweepStore:
    """`folder` holds `points/ID.jsonl` and `plans/ID/`; `done` is read when it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._points = folder / _POINTS
        self._points.mkdir(exist_ok=True)
        self.done: dict[str, list[Record]] = dict(_finished(self._points))
        self.resumed = len(self.done)

    def keep(self, point: str, made: Sequence[Made]) -> None:
        """A point's rows with their plans, all or nothing; a point that is done stays."""
        if point in self.done:
            return
        for one in made:
            if one.plan is not None:
                folder = self.folder / "plans" / one.row.id
                folder.mkdir(parents=True, exist_ok=True)
                assert one.memory is not None, "made with the plan"
                _write(folder / "plan.json", json_text(one.plan))
                _write(folder / "memory.json", json_text(one.memory))
        self.replace_rows(point, [one.row for one in made])

    def replace_rows(self, point: str, rows: list[Record]) -> None:
        """Rows that have learnt something, where their bundles are, say."""
        _write(self._points / f"{point}.jsonl", row_lines(rows))
        self.done[point] = rows

    def rows(self, order: Sequence[str]) -> list[Record]:
        return [row for point in order for row in self.done.get(point, ())]

    def finish(self, home: Path) -> Path:
        """Gives the folder its final name, which no other folder has. Raises ToolError."""
        shutil.rmtree(self._points)
        (self.folder / _LOCK).unlink(missing_ok=True)
        return claim_name(self.folder, home)


@contextmanager
def open_store(home: Path, key: str) -> Iterator[SweepStore]:
    """The folder of this sweep's unfinished work. Raises UsageError where it is being worked on."""
    folder = home / f"{_PREFIX}{key[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise ToolError(
            f"{folder}: cannot be written ({error.strerror}); pass another --out"
        ) from error
    try:
        _lock(lock, folder)
        yield SweepStore(folder)
    except OSError as error:
        where = error.filename or folder
        raise ToolError(f"{where}: cannot be written or read ({error.strerror})") from error
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    for attempt in range(10):  # workers of a killed process take a moment to follow it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if attempt < 9:
                time.sleep(0.1)
    raise UsageError(f"{folder}: another process is running this sweep; wait for it, or stop it")


def _finished(points: Path) -> Iterator[tuple[str, list[Record]]]:
    """What can be read of a killed process; the rest is done again."""
    for path in sorted(points.glob("*.jsonl")):
        try:
            lines = load_json_lines(path, MOST_BYTES, MOST_POINTS)
            rows = [record_of_data(data, where) for where, data in lines]
        except UsageError:
            continue
        if rows:
            yield path.stem, rows


def _write(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)
