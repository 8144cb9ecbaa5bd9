"""sweep.json and records.jsonl: what was asked, and what became of each point."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field

from splitopt.bundle.schema.common import (
    MOST_OPS,
    Cause,
    Count,
    Document,
    Line,
    Long,
    Map,
    Number,
    Op,
    Open,
    Shape,
    Signed,
    Text,
    Texts,
)
from splitopt.bundle.schema.plan import SingleOpBound
from splitopt.bundle.thresholds import Figure

Id = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
PLANNED = ("OPTIMAL", "FEASIBLE")


class Mark(Shape):
    """A point of a front that stands out. `fits`: the cheapest within the budget of a known board;
    `point` is null where none fits. `balanced`, `knee`, `smallest`: of the whole front."""

    mark: Literal["fits", "balanced", "knee", "smallest"]
    point: Id | None
    board: Line | None = None
    budget_bytes: Count | None = None


class BudgetCost(Shape):
    """What a round budget costs: the cheapest point within it."""

    budget_bytes: Count
    point: Id
    added_insn: Signed


class Front(Shape):
    """The undominated points of a model on a board, by falling peak.

    `is_complete`: all budgets were asked for at once, and it is proved that no point is missing.
    `budgets` fall. `notes`: what the choice of plans left out.
    """

    model: Text
    board: Line
    is_complete: bool
    points: tuple[Id, ...]
    marks: tuple[Mark, ...] = ()
    budgets: tuple[BudgetCost, ...] = ()
    notes: Texts = ()


class Sweep(Document):
    """sweep.json. `counts`: points by status. `key`: a hash of all that decides the results."""

    name: Text
    path: Text
    key: Line = ""
    settings: Map
    points: Count
    counts: dict[Line, Count]
    fronts: tuple[Front, ...]
    resumed_points: Count = 0
    wall_s: Number
    solver_s: Number
    versions: dict[Line, Line | None]
    command: tuple[Text, ...]
    created_utc: Line


class RowObjective(Open):
    minimise: Line


class Record(Shape):
    """A line of records.jsonl, whatever became of the point; null for what it does not have.

    `kind` `front`: all budgets at once. `streamed`: how many of its pieces are streams. `proved`:
    whether its pieces were run and found equal. `shared_from`: the point whose plan this is.
    `notes`: of a plan of a front, those of the plan. `unfinished`: why its plan, or the front that
    it is of, is not proved.
    """

    id: Id
    kind: Line
    job: Text
    model: Text | None
    board: Line | None
    budget_bytes: Count | None
    board_budget_bytes: Count | None = None
    objective: RowObjective | None
    max_pieces: Count | None
    status: Literal["OPTIMAL", "FEASIBLE", "INFEASIBLE", "UNKNOWN", "FAILED"]
    peak_ram_bytes: Count | None = None
    added_insn: Signed | None = None
    pieces: Annotated[int, Field(ge=1, le=10**6)] | None = None
    streamed: Count = 0
    cuts: Annotated[tuple[Op, ...], Field(max_length=MOST_OPS)] | None = None
    exact: bool | None
    largest_arena_bytes: Count | None = None
    limiting_ops: tuple[Op, Op] | None = None
    unsplit_ram_bytes: Count | None
    estimated_invoke_insn: Count | None
    floor: SingleOpBound | None
    smallest_feasible_budget_bytes: Count | None
    plan: Text | None
    bundle: Text | None = None
    proved: bool | None = None
    dominated: bool
    front_is_complete: bool = False
    unfinished: Cause | None = None
    notes: Texts = ()
    shared_from: Text | None = None
    wall_s: Number
    solver_s: Number
    error: Long | None

    @property
    def key(self) -> tuple[str, ...]:
        """What was asked. A plan of a front answers the budget that is its own peak."""
        budget = self.peak_ram_bytes if self.kind == "front" else self.budget_bytes
        objective = {} if self.objective is None else self.objective.model_dump()
        return (
            PurePath(self.model or "").name,
            self.board or "",
            "" if budget is None else str(budget),
            ", ".join(
                f"{k}={value}" for k, value in sorted(objective.items()) if value is not None
            ),
            "" if self.max_pieces is None else str(self.max_pieces),
        )

    @property
    def figures(self) -> Mapping[str, Figure]:
        """What `--fail-on` can name; None where the point has no plan."""
        return {
            "peak_ram_bytes": self.peak_ram_bytes,
            "largest_arena_bytes": self.largest_arena_bytes,
            "added_insn": self.added_insn,
            "pieces": self.pieces,
            "status": self.status,
            "exact": None if self.exact is None else str(self.exact).lower(),
            "checks": {None: "skipped", True: "passed", False: "failed"}[self.proved],
        }


class PlannedRecord(Record):
    """The line of a point that has a plan."""

    model: Text
    board: Line
    status: Literal["OPTIMAL", "FEASIBLE"]
    peak_ram_bytes: Count
    added_insn: Signed
    pieces: Annotated[int, Field(ge=1, le=10**6)]
    cuts: Annotated[tuple[Op, ...], Field(max_length=MOST_OPS)]
    exact: bool
    largest_arena_bytes: Count
    unsplit_ram_bytes: Count
    plan: Text
