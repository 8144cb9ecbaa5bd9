"""splitopt runs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from splitopt.cli.options import Json, OutJson

if TYPE_CHECKING:
    from splitopt.bundle.run_index import IndexEntry


class Sort(StrEnum):
    """What the list is ordered by."""

    DATE = "date"
    PEAK = "peak"
    ADDED = "added"
    NAME = "name"


def runs(
    results: Annotated[
        Path, typer.Option("--results", help="The folder that runs were written to.")
    ] = Path("results"),
    job: Annotated[str | None, typer.Option("--job", help="Job name or pattern (mbv2*).")] = None,
    board: Annotated[str | None, typer.Option("--board", help="Board name or pattern.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model file or pattern.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="OPTIMAL, FEASIBLE, INFEASIBLE, BROKEN, ...")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Made on this date or later, e.g. 2026-11-23.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those with a failed check, or broken.")
    ] = False,
    sort: Annotated[Sort, typer.Option("--sort", help="Order; dates fall.")] = Sort.DATE,
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="List no more.")] = None,
    open_run: Annotated[
        str | None, typer.Option("--open", metavar="RUN", help="Print where its report is.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser", help="With --open: show it in the browser, too.")
    ] = False,
    json: Json = False,
    out: OutJson = None,
) -> None:
    """List the runs and sweeps below results, with their figures."""
    from splitopt.base.errors import UsageError
    from splitopt.bundle.folder import write_new
    from splitopt.bundle.run_index import Filter, in_order, index_of, parse_since
    from splitopt.cli import console

    if open_run is not None:
        _open(results, open_run, browser=browser, json=json)
        return
    if browser:
        raise UsageError("--browser: want --open RUN with it")
    moment = None if since is None else parse_since(since)
    wanted = Filter(job, board, model, status, moment, failed)
    index = index_of(results)
    kept = [entry for entry in index.entries if wanted.keeps(entry)]
    shown = in_order(kept, sort.value, reverse=reverse)[:limit]
    document = {
        "schema_version": 1,
        "results": str(results),
        "is_whole": index.is_whole,
        "found": len(index.entries),
        "matching": len(kept),
        "runs": [entry.to_dict() for entry in shown],
    }
    if out is not None:
        write_new(out, "runs.json", document)
    if json:
        console.show_json(document)
        return
    _show(shown)
    console.show_lines(f"{len(shown)} of {len(index.entries)} in {results}")
    if not index.is_whole:
        console.show_lines(
            "Not all was looked at: there are too many folders, or some are not readable."
        )


def _show(entries: Sequence[IndexEntry]) -> None:
    from splitopt.base.text import one_line, printable, table
    from splitopt.base.units import format_bytes, format_insn
    from splitopt.cli import console

    header = (
        "run",
        "date",
        "model",
        "board",
        "peak RAM",
        "added insn",
        "pieces",
        "status",
        "checks",
    )
    rows = [
        (
            printable(e.name),
            printable(e.created_utc[:16].replace("T", " ")),
            printable(e.model),
            printable(e.board),
            "-" if e.peak_ram_bytes is None else format_bytes(e.peak_ram_bytes),
            "-" if e.added_insn is None else format_insn(e.added_insn),
            "-" if e.pieces is None else str(e.pieces),
            printable(e.status),
            printable(e.checks),
        )
        for e in entries
    ]
    if rows:
        console.show_lines(table(header, rows))
    for e in entries:
        if e.error:
            console.show_lines(f"BROKEN {printable(e.name)}: {one_line(e.error)}")


def _open(results: Path, run: str, *, browser: bool, json: bool) -> None:
    import webbrowser

    from splitopt.base.errors import ToolError
    from splitopt.bundle.run_index import report_of
    from splitopt.cli import console

    report = report_of(results, run)
    if json:
        console.show_json({"report": str(report)})
    else:
        console.show_lines(str(report))
    if browser and not webbrowser.open(report.resolve().as_uri()):
        raise ToolError(f"{report}: no browser could be started; open it by hand")


EXAMPLE = "Example: splitopt runs --board corstone300_128k --sort peak --limit 10"
