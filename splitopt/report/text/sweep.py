"""The text of a sweep: for the terminal, and in parts for its page."""

from __future__ import annotations

from collections import defaultdict
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

MARKED_COLUMNS = (
    "the front's marked plans", "peak RAM", "of unsplit", "added insn", "of Invoke", "pieces",
    "point", "proof"
)  # fmt: skip
KNEE = (
    "knee: farthest below the line between the ends of the front (Das, 1999); balanced: least sum "
    "of peak RAM in parts of the unsplit peak and added instructions in parts of Invoke"
)
_MOST_TOLD, _MOST_BOARDS = 5, 2
FRONT_COLUMNS = (
    "point", "budget", "peak RAM", "of unsplit", "added insn", "of Invoke", "pieces", "proof"
)  # fmt: skip


def sweep_text(sweep: Sweep, rows: Sequence[Record]) -> Iterator[Paragraph]:
    """What budgets cost for each model and board, the marked points as tables, and what failed."""
    fronts = [(front, list(points_of(front, rows))) for front in sweep.fronts]
    yield tuple(
        Line(f"{_title(front)}: {_front_verdict(front, p)}", "verdict") for front, p in fronts
    )
    rest = {k: n for k, n in sweep.counts.items() if k not in PLANNED and n}
    if rest:
        counts = ", ".join(f"{n} {status}" for status, n in rest.items())
        yield (Line(f"Other points: {counts}.", "verdict"),)
    for front, points in fronts:
        if not front.marks:  # of a sweep before there were any
            yield (Line(_title(front)), *table_of(FRONT_COLUMNS, [_cells(row) for row in points]))
            continue
        rows_shown = [cells for _, cells in marked_rows(front, points)]
        yield (Line(_title(front)), *table_of(MARKED_COLUMNS, rows_shown))
        where = "All points: report.html, pareto.csv, --json."
        yield lines_of([*unfit_lines(front), *front.notes, f"{KNEE}. {where}"])
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
    whole += " but for what a note says" if whole and front.notes else ""
    return f"{priced(front, points)} {plural(len(points), 'undominated point')}{whole}."


def priced(front: Front | None, points: Sequence[PlannedRecord]) -> str:
    """What budgets cost, then how far the peak falls."""
    costs = "" if front is None else costs_text(front, points)
    least = least_peak(points)
    return f"{costs} {least[0].upper()}{least[1:]}" if costs else least


def costs_text(front: Front, points: Sequence[PlannedRecord]) -> str:
    """`128 KiB costs +3.1 % of Invoke; 96 KiB +9.0 %.`: the largest budgets, and the smallest. At
    most that where points may be missing."""
    costs = "costs " if front.is_complete else "costs at most "
    by_id = {point.id: point for point in points}
    told = [cost for cost in front.budgets if cost.point in by_id]
    if len(told) > _MOST_TOLD:
        told = [*told[: _MOST_TOLD - 1], told[-1]]
    words: list[str] = []
    for cost in told:
        point = by_id[cost.point]
        first = not words
        invoke = point.estimated_invoke_insn
        price = format_percent(cost.added_insn, invoke) if invoke else signed_insn(cost.added_insn)
        unit = (" of Invoke" if invoke else " instructions") if first else ""
        words.append(f"{cost.budget_bytes // 1024:,} KiB {costs if first else ''}{price}{unit}")
    return f"{'; '.join(words)}." if words else ""


def marked_rows(
    front: Front, points: Sequence[PlannedRecord]
) -> Iterator[tuple[PlannedRecord, Row]]:
    """The points that are marked, by falling peak, each once with all that it is."""
    names = marks_by_point(front)
    for row in points:
        if row.id in names:
            _, _, peak, share, added, of_invoke, pieces, proof = _cells(row)
            yield row, (names[row.id], peak, share, added, of_invoke, pieces, row.id, proof)


def marks_by_point(front: Front, *, short: bool = False) -> dict[str, str]:
    """By id of the point: `fits corstone300_256k, balanced`. `short`: without names of boards."""
    boards: dict[str, list[str]] = defaultdict(list)
    words: dict[str, list[str]] = defaultdict(list)
    for mark in front.marks:
        if mark.point is None:
            continue
        if mark.mark == "fits":
            boards[mark.point].append(str(mark.board))
        else:
            words[mark.point].append(mark.mark)
    if not short:
        for point, found in boards.items():
            more = len(found) - _MOST_BOARDS
            shown = ", ".join(found[-_MOST_BOARDS:]) + (f" and {more} more" if more > 0 else "")
            words[point].insert(0, f"fits {shown}")
    return {point: ", ".join(found) for point, found in words.items()}


def unfit_lines(front: Front) -> Iterator[str]:
    """The known boards that no plan fits."""
    none = [f"{m.board} ({format_bytes(m.budget_bytes or 0)})" for m in front.marks
            if m.mark == "fits" and m.point is None]  # fmt: skip
    if none:
        known = "No plan fits" if front.is_complete else "None of these plans fits"
        yield f"{known} {', '.join(none)}."


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
