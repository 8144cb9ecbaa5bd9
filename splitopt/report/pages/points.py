"""The plans of a sweep, each with the memory map of the piece that sets its peak."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.bundle.left_out import most_better_text
from splitopt.bundle.load import PointPlan, SweepDocuments
from splitopt.bundle.schema.memory import ArenaMap
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.sweep import PlannedRecord
from splitopt.report.charts.memory_map import boundary_names, memory_map
from splitopt.report.charts.pareto import first_of_plan, point_text
from splitopt.report.charts.svg import Chart
from splitopt.report.pages.tables import Grid, segment_grid

_MOST_CHARACTERS = 420_000
_LONGEST_NAME = 44
_CHARACTERS_OF_A_PIECE = 500


@dataclass(frozen=True)
class PointView:
    """A plan as its fold shows it. `note` stands where the map, or all of it, would, if that is
    not on this page."""

    id: str
    heading: str
    proof: str
    cuts: str
    segments: Grid | None
    limiting: int
    chart: Chart | None
    note: str
    note_link: str


def point_views(documents: SweepDocuments) -> dict[str, PointView]:
    """By id of the first point with a plan.

    A map that several plans share is drawn once. Marked points come first, then those that are
    undominated; where a page would get too large, tables and maps of the rest are left out, and
    said to be.
    """
    marked = {mark.point for front in documents.sweep.fronts for mark in front.marks}
    drawn: dict[tuple[str, int, str], str] = {}
    room = _MOST_CHARACTERS
    views = {}
    for row in sorted(
        first_of_plan(documents.records), key=lambda row: (row.id not in marked, row.dominated)
    ):
        point = documents.plans[row.id]
        arena = point.memory.segments[point.plan.limiting.index]
        key = arena.model_dump_json(), point.memory.region_bytes, point.plan.model.sha256
        room -= _CHARACTERS_OF_A_PIECE * len(point.plan.segments)
        if room < 0:
            views[row.id] = _view(row, point, None, "", is_told=False)
        elif key in drawn:
            views[row.id] = _view(row, point, None, drawn[key])
        else:
            chart = _map(row, point, arena)
            room -= len(chart.svg)
            drawn[key] = row.id if room >= 0 else ""
            views[row.id] = _view(row, point, chart if room >= 0 else None, "")
    return views


def _view(
    row: PlannedRecord,
    point: PointPlan,
    chart: Chart | None,
    same_as: str,
    *,
    is_told: bool = True,
) -> PointView:
    plan = point.plan
    note = ""
    if chart is None:
        note = (
            f"The piece that sets the peak has the memory map of point {same_as}."
            if same_as
            else f"{'Its memory map is' if is_told else 'Pieces and memory map are'} beside "
            f"{row.plan}: too much for one page."
        )
    return PointView(
        row.id,
        point_text(row),
        proof_words(row.status, plan),
        ", ".join(str(segment.start) for segment in plan.segments[1:]) or "none",
        segment_grid(plan) if is_told else None,
        plan.limiting.index,
        chart,
        note,
        same_as,
    )


def _map(row: PlannedRecord, point: PointPlan, arena: ArenaMap) -> Chart:
    number = point.plan.limiting.index
    return memory_map(
        arena,
        point.memory.region_bytes,
        boundary_names(point.plan),
        ident=f"map-{row.id}",
        title=f"Point {row.id}: memory map of piece {number:02d}, which sets the peak",
        width=700,
        height=220,
        longest_name=_LONGEST_NAME,
        stream=point.plan.limiting.stream,
    )


def proof_words(status: str, plan: Plan) -> str:
    """What the status of a point claims."""
    if status == "OPTIMAL":
        basis = "" if plan.exact else " on these estimates of bytes"
        return f"OPTIMAL{basis}: no other plan is better under this point's limits."
    return f"{status}: a better plan may exist, {most_better_text(plan.objective)}."
