"""Several jobs or models, one after the other: a line for each, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splitopt.base.errors import InfeasibleError, SplitoptError
from splitopt.base.progress import Heading, Progress, within
from splitopt.base.text import Line, Paragraph, Row, printable, table_of
from splitopt.base.units import format_bytes, format_percent
from splitopt.bundle.thresholds import Threshold
from splitopt.config.given import Given, read_given
from splitopt.workflows.run import RunResult, run_job

_COLUMNS = (
    *("model", "unsplit", "peak RAM", "of budget", "added time"),
    *("pieces", "status", "outputs", "bundle"),
)


@dataclass(frozen=True)
class EachRun:
    """One job or model: what it was, its result, or why there is none (or it is not good)."""

    name: str
    result: RunResult | None
    error: str | None = None
    exit_code: int = 0

    @property
    def row(self) -> Row:
        """Cells of the table."""
        result = self.result
        if result is None:
            is_unfit = self.exit_code == InfeasibleError.exit_code
            status = "DOES NOT FIT" if is_unfit else "FAILED"
            return (self.name, *["-"] * 5, status, "-", f"exit {self.exit_code}, see below")
        plan = result.document
        equal = "equal" if result.is_equal else "NOT EQUAL"
        return (
            self.name,
            format_bytes(plan.baseline.ram_bytes),
            format_bytes(plan.peak_ram_bytes),
            f"{100 * plan.peak_ram_bytes / plan.budget_bytes:.0f} %",
            format_percent(plan.added_insn, plan.invoke_insn),
            str(len(plan.segments)),
            plan.status,
            equal if result.checks else "not run",
            str(result.folder),
        )

    def to_dict(self) -> dict[str, Any]:
        found = {} if self.result is None else self.result.to_dict()
        return {"name": self.name, "error": self.error, "exit_code": self.exit_code, **found}


@dataclass(frozen=True)
class EachResult:
    """All of them. `exit_code`: the worst."""

    runs: tuple[EachRun, ...]

    @property
    def exit_code(self) -> int:
        return max(run.exit_code for run in self.runs)

    @property
    def text(self) -> Iterator[Paragraph]:
        """The table, then the errors."""
        yield table_of(_COLUMNS, [run.row for run in self.runs])
        errors = tuple(Line(f"{r.name}: {r.error}", "failed") for r in self.runs if r.error)
        if errors:
            yield errors

    def to_dict(self) -> dict[str, Any]:
        return {"runs": [run.to_dict() for run in self.runs], "exit_code": self.exit_code}


def run_each(
    whats: Sequence[Path],
    given: Given,
    *,
    out: Path | None = None,
    verify: bool = True,
    limits: Sequence[Threshold] = (),
    allow_commands: bool = False,
    progress: Progress = lambda _: None,
) -> EachResult:
    """Runs each job or model under the same options; one that fails does not end the others."""
    runs = []
    for number, what in enumerate(whats, 1):
        name = printable(what.name)
        progress(Heading(f"{number} of {len(whats)}: {name}"))
        result = None
        try:
            job = read_given(what, given, allow_commands=allow_commands)
            result = run_job(job, out=out, verify=verify, progress=within(progress, name))
            result.require(result.broken(limits))
            runs.append(EachRun(name, result))
        except SplitoptError as error:
            runs.append(EachRun(name, result, str(error), error.exit_code))
    return EachResult(tuple(runs))
