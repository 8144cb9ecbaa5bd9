"""The report of a sweep: fronts, every point with its plan, and what failed, as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from splitopt.base.text import Row
from splitopt.base.units import format_bytes, plural
from splitopt.bundle.left_out import unproved_lines
from splitopt.bundle.load import SweepDocuments
from splitopt.bundle.schema.sweep import Front, PlannedRecord, Record, Sweep
from splitopt.report.charts.pareto import pareto_charts
from splitopt.report.charts.svg import Chart
from splitopt.report.pages.page import render
from splitopt.report.pages.point_table import point_table
from splitopt.report.pages.points import PointView, point_views
from splitopt.report.pages.provenance import facts_of_sweep, settings_facts
from splitopt.report.text.sweep import (
    KNEE,
    MARKED_COLUMNS,
    marked_rows,
    marks_by_point,
    notes_of,
    points_of,
    priced,
    unfit_lines,
)


@dataclass(frozen=True)
class FrontView:
    """All that was found for one model on one board."""

    ident: str
    name: str
    verdict: str
    completeness: str
    marked: list[tuple[str, Row]]
    unfit: list[str]
    charts: list[Chart]
    points: list[PointView]
    others: list[PointView]


def render_sweep(documents: SweepDocuments) -> str:
    """One self-contained page. The documents are those of `load_sweep`, or fresh from a sweep."""
    sweep, records = documents.sweep, documents.records
    fronts = list(_fronts(documents))
    return render(
        "sweep",
        title=f"{sweep.name}: splitopt sweep",
        about=f"{sweep.path}: {plural(sweep.points, 'point')}, {_counts(sweep)}.",
        fronts=fronts,
        verdicts=[front.verdict for front in fronts] or ["No point has a plan."],
        table_of_points=point_table(records),
        marked_columns=MARKED_COLUMNS,
        knee=KNEE,
        estimated=any(row.exact is False for row in records),
        provenance=facts_of_sweep(sweep),
        settings=settings_facts(sweep.settings),
        contents=[
            ("verdict", "Verdict"),
            *((front.ident, front.name) for front in fronts),
            ("points", "All points"),
            ("estimates", "What rests on estimates"),
            ("provenance", "Provenance"),
        ],
    )


def _counts(sweep: Sweep) -> str:
    return ", ".join(f"{count} {status}" for status, count in sweep.counts.items() if count)


def _fronts(documents: SweepDocuments) -> Iterator[FrontView]:
    """Models and boards in the order of sweep.json's fronts; then those where nothing fits."""
    groups: dict[tuple[str, str], list[Record]] = {}
    complete: dict[tuple[str, str], bool] = {}
    for front in documents.sweep.fronts:
        key = front.model, front.board
        groups[key], complete[key] = [], front.is_complete
    for row in documents.records:
        if row.model is not None and row.board is not None:
            groups.setdefault((row.model, row.board), []).append(row)
    views = point_views(documents)
    entries = {(front.model, front.board): front for front in documents.sweep.fronts}
    for number, ((model, board), rows) in enumerate(groups.items()):
        entry = entries.get((model, board))
        points = [] if entry is None else list(points_of(entry, rows))
        marked = [] if entry is None else list(marked_rows(entry, points))
        short = {} if entry is None else marks_by_point(entry, short=True)
        first = {row.id for row, _ in marked}
        shown = [views[row.id] for row in _by_place(rows) if row.id in views]
        ident, name = f"front-{number}", f"{PurePath(model).name} on {board}"
        yield FrontView(
            ident,
            name,
            f"{name}: {_verdict(entry, rows)}",
            _completeness(complete.get((model, board), False), rows, entry),
            [(row.id, cells) for row, cells in marked],
            [] if entry is None else [*unfit_lines(entry), *notes_of(entry, points)],
            pareto_charts(rows, f"{ident}-chart", name, short),
            [view for view in shown if view.id in first],
            [view for view in shown if view.id not in first],
        )


def _by_place(rows: Sequence[Record]) -> list[PlannedRecord]:
    """The front first, by falling peak; then what is dominated."""
    planned = [row for row in rows if isinstance(row, PlannedRecord)]
    return sorted(planned, key=lambda row: (row.dominated, -row.peak_ram_bytes, row.added_insn))


def _verdict(front: Front | None, rows: Sequence[Record]) -> str:
    """How far RAM falls, and at what cost; or what would have to be granted."""
    if planned := [row for row in rows if isinstance(row, PlannedRecord)]:
        points = [] if front is None else list(points_of(front, rows))
        return " ".join([priced(front, planned), *unproved_lines(points)])
    budgets = (row.smallest_feasible_budget_bytes for row in rows)
    least = min((size for size in budgets if size is not None), default=None)
    hint = "" if least is None else f"; the smallest feasible budget is {format_bytes(least)}"
    return f"no point has a plan{hint}."


def _completeness(is_complete: bool, rows: Sequence[Record], entry: Front | None) -> str:
    front = [row for row in rows if row.plan and not row.dominated]
    if is_complete:
        but = " but for what a note says" if entry is not None and entry.notes else ""
        return (
            f"{plural(len(front), 'undominated point')}: the whole Pareto front{but}; it is "
            "proved that none is missing."
        )
    return (
        f"{plural(len(front), 'undominated point')} among those that were asked for; between them "
        "there may be others."
    )
