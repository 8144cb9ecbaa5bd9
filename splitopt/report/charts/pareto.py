"""Peak RAM against added instructions, of one model on one board; and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from splitopt.base.text import csv_cell
from splitopt.base.units import added_text, format_bytes, format_percent, plural
from splitopt.bundle.schema.sweep import PlannedRecord, Record
from splitopt.report.charts.scale import Scale, kib_ticks, ticks
from splitopt.report.charts.svg import Chart, Key, drawing, group, line, number, rect, text

_LEFT, _TOP, _HEIGHT, _BOTTOM, _RIGHT = 52, 22, 300, 46, 14
_WIDE, _NARROW = 960, 474
_CLOSE = 3
_RADIUS = 4.5
_CSV_COLUMNS = (
    "id", "kind", "job", "model", "board", "budget_bytes", "max_pieces", "status",
    "peak_ram_bytes", "added_insn", "pieces", "cuts", "exact", "largest_arena_bytes",
    "unsplit_ram_bytes", "estimated_invoke_insn", "smallest_feasible_budget_bytes", "dominated",
    "proved", "wall_s", "solver_s", "shared_from", "error",
)  # fmt: skip

LEGEND: tuple[Key, ...] = (
    ("point-front", "on the front, OPTIMAL"),
    ("point-open", "on the front, FEASIBLE: a better plan may exist"),
    ("point-dominated", "dominated: another plan is at least as good in all that is measured"),
    ("point-refused", "a budget that no plan fits (INFEASIBLE), or none was found for (UNKNOWN)"),
)


@dataclass(frozen=True)
class _Frame:
    x: Scale
    y: Scale

    def place(self, row: PlannedRecord) -> tuple[float, float]:
        return self.x(row.peak_ram_bytes), self.y(row.added_insn)


def pareto_charts(
    rows: Sequence[Record], ident: str, where: str, marks: Mapping[str, str] | None = None
) -> list[Chart]:
    """All points; then only the split ones, where they stand too close to be told apart.

    Points that share a plan are one marker. `marks`: by id of a point, the words beside it.
    """
    words = marks or {}
    planned = first_of_plan(rows)
    if not planned:
        return []
    refused = [row for row in rows if not row.plan and row.budget_bytes]
    split = [row for row in planned if row.added_insn]
    near = are_close(split, planned, refused)
    whole = _framed(_peaks(planned, refused), [0, *_added(planned)], _NARROW if near else _WIDE)
    charts = [_chart(planned, refused, whole, ident, f"Pareto front: {where}", words)]
    if near:
        frame = _framed(_peaks(split, []), _added(split), _NARROW)
        title = f"Pareto front, split plans only, enlarged: {where}"
        charts.append(_chart(split, [], frame, f"{ident}-split", title, words))
    return charts


def first_of_plan(rows: Sequence[Record]) -> list[PlannedRecord]:
    """Of the points that have one plan, the first."""
    first: dict[str, PlannedRecord] = {}
    for row in rows:
        if isinstance(row, PlannedRecord):
            first.setdefault(row.plan, row)
    return list(first.values())


def _peaks(planned: Sequence[PlannedRecord], refused: Sequence[Record]) -> list[int]:
    return [r.peak_ram_bytes for r in planned] + [r.budget_bytes or 0 for r in refused]


def _added(planned: Sequence[PlannedRecord]) -> list[int]:
    return [row.added_insn for row in planned]


def are_close(
    split: Sequence[PlannedRecord], planned: Sequence[PlannedRecord], refused: Sequence[Record]
) -> bool:
    """In one direction at least, split plans take a small part of the whole drawing."""
    if len(split) < 3:
        return False
    peaks = _extent(_peaks(split, [])), _extent(_peaks(planned, refused))
    added = _extent(_added(split)), _extent([0, *_added(planned)])
    return any(0 < _CLOSE * mine < whole for mine, whole in (peaks, added))


def _extent(values: Sequence[int]) -> int:
    return max(values) - min(values)


def _framed(peaks: Sequence[int], added: Sequence[int], width: int) -> _Frame:
    """Axes with a margin around all values."""

    def margin(values: Sequence[int]) -> tuple[float, float]:
        low, high = min(values), max(values)
        room = 0.07 * (high - low) or max(0.05 * high, 1)
        least = low - room if low < 0 else max(low - room, 0) if low else 0
        return least, high + room

    return _Frame(
        Scale(*margin(peaks), _LEFT, _LEFT + width),
        Scale(*margin(added), _TOP + _HEIGHT, _TOP),
    )


def _chart(
    planned: Sequence[PlannedRecord],
    refused: Sequence[Record],
    frame: _Frame,
    ident: str,
    title: str,
    words: Mapping[str, str],
) -> Chart:
    dominated = [row for row in planned if row.dominated]
    front = [row for row in planned if not row.dominated]
    parts = [
        group("axis", _axes(frame)),
        *(upright(frame, value, name) for name, _, value in _references(planned[0], frame)),
        group("marks point-refused", (_cross(row, frame) for row in refused)),
        group("marks point-dominated", (_point(row, frame) for row in dominated)),
        group("marks points", (_point(row, frame) for row in front)),
        group("point-labels", _point_labels(front, frame, words)),
    ]
    size = frame.x.stop + _RIGHT, _TOP + _HEIGHT + _BOTTOM
    return Chart(
        ident,
        title,
        drawing(ident, title, *size, parts, data=_data(frame)),
        legend=_keys(front, dominated, refused, frame),
    )


def _keys(
    front: Sequence[PlannedRecord],
    dominated: Sequence[PlannedRecord],
    refused: Sequence[Record],
    frame: _Frame,
) -> tuple[Key, ...]:
    kinds = {"point-front"}
    kinds |= {"point-refused"} if refused else set()
    kinds |= {"point-dominated"} if dominated else set()
    kinds |= {"point-open"} if any(row.status == "FEASIBLE" for row in front) else set()
    lines = (
        (name, f"{says}: {format_bytes(value)}")
        for name, says, value in _references([*front, *dominated][0], frame)
    )
    row = [*front, *dominated][0]
    budget = row.board_budget_bytes
    beyond: tuple[Key, ...] = ()
    if budget and not frame.x.low <= budget <= frame.x.high:
        says = f"budget of {row.board}: {format_bytes(budget)} (beyond this chart)"
        beyond = (("line-budget", says),)
    return (*(key for key in LEGEND if key[0] in kinds), *lines, *beyond)


def _axes(frame: _Frame) -> Iterator[str]:
    bottom = frame.y.start
    for value, label in kib_ticks(frame.x.low, frame.x.high):
        yield line(frame.x(value), _TOP, frame.x(value), bottom, "grid")
        yield text(frame.x(value), bottom + 17, label, anchor="middle")
    for value in ticks(frame.y.low / 1e6, frame.y.high / 1e6):
        y = frame.y(value * 1e6)
        yield line(_LEFT, y, frame.x.stop, y, "grid")
        yield text(_LEFT - 7, y + 4, f"{value:,.10g}", anchor="end")
    yield text((_LEFT + frame.x.stop) / 2, bottom + 37, "peak RAM, KiB", anchor="middle")
    yield text(4, 12, "added instructions per inference, millions (estimate)")


def _references(row: PlannedRecord, frame: _Frame) -> list[tuple[str, str, int]]:
    """Where the unsplit model and the single-op bound are, if that is in sight."""
    bound = row.floor
    found = [("line-unsplit", "unsplit model", row.unsplit_ram_bytes)]
    budget = row.board_budget_bytes
    if budget:
        found.append(("line-budget", f"budget of {row.board}", budget))
    if bound is not None:
        says = f"single-op bound, because of op {bound.op} {bound.type}"
        found.append(("line-floor", says, bound.least_ram_bytes))
    return [entry for entry in found if frame.x.low <= entry[2] <= frame.x.high]


def upright(frame: _Frame, value: int, name: str) -> str:
    """A line at a peak RAM; the page's script moves it where a part is enlarged."""
    x = number(frame.x(value))
    ends = f'x1="{x}" x2="{x}" y1="{number(_TOP)}" y2="{number(frame.y.start)}"'
    return f'<line {ends} class="{name}" data-x="{value}"/>'


def _data(frame: _Frame) -> str:
    """Where the axes are, in units of the drawing and in bytes and instructions."""
    x, y = frame.x, frame.y
    places = (x.start, x.stop, y.stop, y.start, x.low, x.high, y.low, y.high)
    return " ".join(number(place) for place in places)


def _point(row: PlannedRecord, frame: _Frame) -> str:
    """A link to the plan: a disc; a square where the status is not OPTIMAL."""
    x, y = frame.place(row)
    r = 3.0 if row.dominated else _RADIUS
    says = f"<title>{escape(point_text(row))}</title>"
    if row.status == "OPTIMAL":
        shape = f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}">{says}</circle>'
    else:
        shape = (
            f'<rect class="open" x="{number(x - r)}" y="{number(y - r)}" width="{number(2 * r)}" '
            f'height="{number(2 * r)}">{says}</rect>'
        )
    data = f'data-x="{row.peak_ram_bytes}" data-y="{row.added_insn}"'
    return f'<a href="#p-{escape(row.id)}" {data}>{shape}</a>'


def point_text(row: PlannedRecord) -> str:
    change = format_percent(row.peak_ram_bytes - row.unsplit_ram_bytes, row.unsplit_ram_bytes)
    return (
        f"point {row.id}: {format_bytes(row.peak_ram_bytes)} ({change}), "
        f"{added_text(row.added_insn, row.estimated_invoke_insn)}, {plural(row.pieces, 'piece')}, "
        f"{row.status}{', dominated' if row.dominated else ''}"
    )


def _cross(row: Record, frame: _Frame) -> str:
    """On the axis of budgets; the target around it is larger than the two strokes."""
    x, y = frame.x(row.budget_bytes or 0), frame.y.start
    says = escape(
        f"point {row.id}: {row.status} within a budget of {format_bytes(row.budget_bytes or 0)}"
    )
    strokes = "".join(line(x - 4, y - 4 * k, x + 4, y + 4 * k) for k in (1, -1))
    return (
        f'<g tabindex="-1">{rect(x - 7, y - 7, 14, 14, "target")}{strokes}<title>{says}</title></g>'
    )


def _point_labels(
    rows: Sequence[PlannedRecord], frame: _Frame, words: Mapping[str, str]
) -> Iterator[str]:
    """What a point is marked as beside it, where that covers no other label and leaves no frame."""
    taken: list[tuple[float, ...]] = []
    for row in rows:
        says = words.get(row.id, "")
        if not says:
            continue
        (x, y), width, reach = frame.place(row), 6.4 * len(says), _RADIUS + 3
        for left, top in (
            (x + reach, y - 6),
            (x + reach, y + 6),
            (x + reach, y - 18),
            (x - reach - width, y - 6),
            (x - width / 2, y - reach - 11),
            (x - width / 2, y + reach),
        ):
            box = (left, top, left + width, top + 12)
            inside = frame.x.start <= left and box[2] <= frame.x.stop and box[3] <= frame.y.start
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                data = f'data-x="{row.peak_ram_bytes}" data-y="{row.added_insn}"'
                yield f"<g {data}>{text(left, top + 10, says)}</g>"
                break


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def pareto_csv(rows: Sequence[Record]) -> str:
    """A line for each record; cuts separated by spaces; no cell that a spreadsheet would run."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for row in rows:
        writer.writerow([_cell(getattr(row, column)) for column in _CSV_COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    return csv_cell(value) if isinstance(value, str) else value
