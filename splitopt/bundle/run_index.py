"""What a folder of results holds: bundles and sweeps, broken ones named as such.

Reads little of each, follows no links, and stops at bounds, so that any folder may be asked.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.base.text import first_few
from splitopt.bundle.load import ROWS
from splitopt.bundle.run_record import RunRecord, SweepRecord, read_run, read_sweep_record

MOST_FOLDERS = 20_000
MOST_FOUND = 5_000
_DEEPEST = 6
_MOST_ENTRIES = 10_000
_RUN_ID = re.compile(r"(\d{8}-\d{6})(-\d+)?")
REPORT = "report.html"
Entry = Callable[..., "IndexEntry"]


@dataclass(frozen=True)
class IndexEntry:
    """One bundle (`run`), one sweep, or a folder that should be one (`broken`: `error` says why).

    `name`: its path below the folder of results. Of a sweep, `peak_ram_bytes` is the lowest, with
    the instructions that it adds; `status` counts its points by status.
    """

    kind: str
    path: str
    name: str
    job: str
    model: str = ""
    board: str = ""
    status: str = ""
    peak_ram_bytes: int | None = None
    added_insn: int | None = None
    pieces: int | None = None
    points: int | None = None
    checks: str = ""
    created_utc: str = ""
    error: str = ""

    @property
    def has_failed(self) -> bool:
        return self.kind == "broken" or self.checks == "failed" or "FAILED" in self.status

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "has_failed": self.has_failed}


@dataclass(frozen=True)
class RunIndex:
    """`is_whole`: nothing was left out because of the bounds."""

    entries: tuple[IndexEntry, ...]
    is_whole: bool


@dataclass(frozen=True)
class Filter:
    """What is to be listed; patterns as of file names (`mbv2*`), any case. None: whatever it is."""

    job: str | None = None
    board: str | None = None
    model: str | None = None
    status: str | None = None
    since: datetime | None = None
    failed: bool = False

    def keeps(self, entry: IndexEntry) -> bool:
        wanted = (
            (self.job, entry.job),
            (self.board, entry.board),
            (self.model, entry.model),
        )
        return (
            all(pattern is None or _matches(text, pattern) for pattern, text in wanted)
            and (self.status is None or self.status.upper() in entry.status.split())
            and (self.since is None or _moment(entry.created_utc) >= self.since)
            and (not self.failed or entry.has_failed)
        )


def index_of(results: Path) -> RunIndex:
    """The runs and sweeps below a folder of results. Raises UsageError where there is no such
    folder."""
    if not results.is_dir():
        raise UsageError(f"{results}: no such folder; want a folder of results (--results DIR)")
    walk = _Walk()
    entries = tuple(_entry(results, folder) for folder in walk.found(results, 0))
    return RunIndex(entries, not walk.was_cut)


class _Walk:
    """Folders that are runs or sweeps, or look as if; nothing below them."""

    def __init__(self) -> None:
        self.was_cut = False
        self._visited = self._found = 0

    def found(self, folder: Path, depth: int) -> Iterator[Path]:
        self._visited += 1
        if self._visited > MOST_FOLDERS or self._found >= MOST_FOUND or depth > _DEEPEST:
            self.was_cut = True
            return
        files, folders = self._listed(folder)
        if depth and ({"plan.json", ROWS} & files or _RUN_ID.fullmatch(folder.name)):
            self._found += 1
            yield folder
            return
        for name in folders:
            yield from self.found(folder / name, depth + 1)

    def _listed(self, folder: Path) -> tuple[set[str], list[str]]:
        files, folders = set[str](), []
        try:
            with os.scandir(folder) as entries:
                for number, entry in enumerate(entries):
                    if number >= _MOST_ENTRIES:
                        self.was_cut = True
                        break
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            folders.append(entry.name)
                    else:
                        files.add(entry.name)
        except OSError:
            self.was_cut = True
        return files, sorted(folders)


def _entry(results: Path, folder: Path) -> IndexEntry:
    name = folder.relative_to(results)
    entry = partial(IndexEntry, path=str(folder), name=str(name))
    try:
        if (folder / ROWS).exists():
            return _of_sweep(entry, folder, read_sweep_record(folder))
        return _of_run(entry, folder, read_run(folder))
    except (UsageError, OSError) as error:
        reason = str(error).replace(f"{folder}/", "").replace(f"{folder}: ", "")
        date = _date_of(folder)
        return entry(
            kind="broken", job=name.parts[0], status="BROKEN", created_utc=date, error=reason
        )


def _of_run(entry: Entry, folder: Path, run: RunRecord) -> IndexEntry:
    plan = run.plan
    return entry(
        kind="run",
        job=plan.job.name,
        model=Path(plan.model.path).name,
        board=plan.board.name,
        status=plan.status,
        peak_ram_bytes=plan.peak_ram_bytes,
        added_insn=plan.added_insn,
        pieces=len(plan.segments),
        checks=run.checks_status,
        created_utc=run.created_utc or _date_of(folder),
    )


def _of_sweep(entry: Entry, folder: Path, sweep: SweepRecord) -> IndexEntry:
    planned = [
        (row.peak_ram_bytes, row.added_insn or 0, row.pieces)
        for row in sweep.rows
        if row.peak_ram_bytes is not None
    ]
    peak, added, pieces = min(planned, default=(None, None, None), key=lambda p: p[:2])
    counts = Counter(row.status for row in sweep.rows)
    proved = {row.proved for row in sweep.rows} - {None}
    return entry(
        kind="sweep",
        job=folder.parent.name if sweep.sweep is None else sweep.sweep.name,
        model=_one({Path(row.model).name for row in sweep.rows if row.model}),
        board=_one({row.board for row in sweep.rows if row.board}),
        status=" ".join(f"{count} {status}" for status, count in sorted(counts.items())),
        peak_ram_bytes=peak,
        added_insn=added,
        pieces=pieces,
        points=len(sweep.rows),
        checks="failed" if False in proved else "passed" if proved else "skipped",
        created_utc=(sweep.sweep and sweep.sweep.created_utc) or _date_of(folder),
    )


def _one(names: Iterable[str]) -> str:
    """A name where it is the only one; else how many there are."""
    found = sorted(names)
    return found[0] if len(found) == 1 else f"{len(found)} different" if found else ""


def _date_of(folder: Path) -> str:
    """From the run id; else from the folder's own time."""
    match = _RUN_ID.fullmatch(folder.name)
    try:
        if match:
            stamp = datetime.strptime(match[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        else:
            stamp = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    except (ValueError, OSError, OverflowError):
        return ""
    return stamp.isoformat(timespec="seconds")


def _moment(text: str) -> datetime:
    """Before all dates where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def parse_since(text: str) -> datetime:
    """`2026-11-23`, or with a time; UTC where no zone is given. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--since {text!r}: want a date such as 2026-11-23") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _matches(text: str, pattern: str) -> bool:
    """The whole name, or the name without its last suffix."""
    lower, stem = text.lower(), Path(text).stem.lower()
    return fnmatch(lower, pattern.lower()) or fnmatch(stem, pattern.lower())


def in_order(
    entries: Sequence[IndexEntry], sort: str, *, reverse: bool = False
) -> tuple[IndexEntry, ...]:
    """By `peak`, `added` or `name`, rising, or by `date`, the newest first; what has no such figure
    comes last either way."""
    values = [(_sort_value(entry, sort), entry) for entry in entries]
    known = [(value, entry) for value, entry in values if value is not None]
    rising = (sort != "date") != reverse
    known.sort(key=lambda pair: (pair[0], pair[1].name), reverse=not rising)
    return (*(e for _, e in known), *(e for value, e in values if value is None))


def _sort_value(entry: IndexEntry, sort: str) -> Any:
    if sort == "date":
        return _moment(entry.created_utc) if entry.created_utc else None
    return {"peak": entry.peak_ram_bytes, "added": entry.added_insn, "name": entry.name}[sort]


def report_of(results: Path, run: str) -> Path:
    """The report of a run named by its path, its place below `results`, its id, or its job.

    Raises UsageError where there is none, or several.
    """
    folder = Path(run)
    if not _is_result(folder):
        folder = _named(results, run)
    report = folder / REPORT
    if not report.is_file():
        raise UsageError(
            f"{folder}: has no {REPORT}; `splitopt report {folder}` writes one"
            + (" (summary.txt is there)" if (folder / "summary.txt").is_file() else "")
        )
    return report


def _is_result(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("plan.json", ROWS, REPORT))


def _named(results: Path, run: str) -> Path:
    entries = [entry for entry in index_of(results).entries if entry.kind != "broken"]
    wanted = run.rstrip("/")
    for names in (
        lambda e: e.name == wanted,
        lambda e: Path(e.name).name == wanted,
        lambda e: e.job == wanted,
    ):
        found = [entry for entry in entries if names(entry)]
        if len(found) == 1:
            return Path(found[0].path)
        if found:
            shown = first_few([entry.name for entry in found], 5)
            raise UsageError(f"--open {run!r}: several: {shown}; name one of them")
    raise UsageError(f"--open {run!r}: no such run in {results} (splitopt runs lists them)")
