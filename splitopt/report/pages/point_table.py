"""The table of all points of a sweep, planned or not, without columns that would say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar

from splitopt.base.units import format_bytes, format_percent, pieces_text, signed_insn
from splitopt.bundle.schema.sweep import Record
from splitopt.report.charts.pareto import first_of_plan

Cell = tuple[str, Any]
"""What is shown, and by what it sorts (None: nothing there)."""

_NOTHING: Cell = ("", None)
T = TypeVar("T")


@dataclass(frozen=True)
class PointRow:
    """`link`: the point whose fold has the plan; empty where there is none.

    `status` with what rests on estimates, and whether pieces were run; `reason`: why no plan.
    """

    id: str
    link: str
    status: str
    reason: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class PointTable:
    """`header`: names of columns, and whether they hold numbers."""

    header: tuple[tuple[str, bool], ...]
    rows: tuple[PointRow, ...]


def point_table(records: Sequence[Record]) -> PointTable:
    first = {row.plan: row.id for row in first_of_plan(records)}
    columns = _columns(records, first)
    cells = [[cell(row) for row in records] for _, cell in columns]
    kept = [k for k, column in enumerate(cells) if any(value is not None for _, value in column)]
    return PointTable(
        tuple((columns[k][0], _holds_numbers(cells[k])) for k in kept),
        tuple(
            PointRow(
                row.id,
                first.get(row.plan or "", ""),
                _status(row),
                unplanned_reason(row),
                tuple(cells[k][at] for k in kept),
            )
            for at, row in enumerate(records)
        ),
    )


def _holds_numbers(column: Iterable[Cell]) -> bool:
    return all(not isinstance(value, str) for _, value in column)


def _columns(
    records: Sequence[Record], first: dict[str, str]
) -> list[tuple[str, Callable[[Record], Cell]]]:
    several = {key: len({getattr(row, key) for row in records}) > 1 for key in ("model", "board")}
    objectives = len({_objective(row) for row in records} - {""}) > 1
    return [
        ("model", lambda row: _text(_model(row) if several["model"] else "")),
        ("board", lambda row: _text(row.board if several["board"] else "")),
        ("budget", lambda row: _shown(row.budget_bytes, "{:,}".format)),
        ("peak RAM", lambda row: _shown(row.peak_ram_bytes, "{:,}".format)),
        (
            "change",
            lambda row: _share(
                row.peak_ram_bytes, row.unsplit_ram_bytes, less=row.unsplit_ram_bytes or 0
            ),
        ),
        ("added insn", lambda row: _shown(row.added_insn, signed_insn)),
        ("of Invoke", lambda row: _share(row.added_insn, row.estimated_invoke_insn)),
        (
            "pieces",
            lambda row: _shown(row.pieces, lambda pieces: pieces_text(pieces, row.streamed)),
        ),
        ("place", lambda row: _text(_place(row, first))),
        ("most pieces", lambda row: _shown(row.max_pieces, str)),
        ("minimise", lambda row: _text(_objective(row) if objectives else "")),
        ("time, s", lambda row: _shown(row.wall_s, "{:.2f}".format)),
    ]


def _model(row: Record) -> str:
    return PurePath(row.model).name if row.model else f"job {row.job}"


def _objective(row: Record) -> str:
    if row.kind == "front":
        return "all (front)"
    return row.objective.minimise if row.objective else ""


def _status(row: Record) -> str:
    """The proof status; with it, what rests on estimates, and whether pieces were run."""
    parts: list[str] = [row.status]
    if row.exact is False:
        parts.append("bytes estimated")
    if row.proved is not None:
        parts.append("pieces equal" if row.proved else "PIECES NOT EQUAL")
    return ", ".join(parts)


def _place(row: Record, first: dict[str, str]) -> str:
    if not row.plan:
        return ""
    if first[row.plan] != row.id:
        return f"plan of {first[row.plan]}"
    return "dominated" if row.dominated else "front"


def _shown(value: T | None, form: Callable[[T], str]) -> Cell:
    return _NOTHING if value is None else (form(value), value)


def _text(value: str | None) -> Cell:
    return value or "", value or None


def _share(part: int | None, whole: int | None, *, less: int = 0) -> Cell:
    """`part - less` of `whole`."""
    if part is None or not whole:
        return _NOTHING
    return format_percent(part - less, whole), round((part - less) / whole, 6)


def unplanned_reason(row: Record) -> str:
    """Why a point has no plan; empty where it has one."""
    if row.error:
        return str(row.error)
    if row.plan:
        return ""
    if row.status != "INFEASIBLE":
        return "time ran out before a plan was found; that does not mean that there is none"
    bound, least = row.floor, row.smallest_feasible_budget_bytes
    cause = f" because of op {bound.op} {bound.type}" if bound else ""
    hint = "" if least is None else f"; the smallest feasible budget is {format_bytes(least)}"
    return f"no plan fits{cause}{hint}"
