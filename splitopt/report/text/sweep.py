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
from splitopt.bundle.front_marks import cheapest_within
from splitopt.bundle.left_out import unproved_lines
from splitopt.bundle.schema.sweep import PLANNED, Front, PlannedRecord, Record, Sweep

MARKED_COLUMNS = (
    "the front's marked plans", "peak RAM", "change", "added insn", "of Invoke", "pieces",
    "point", "proof"
)  # fmt: skip
KNEE = (
    "knee: farthest below the line between the ends of the front (Das, 1999); balanced: least sum "
    "of peak RAM in parts of the unsplit peak and added instructions in parts of Invoke"
)
_MOST_TOLD, _MOST_BOARDS = 5, 2
FRONT_COLUMNS = (
    "point", "budget", "peak RAM", "change", "added insn", "of Invoke", "pieces", "proof"
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
        yield lines_of([*unfit_lines(front), *notes_of(front, points), f"{KNEE}. {where}"])
    failures = lines_of(f"{row.status} {row.id}: {row.error}" for row in rows if row.error)
    if failures:
        yield tuple(Line(line.text, "failed") for line in failures)


def points_of(front: Front, rows: Sequence[Record]) -> Iterator[PlannedRecord]:
    by_id = {row.id: row for row in rows if isinstance(row, PlannedRecord)}
    return (by_id[name] for name in front.points)


def notes_of(front: Front, points: Sequence[PlannedRecord]) -> list[str]:
    """Those that the verdict has not."""
    told = set(unproved_lines(points))
    return [note for note in front.notes if note not in told]


def _title(front: Front) -> str:
    return f"{PurePath(front.model).name} on {front.board}"


def _front_verdict(front: Front, points: Sequence[PlannedRecord]) -> str:
    whole = ", the whole Pareto front" if front.is_complete else ""
    whole += " but for what a note says" if whole and front.notes else ""
    many = plural(len(points), "undominated point")
    return " ".join([f"{priced(front, points)} {many}{whole}.", *unproved_lines(points)])


def priced(front: Front | None, points: Sequence[PlannedRecord]) -> str:
    """What budgets cost, then how far the peak falls."""
    costs = "" if front is None else costs_text(front, points)
    least = least_peak(points)
    return f"{costs} {least[0].upper()}{least[1:]}" if costs else least


def costs_text(front: Front, points: Sequence[PlannedRecord]) -> str:
    """`The board's 57,344 B cost +3.4 % of Invoke; 128 KiB +3.1 %; 96 KiB +9.0 %.`: the budget of
    the swept board, the largest round ones, and the smallest. At most that where points may be
    missing."""
    by_id = {point.id: point for point in points}
    told = [cost for cost in front.budgets if cost.point in by_id]
    if len(told) > _MOST_TOLD:
        told = [*told[: _MOST_TOLD - 1], told[-1]]
    prices = [(f"{own.budget_bytes // 1024:,} KiB", "costs", by_id[own.point]) for own in told]
    board = next((p.board_budget_bytes for p in points if p.board_budget_bytes), None)
    within = None if board is None else cheapest_within(points, board)
    if board is not None and within is not None:
        prices.insert(0, (f"The board's {format_bytes(board)}", "cost", within))
    words = list[str]()
    for budget, verb, point in prices:
        invoke, added = point.estimated_invoke_insn, point.added_insn
        price = format_percent(added, invoke) if invoke else signed_insn(added)
        if not words:
            most = "" if front.is_complete else "at most "
            price = f"{verb} {most}{price} {'of Invoke' if invoke else 'instructions'}"
        words.append(f"{budget} {price}")
    return f"{'; '.join(words)}." if words else ""


def marked_rows(
    front: Front, points: Sequence[PlannedRecord]
) -> Iterator[tuple[PlannedRecord, Row]]:
    """The points that are marked, by falling peak, each once with all that it is. Within its peak,
    at most that is added where points may be missing."""
    names = marks_by_point(front)
    for row in points:
        if row.id in names:
            _, _, peak, share, added, of_invoke, pieces, proof = _cells(row)
            if not front.is_complete:
                added = f"at most {added}"
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
