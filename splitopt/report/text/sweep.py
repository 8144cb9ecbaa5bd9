"""The text of a sweep: for the terminal, and in parts for its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from splitopt.base.text import Line, Paragraph, Row, lines_of, table_of
from splitopt.base.units import (
    added_text,
    format_bytes,
    format_percent,
    pieces_text,
    plural,
    signed_insn,
)
from splitopt.bundle.schema.sweep import PLANNED, Front, PlannedRecord, Record, Sweep

FRONT_COLUMNS = (
    "point", "budget", "peak RAM", "of unsplit", "added insn", "of Invoke", "pieces", "proof"
)  # fmt: skip


def sweep_text(sweep: Sweep, rows: Sequence[Record]) -> Iterator[Paragraph]:
    """A sentence for each model and board, the fronts as tables, and what failed."""
    fronts = [(front, list(points_of(front, rows))) for front in sweep.fronts]
    yield tuple(
        Line(f"{_title(front)}: {_front_verdict(front, p)}", "verdict") for front, p in fronts
    )
    rest = {k: n for k, n in sweep.counts.items() if k not in PLANNED and n}
    if rest:
        counts = ", ".join(f"{n} {status}" for status, n in rest.items())
        yield (Line(f"Other points: {counts}.", "verdict"),)
    for front, points in fronts:
        table = table_of(FRONT_COLUMNS, [_cells(row) for row in points])
        yield (Line(_title(front)), *table)
    failures = lines_of(f"{row.status} {row.id}: {row.error}" for row in rows if row.error)
    if failures:
        yield tuple(Line(line.text, "failed") for line in failures)


def points_of(front: Front, rows: Sequence[Record]) -> Iterator[PlannedRecord]:
    by_id = {row.id: row for row in rows if isinstance(row, PlannedRecord)}
    return (by_id[name] for name in front.points)


def _title(front: Front) -> str:
    return f"{PurePath(front.model).name} on {front.board}"


def _front_verdict(front: Front, points: Sequence[PlannedRecord]) -> str:
    whole = ", the whole Pareto front" if front.is_complete else ""
    return f"{least_peak(points)} {plural(len(points), 'undominated point')}{whole}."


def least_peak(points: Sequence[PlannedRecord]) -> str:
    """A sentence: how far the peak falls, and at what price."""
    least = min(points, key=lambda row: (row.peak_ram_bytes, row.added_insn))
    unsplit, peak = least.unsplit_ram_bytes, least.peak_ram_bytes
    if peak >= unsplit:
        return f"no plan needs less than the unsplit {format_bytes(unsplit)}."
    return (
        f"peak RAM falls from {format_bytes(unsplit)} unsplit to {format_bytes(peak)} "
        f"({format_percent(peak - unsplit, unsplit)}) in {plural(least.pieces, 'piece')}; "
        f"{added_text(least.added_insn, least.estimated_invoke_insn)}."
    )


def _cells(row: PlannedRecord) -> Row:
    unsplit = row.unsplit_ram_bytes
    proved = {None: "", True: ", equal", False: ", NOT EQUAL"}[row.proved]
    return (
        row.id,
        "auto" if row.budget_bytes is None else format_bytes(row.budget_bytes),
        format_bytes(row.peak_ram_bytes),
        format_percent(row.peak_ram_bytes - unsplit, unsplit),
        signed_insn(row.added_insn),
        format_percent(row.added_insn, row.estimated_invoke_insn),
        pieces_text(row.pieces, row.streamed),
        f"{row.status}{'' if row.exact else ', bytes estimated'}{proved}",
    )
