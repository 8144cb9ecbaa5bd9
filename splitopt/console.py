"""The terminal: results as tables on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from splitopt.api import RunResult
from splitopt.pieces.verify import CheckStatus
from splitopt.summary import (
    CHANGE_COLUMNS,
    HAND_COLUMNS,
    ROUTE_COLUMNS,
    SEGMENT_COLUMNS,
    before_after,
    check_lines,
    hand_rows,
    notes,
    proof_line,
    route_rows,
    segment_rows,
    verdict,
)

_STYLES = {
    CheckStatus.PASSED: "green",
    CheckStatus.FAILED: "bold red",
    CheckStatus.SKIPPED: "yellow",
}

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
    out.print(escape(result.limit))
    for note in notes(document):
        out.print(escape(note), style="dim")
    out.print(f"Bundle: {escape(str(result.folder))}")


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
