"""A sweep file → its points, each a whole job of its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from splitopt.base.errors import SplitoptError, UsageError
from splitopt.base.files import open_file
from splitopt.config.board import find_board
from splitopt.config.given import Given
from splitopt.config.job import Job, job_of, load_job
from splitopt.config.sweep import MAX_POINTS, RangeSpec, SweepSpec

FRONT, BUDGET = "front", "budget"
_NOTHING = Given()


@dataclass(frozen=True)
class Point:
    """A cell of the grid: a job with the grid's values in it.

    `kind` `front`: all budgets at once. `job` is None where the values do not go together (a
    budget beyond the board's SRAM): `error` says why.
    """

    id: str
    kind: str
    file: Path
    overrides: dict[str, Any]
    job: Job | None
    error: str | None = None


def expand(
    path: Path, spec: SweepSpec, given: Given = _NOTHING, *, allow_commands: bool = False
) -> tuple[Point, ...]:
    """The points in the file's order, budgets falling, so that neighbours can share plans; each
    under what the command line says beside the file.

    Raises UsageError for a job, board or model that does not exist, and for too many points.
    """
    cells = list(_cells(path, spec))
    if len(cells) > MAX_POINTS:
        raise UsageError(f"{path}: $.grid: {len(cells):,} points; at most {MAX_POINTS:,} are run")
    width = max(4, len(str(len(cells))))
    kind = FRONT if spec.grid.is_auto else BUDGET
    loaded = {file: load_job(file) for file, _ in cells}
    loaded = {file: {**keys, **given.over(keys)} for file, keys in loaded.items()}
    return tuple(
        _point(str(number).zfill(width), kind, file, loaded[file], overrides, allow_commands)
        for number, (file, overrides) in enumerate(cells, 1)
    )


def _point(
    name: str,
    kind: str,
    file: Path,
    loaded: dict[str, Any],
    overrides: dict[str, Any],
    allow_commands: bool,
) -> Point:
    try:
        job = job_of(file, loaded, overrides, allow_commands=allow_commands)
        return Point(name, kind, file, overrides, job)
    except UsageError as error:
        if "budget_bytes" not in overrides or "$.budget_bytes" not in str(error):
            raise
        return Point(name, kind, file, overrides, None, str(error))


def _cells(path: Path, spec: SweepSpec) -> Iterator[tuple[Path, dict[str, Any]]]:
    grid, home = spec.grid, path.parent
    jobs = [Path(os.path.normpath(home / name)) for name in _listed(spec.job)]
    for number, job in enumerate(jobs):
        if not job.is_file():
            raise UsageError(f"{path}: $.job{_at(spec.job, number)}: no such file: {job}")
    axes: list[list[tuple[str, Any]]] = [
        [("model", {"path": str(_model(path, k, name))}) for k, name in _numbered(grid.model)],
        [("board", _board(path, k, name)) for k, name in _numbered(grid.board)],
        [("objective", o.model_dump()) for _, o in _numbered(grid.objective)],
        [("pieces", {"max": most}) for _, most in _numbered(grid.max_pieces)],
        [("budget_bytes", budget) for budget in _budgets(spec)],
    ]
    for job in jobs:
        for cell in product(*(axis or [("", None)] for axis in axes)):
            yield job, {key: value for key, value in cell if key}


def _listed(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _numbered(value: Any) -> Sequence[tuple[int, Any]]:
    return [] if value is None else list(enumerate(_listed(value)))


def _at(value: Any, number: int) -> str:
    return f"[{number}]" if isinstance(value, tuple) else ""


def _model(path: Path, number: int, name: str) -> Path:
    found = (path.parent / name).resolve()
    if not found.is_file():
        raise UsageError(f"{path}: $.grid.model[{number}]: no such file: {path.parent / name}")
    return found


def _board(path: Path, number: int, name: str) -> str:
    try:
        found = find_board(name, path.parent)
    except SplitoptError as error:
        text = str(error).removeprefix("$.board: ")
        raise UsageError(f"{path}: $.grid.board[{number}]: {text}") from error
    if not found.is_file():
        raise UsageError(f"{path}: $.grid.board[{number}]: no such file: {found}")
    return str(found.resolve())


def _budgets(spec: SweepSpec) -> list[int]:
    """Falling, as a plan that fits a small budget fits a larger one."""
    given = spec.grid.budget_bytes
    if given is None or isinstance(given, str):
        return []
    values = given.values if isinstance(given, RangeSpec) else _listed(given)
    return sorted(values, reverse=True)


def content_key(path: Path, points: Sequence[Point], facts: dict[str, Any]) -> str:
    """A hash of all that decides the sweep's results, by which an interrupted sweep is found."""
    digest = hashlib.sha256(repr(sorted(facts.items())).encode())
    for point in points:
        job = point.job
        digest.update(repr((point.id, point.kind, str(point.file), point.overrides)).encode())
        if job is not None:
            digest.update(job.spec.model_dump_json().encode())
            digest.update(job.board.model_dump_json().encode())
            digest.update(_digest_of(job.model_path).encode())
    return digest.hexdigest()


def _digest_of(path: Path) -> str:
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"
