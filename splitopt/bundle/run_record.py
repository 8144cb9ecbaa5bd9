"""A finished run as its bundle tells it: figures, checks, versions, and what it was asked.

Rests on what the files say; nothing is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from splitopt.base.errors import UsageError
from splitopt.base.json_input import frozen, load_json
from splitopt.base.yaml_input import Strict, check
from splitopt.bundle.thresholds import Figure, Reference

_LONGEST_TEXT = 4096
Text = Annotated[str, Field(max_length=_LONGEST_TEXT)]
Count = Annotated[int, Field(ge=0, le=10**18)]
NOT_RUN = "skipped"


class Lenient(Strict):
    """Keys that are not read here may be anything."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Job(Lenient):
    name: Text
    path: Text = ""
    settings: dict[str, Any] = Field(default_factory=dict)


class _Model(Lenient):
    path: Text
    sha256: Text
    bytes: Count = 0


class _Baseline(Lenient):
    ram_bytes: Count
    estimated_invoke_insn: Count


class _Segment(Lenient):
    arena_bytes: Count


class _Plan(Lenient):
    schema_version: Literal[1]
    job: _Job
    model: _Model
    board: dict[str, Any]
    budget_bytes: Count
    route: Text = "whole"
    status: Text
    peak_ram_bytes: Count
    added_insn: Count
    exact: bool
    baseline: _Baseline
    segments: Annotated[tuple[_Segment, ...], Field(min_length=1)]
    piece_bytes: Count | None = None


class _Check(Lenient):
    name: Text
    status: Text


class _Verify(Lenient):
    status: Text = NOT_RUN
    checks: tuple[_Check, ...] = ()


class _Manifest(Lenient):
    created_utc: Text = ""
    versions: dict[str, Text] = Field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run. `board` and `settings` are as in plan.json; `checks`: name → status.

    `created_utc` and `versions` are empty where there is no manifest.
    """

    where: str
    job: str
    model: str
    model_sha256: str
    board: Mapping[str, Any]
    settings: Mapping[str, Any]
    budget_bytes: int
    route: str
    status: str
    exact: bool
    peak_ram_bytes: int
    largest_arena_bytes: int
    added_insn: int
    pieces: int
    file_bytes: int | None
    model_bytes: int
    unsplit_ram_bytes: int
    invoke_insn: int
    checks_status: str
    checks: Mapping[str, str]
    versions: Mapping[str, str]
    created_utc: str

    @property
    def board_name(self) -> str:
        return str(self.board.get("name", ""))

    @property
    def figures(self) -> Mapping[str, Figure]:
        """What `--fail-on` can name."""
        return {
            "peak_ram_bytes": self.peak_ram_bytes,
            "largest_arena_bytes": self.largest_arena_bytes,
            "added_insn": self.added_insn,
            "pieces": self.pieces,
            "file_bytes": self.file_bytes,
            "status": self.status,
            "exact": "true" if self.exact else "false",
            "checks": self.checks_status,
        }

    @property
    def as_reference(self) -> Mapping[str, Reference]:
        """What another run's changes count from."""
        numbers = {k: v for k, v in self.figures.items() if isinstance(v, int)}
        return {name: Reference(value, value) for name, value in numbers.items()}

    @property
    def unsplit(self) -> Mapping[str, Reference]:
        """What this run's own changes count from: the unsplit model, which adds nothing to its
        Invoke, so that `added_insn>+5%` is 5 % of that."""
        ram, size = self.unsplit_ram_bytes, self.model_bytes
        return {
            "peak_ram_bytes": Reference(ram, ram),
            "largest_arena_bytes": Reference(ram, ram),
            "added_insn": Reference(0, self.invoke_insn),
            "pieces": Reference(1, 1),
            "file_bytes": Reference(size, size),
        }


def read_run(folder: Path) -> RunRecord:
    """Raises UsageError, in one sentence, for a folder that is no bundle."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; want a bundle that `splitopt run` wrote")
    if not (folder / "plan.json").exists():
        raise UsageError(f"{folder}: holds no plan.json; want a bundle that `splitopt run` wrote")
    verify, manifest = folder / "verify.json", folder / "manifest.json"
    return _record(
        check(load_json(folder / "plan.json"), _Plan, where=str(folder / "plan.json")),
        check(load_json(verify), _Verify, where=str(verify)) if verify.exists() else _Verify(),
        check(load_json(manifest), _Manifest, where=str(manifest))
        if manifest.exists()
        else _Manifest(),
        str(folder),
    )


def record_of(document: Mapping[str, Any], checks: Sequence[tuple[str, str]]) -> RunRecord:
    """A run that is at hand: its plan.json as data, and (name, status) of each check."""
    failed = any(status == "failed" for _, status in checks)
    overall = "failed" if failed else "passed" if checks else NOT_RUN
    verify = _Verify(
        status=overall, checks=tuple(_Check(name=name, status=status) for name, status in checks)
    )
    plan = check(frozen(dict(document)), _Plan, where="plan.json")
    return _record(plan, verify, _Manifest(), str(document.get("run_dir", "")))


def _record(plan: _Plan, verify: _Verify, manifest: _Manifest, where: str) -> RunRecord:
    return RunRecord(
        where=where,
        job=plan.job.name,
        model=plan.model.path,
        model_sha256=plan.model.sha256,
        board=plan.board,
        settings=plan.job.settings,
        budget_bytes=plan.budget_bytes,
        route=plan.route,
        status=plan.status,
        exact=plan.exact,
        peak_ram_bytes=plan.peak_ram_bytes,
        largest_arena_bytes=max(segment.arena_bytes for segment in plan.segments),
        added_insn=plan.added_insn,
        pieces=len(plan.segments),
        file_bytes=plan.piece_bytes,
        model_bytes=plan.model.bytes,
        unsplit_ram_bytes=plan.baseline.ram_bytes,
        invoke_insn=plan.baseline.estimated_invoke_insn,
        checks_status=verify.status,
        checks={entry.name: entry.status for entry in verify.checks},
        versions=manifest.versions,
        created_utc=manifest.created_utc,
    )
