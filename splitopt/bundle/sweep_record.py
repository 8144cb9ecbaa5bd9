"""A finished sweep as its folder tells it: one point a row, matched by what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from splitopt.base.errors import UsageError
from splitopt.base.json_input import load_json, load_json_lines
from splitopt.base.yaml_input import check
from splitopt.bundle.run_record import Count, Lenient, Text
from splitopt.bundle.thresholds import Figure, Reference

ROWS = "records.jsonl"
_MOST_BYTES, _MOST_ROWS = 64 << 20, 50_000


class SweepRow(Lenient):
    """One line of records.jsonl, as far as it is compared."""

    id: Text
    kind: Text = "budget"
    model: Text | None = None
    board: Text | None = None
    budget_bytes: Count | None = None
    objective: dict[str, Any] | None = None
    max_pieces: Count | None = None
    status: Text | None = None
    peak_ram_bytes: Count | None = None
    added_insn: Count | None = None
    pieces: Count | None = None
    largest_arena_bytes: Count | None = None
    unsplit_ram_bytes: Count | None = None
    exact: bool | None = None
    proved: bool | None = None

    @property
    def is_front(self) -> bool:
        return self.kind == "front"

    @property
    def key(self) -> tuple[str, ...]:
        """What was asked. A plan of a front answers the budget that is its own peak."""
        budget = self.peak_ram_bytes if self.is_front else self.budget_bytes
        objective = sorted((self.objective or {}).items())
        return (
            Path(self.model or "").name,
            self.board or "",
            "" if budget is None else str(budget),
            ", ".join(f"{name}={value}" for name, value in objective if value is not None),
            "" if self.max_pieces is None else str(self.max_pieces),
        )

    @property
    def figures(self) -> Mapping[str, Figure]:
        """What `--fail-on` can name; None where the point has no plan."""
        checks = {None: "skipped", True: "passed", False: "failed"}[self.proved]
        return {
            "peak_ram_bytes": self.peak_ram_bytes,
            "largest_arena_bytes": self.largest_arena_bytes,
            "added_insn": self.added_insn,
            "pieces": self.pieces,
            "status": self.status,
            "exact": None if self.exact is None else "true" if self.exact else "false",
            "checks": checks,
        }

    @property
    def as_reference(self) -> Mapping[str, Reference]:
        numbers = {k: v for k, v in self.figures.items() if isinstance(v, int)}
        return {name: Reference(value, value) for name, value in numbers.items()}


class _Document(Lenient):
    name: Text = ""
    created_utc: Text = ""
    versions: dict[str, Text] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    points: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class SweepRecord:
    """A sweep's rows in their order; `settings` and the rest are sweep.json's, empty without it."""

    where: str
    name: str
    rows: tuple[SweepRow, ...]
    versions: Mapping[str, str]
    settings: Mapping[str, Any]
    created_utc: str


def is_sweep(folder: Path) -> bool:
    return (folder / ROWS).exists()


def read_sweep_record(folder: Path) -> SweepRecord:
    """Raises UsageError for a folder whose records are broken or too many."""
    path = folder / ROWS
    if not folder.is_dir() or not path.exists():
        raise UsageError(f"{folder}: holds no {ROWS}; want a folder that `splitopt sweep` wrote")
    rows = tuple(
        check(row, SweepRow, where=f"{path}: row {number}")
        for number, row in enumerate(load_json_lines(path, _MOST_BYTES, _MOST_ROWS), start=1)
    )
    about, document = folder / "sweep.json", _Document()
    if about.exists():
        document = check(load_json(about), _Document, where=str(about))
    return SweepRecord(
        where=str(folder),
        name=document.name or folder.parent.name,
        rows=rows,
        versions=document.versions,
        settings=document.settings,
        created_utc=document.created_utc,
    )
