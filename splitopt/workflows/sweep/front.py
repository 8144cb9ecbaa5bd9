"""The Pareto front of one model on one board, as a sweep finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from splitopt.base.text import html_table
from splitopt.base.units import format_bytes, format_insn, format_percent, plural
from splitopt.bundle.front_marks import budget_costs, marks_of
from splitopt.bundle.left_out import unproved_lines
from splitopt.bundle.schema import sweep as schema
from splitopt.bundle.schema.sweep import PlannedRecord, Record
from splitopt.config.board import Board
from splitopt.report.charts.drawing import Drawing, drawing_of
from splitopt.report.charts.pareto import pareto_charts

_HEADER = ("peak RAM", "of unsplit", "added insn (estimate)", "of Invoke", "pieces", "proof")


@dataclass(frozen=True)
class Front:
    """Plans by falling peak RAM, none of which another dominates in peak RAM, added instructions
    and, where it counts, number of pieces. `is_complete`: it is proved that none is missing."""

    model: str
    board: str
    is_complete: bool
    points: tuple[PlannedRecord, ...]

    @property
    def unsplit_ram_bytes(self) -> int:
        return self.points[0].unsplit_ram_bytes

    @property
    def invoke_insn(self) -> int | None:
        """Of the unsplit model, estimated; None where one of its ops has no estimate."""
        return self.points[0].estimated_invoke_insn

    @property
    def notes(self) -> tuple[str, ...]:
        """What the choice of its plans did not hold, and why it is not proved."""
        notes = dict.fromkeys(note for point in self.points for note in point.notes)
        return (*notes, *unproved_lines(self.points))

    def entry(self, swept: Board, boards: Sequence[Board]) -> schema.Front:
        """The front as sweep.json has it. `boards`: for which the cheapest that fits is marked."""
        return schema.Front(
            model=self.model,
            board=self.board,
            is_complete=self.is_complete,
            points=tuple(point.id for point in self.points),
            marks=tuple(marks_of(self.points, boards, swept)),
            budgets=tuple(budget_costs(self.points))[::-1],
            notes=self.notes,
        )

    def chart(self) -> Drawing:
        """Peak RAM against added instructions; notebooks show it as SVG."""
        charts = pareto_charts(self.points, "front", self._where)
        return drawing_of(charts, charts[0].legend)

    @property
    def _where(self) -> str:
        return f"{Path(self.model).name} on {self.board}"

    def __repr__(self) -> str:
        peaks = [point.peak_ram_bytes for point in self.points]
        complete = "" if self.is_complete else ", maybe not complete"
        return (
            f"<Front {self._where}: {plural(len(peaks), 'plan')}, {format_bytes(peaks[0])} down to "
            f"{format_bytes(peaks[-1])}{complete}>"
        )

    def _repr_html_(self) -> str:
        whole, invoke = self.unsplit_ram_bytes, self.invoke_insn
        rows = [
            (
                format_bytes(point.peak_ram_bytes),
                format_percent(point.peak_ram_bytes - whole, whole),
                format_insn(point.added_insn),
                format_percent(point.added_insn, invoke),
                str(point.pieces),
                point.status,
            )
            for point in self.points
        ]
        caption = ". ".join([f"Pareto front of {self._where}", *self.notes])
        return html_table(caption, _HEADER, rows)


def fronts_of(rows: Sequence[Record]) -> tuple[Front, ...]:
    """The undominated rows of each model and board."""
    groups: dict[tuple[str, str], list[PlannedRecord]] = {}
    for row in rows:
        if isinstance(row, PlannedRecord) and not row.dominated:
            groups.setdefault((row.model, row.board), []).append(row)
    return tuple(
        Front(
            model,
            board,
            all(row.front_is_complete for row in found),
            tuple(sorted(found, key=lambda row: (-row.peak_ram_bytes, row.added_insn))),
        )
        for (model, board), found in groups.items()
    )
