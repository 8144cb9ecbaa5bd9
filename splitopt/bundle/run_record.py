"""A finished run or sweep as its folder tells it, and the figures that are compared.

Rests on what the files say; nothing is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from splitopt.bundle.load import ROWS, optional, read_plan, read_records
from splitopt.bundle.schema.manifest import Manifest
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.sweep import Record, Sweep
from splitopt.bundle.schema.verify import Verify
from splitopt.bundle.thresholds import Figure, Reference

NOT_RUN = "skipped"


@dataclass(frozen=True)
class RunRecord:
    """One run. `checks`: name → status; `created_utc` and `versions` are the manifest's."""

    where: str
    plan: Plan
    checks_status: str
    checks: Mapping[str, str]
    versions: Mapping[str, str | None] = field(default_factory=dict)
    created_utc: str = ""

    @property
    def figures(self) -> Mapping[str, Figure]:
        """What `--fail-on` can name."""
        plan = self.plan
        return {
            "peak_ram_bytes": plan.peak_ram_bytes,
            "largest_arena_bytes": plan.largest_arena_bytes,
            "added_insn": plan.added_insn,
            "pieces": len(plan.segments),
            "file_bytes": plan.piece_bytes,
            "status": plan.status,
            "exact": "true" if plan.exact else "false",
            "checks": self.checks_status,
        }

    @property
    def unsplit(self) -> Mapping[str, Reference]:
        """What this run's own changes count from: the unsplit model, which adds nothing to its
        Invoke, so that `added_insn>+5%` is 5 % of that."""
        ram, size = self.plan.baseline.ram_bytes, self.plan.model.bytes
        return {
            "peak_ram_bytes": Reference(ram, ram),
            "largest_arena_bytes": Reference(ram, ram),
            "added_insn": Reference(0, self.plan.invoke_insn),
            "pieces": Reference(1, 1),
            "file_bytes": Reference(size, size),
        }


def as_reference(figures: Mapping[str, Figure]) -> Mapping[str, Reference]:
    """What another run's changes count from."""
    return {name: Reference(v, v) for name, v in figures.items() if isinstance(v, int)}


def read_run(folder: Path) -> RunRecord:
    """A run's record from its folder. Raises UsageError for a folder that is not a bundle."""
    plan = read_plan(folder)
    verify = optional(folder / "verify.json", Verify)
    manifest = optional(folder / "manifest.json", Manifest)
    return RunRecord(
        where=str(folder),
        plan=plan,
        checks_status=NOT_RUN if verify is None else verify.status,
        checks={} if verify is None else {check.name: check.status for check in verify.checks},
        versions={} if manifest is None else manifest.versions,
        created_utc="" if manifest is None else manifest.created_utc,
    )


def record_of(plan: Plan, checks: Sequence[tuple[str, str]]) -> RunRecord:
    """A run that is at hand: its plan, and (name, status) of each check."""
    failed = any(status == "failed" for _, status in checks)
    return RunRecord(
        "", plan, "failed" if failed else "passed" if checks else NOT_RUN, dict(checks)
    )


@dataclass(frozen=True)
class SweepRecord:
    """A sweep's rows in their order, and sweep.json where it is there."""

    where: str
    rows: tuple[Record, ...]
    sweep: Sweep | None

    @property
    def versions(self) -> Mapping[str, str | None]:
        return {} if self.sweep is None else self.sweep.versions

    @property
    def settings(self) -> Mapping[str, Any]:
        return {} if self.sweep is None else self.sweep.settings


def is_sweep(folder: Path) -> bool:
    return (folder / ROWS).exists()


def read_sweep_record(folder: Path) -> SweepRecord:
    """A sweep's record from its folder. Raises UsageError for broken or too many records."""
    return SweepRecord(str(folder), read_records(folder), optional(folder / "sweep.json", Sweep))
