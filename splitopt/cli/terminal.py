"""The terminal: results as tables on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from splitopt.base.text import table
from splitopt.bundle.schema_explain import RunExplanation
from splitopt.bundle.schema_outputs import Severity
from splitopt.explain.text import (
    LOWEST_PEAKS,
    REMEDIES,
    finding_lines,
    remedy_lines,
    run_tables,
    verdict_lines,
)
from splitopt.report.text.summary import (
    CHANGE_COLUMNS,
    HAND_COLUMNS,
    ROUTE_COLUMNS,
    SEGMENT_COLUMNS,
    before_after,
    check_lines,
    diagnosis_lines,
    hand_rows,
    notes,
    proof_line,
    route_rows,
    segment_rows,
    verdict,
)
from splitopt.report.text.timing import (
    OP_COLUMNS,
    Document,
    op_rows,
    timing_columns,
    timing_lines,
    timing_rows,
)
from splitopt.verify.equality import CheckStatus
from splitopt.workflows.run import RunResult
from splitopt.workflows.sweep.run import Progress, SweepResult
from splitopt.workflows.sweep.summary import (
    FRONT_COLUMNS,
    failure_lines,
    front_tables,
    sweep_verdicts,
)

_STYLES = {
    CheckStatus.PASSED: "green",
    CheckStatus.FAILED: "bold red",
    CheckStatus.SKIPPED: "yellow",
}
_SEVERITIES = {Severity.FAULT: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}

_NARROWEST = 100
out = Console(highlight=False)
out.width = max(out.width, _NARROWEST)
err = Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """A spinner that names the step under way; nothing where stderr is no terminal."""
    if quiet or not err.is_terminal:
        yield lambda _: None
        return
    with err.status("starting") as status:
        yield lambda step: status.update(f"{step} ...")


@contextmanager
def sweep_progress(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar of points with what came last; a line for every tenth where stderr is no terminal."""
    if quiet:
        yield lambda _: None
        return
    if not err.is_terminal:
        yield _PlainProgress()
        return
    bar = BarColumn(bar_width=30)
    columns = (bar, MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with ProgressBar(*columns, console=err, transient=True) as shown:
        task = shown.add_task("starting", total=None)
        yield lambda at: shown.update(
            task, completed=at.done, total=at.total, description=escape(_progress_line(at))
        )


class _PlainProgress:
    def __init__(self) -> None:
        self._next = 0

    def __call__(self, at: Progress) -> None:
        if at.done >= self._next:
            self._next = at.done + max(1, at.total // 10)
            err.print(f"{at.done} of {at.total} points {escape(_progress_line(at))}")


def _progress_line(at: Progress) -> str:
    if at.last is None:
        return at.step
    return f"{at.step}: {at.last['id']} {at.last['status']}"


def show_sweep(result: SweepResult) -> None:
    """The fronts as tables, what failed, and where all of it is."""
    for line in sweep_verdicts(result.document, result.rows):
        out.print(escape(line), style="bold")
    out.print()
    for title, rows in front_tables(result.document, result.rows):
        out.print(escape(title))
        show_table(FRONT_COLUMNS, rows)
    for line in failure_lines(result.rows):
        out.print(escape(line), style="red")
    out.print(f"Sweep: {escape(str(result.folder))}")


def show_result(result: RunResult) -> None:
    """The run as a reader wants it: verdict, before and after, segments, proof, limit."""
    document = result.document
    out.print(escape(verdict(document)), style="bold")
    show_table(CHANGE_COLUMNS, before_after(document))
    show_table(SEGMENT_COLUMNS, segment_rows(document))
    show_table(HAND_COLUMNS, hand_rows(document))
    if "routes" in document:
        show_table(ROUTE_COLUMNS, route_rows(document))
    out.print(proof_line(document))
    if not result.checks:
        out.print(next(iter(check_lines([]))), style="yellow")
    for check, line in zip(result.checks, check_lines(result.checks), strict=False):
        out.print(escape(line), style=_STYLES[check.status])
    if result.timing is not None:
        rows = timing_rows(result.timing)
        out.print(escape(table(timing_columns(result.timing), rows)), soft_wrap=True)
        for line in timing_lines(result.timing):
            out.print(escape(line))
    out.print(escape(result.limit))
    for line in diagnosis_lines(result.diagnosis):
        out.print(escape(line))
    for note in notes(document):
        out.print(escape(note), style="dim")
    out.print(f"Bundle: {escape(str(result.folder))}")


def show_timing(timing: Document) -> None:
    """Bytes against the plan's, and each step of each piece; then what the figures are not."""
    out.print(escape(table(timing_columns(timing), timing_rows(timing))), soft_wrap=True)
    out.print()
    if ops := op_rows(timing):
        out.print(escape(table(OP_COLUMNS, ops)), soft_wrap=True)
        out.print()
    for found in timing["checks"]:
        line = f"{found['status'].upper()} {found['name']}: {found['compared']}"
        detail = f" - {found['detail']}" if found["detail"] else ""
        out.print(escape(line + detail), style=_STYLES[CheckStatus(found["status"])])
    for line in timing_lines(timing):
        out.print(escape(line))


def show_explanation(found: RunExplanation) -> None:
    """Verdicts, findings by severity, remedies, then tables; wide ones are left to the terminal."""
    for number, line in enumerate(verdict_lines(found)):
        out.print(escape(line), style="bold" if number < 2 else "")
    for finding in found.outputs.findings if found.outputs else ():
        out.print()
        for number, line in enumerate(finding_lines(finding)):
            style = _SEVERITIES[finding.severity] if number == 0 else ""
            out.print(escape(line), style=style, soft_wrap=True)
    for title, lines in (
        (LOWEST_PEAKS, found.memory.lowest_peak_lines),
        (REMEDIES, remedy_lines(found.memory)),
    ):
        out.print(f"\n{title}:", style="bold")
        for line in lines:
            out.print(escape(line), soft_wrap=True)
    for shown in run_tables(found):
        out.print(f"\n{escape(shown.title)}", style="bold")
        out.print(escape(table(shown.header, shown.rows)), soft_wrap=True)


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for k, name in enumerate(header):
        table.add_column(escape(name), justify="left" if k == 0 else "right", no_wrap=k > 0)
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)
    out.print()


def show_json(data: Any) -> None:
    """One JSON document on stdout, and nothing else there."""
    sys.stdout.write(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def show_error(message: str) -> None:
    err.print(f"[bold red]error:[/bold red] {escape(message)}")
