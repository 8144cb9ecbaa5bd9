"""What the documents of a sweep must hold for a report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from splitopt.bundle.schema import Count, Line, Map, Number, Op, Shape, Text

Id = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
PLANNED = ("OPTIMAL", "FEASIBLE")


class Front(Shape):
    model: Text
    board: Line
    is_complete: bool
    points: list[Id]


class Sweep(Shape):
    """sweep.json."""

    schema_version: Literal[1]
    name: Text
    path: Text
    settings: Map
    wall_s: Number
    solver_s: Number
    points: Count
    counts: dict[Line, Count]
    fronts: list[Front]
    versions: dict[Line, Line | None]
    command: list[Text]
    created_utc: Line


class Floor(Shape):
    op: Op
    type: Line
    least_ram_bytes: Count


class Objective(Shape):
    minimise: Line


class Record(Shape):
    """A line of records.jsonl, whatever became of the point."""

    id: Id
    kind: Line
    job: Text
    model: Text | None
    board: Line | None
    budget_bytes: Count | None
    objective: Objective | None
    max_pieces: Count | None
    status: Literal["OPTIMAL", "FEASIBLE", "INFEASIBLE", "UNKNOWN", "FAILED"]
    exact: bool | None
    unsplit_ram_bytes: Count | None
    estimated_invoke_insn: Count | None
    floor: Floor | None
    smallest_feasible_budget_bytes: Count | None
    plan: Text | None
    wall_s: Number
    solver_s: Number
    shared_from: Text | None = None
    error: Annotated[str, Field(max_length=65536)] | None
    dominated: bool
    proved: bool | None = None


class PlannedRecord(Record):
    """The line of a point that has a plan."""

    model: Text
    board: Line
    status: Literal["OPTIMAL", "FEASIBLE"]
    peak_ram_bytes: Count
    added_insn: Count
    pieces: Annotated[int, Field(ge=1, le=10**6)]
    cuts: list[Op]
    exact: bool
    largest_arena_bytes: Count
    unsplit_ram_bytes: Count
    plan: Text
