"""A point's row, and the documents of its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from splitopt.bundle.memory_json import memory_document
from splitopt.bundle.plan_json import plan_document
from splitopt.bundle.schema.memory import Memory
from splitopt.bundle.schema.plan import Plan, SingleOpBound
from splitopt.bundle.schema.sweep import PlannedRecord, Record, RowObjective
from splitopt.pieces.piece_set import PieceSet, graphs_of
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.dominance import undominated
from splitopt.workflows.plan import Prepared
from splitopt.workflows.sweep.grid import FRONT, Point
from splitopt.workflows.sweep.task import Answer

Measures = tuple[int, int, int]
"""(peak RAM in bytes, added instructions, cuts where these count)."""


@dataclass(frozen=True)
class Made:
    """A row, with plan.json and memory.json where it has a plan that no other row has."""

    row: Record
    plan: Plan | None = None
    memory: Memory | None = None


def failed(point: Point, error: str) -> Made:
    """The row of a point that could not be run."""
    return Made(Record(**_asked(point, None), status="FAILED", error=error))


def made_of(point: Point, prepared: Prepared, answer: Answer) -> Iterator[Made]:
    """The rows of an answer: one, or one for each plan of a front (`0007-03`)."""
    base = {**_asked(point, prepared), "shared_from": answer.shared_from, "error": answer.error}
    times = {"wall_s": round(answer.wall_s, 4), "solver_s": round(answer.solver_s, 4)}
    if not answer.plans:
        unplanned = "INFEASIBLE" if answer.is_infeasible else "UNKNOWN"
        least = None if answer.least is None else answer.least.peak_ram_bytes
        base |= {**times, "smallest_feasible_budget_bytes": least}
        base["status"] = "FAILED" if answer.error is not None else unplanned
        yield Made(Record(**base))
    for number, plan in enumerate(answer.plans, 1):
        name = point.id if point.kind != FRONT else f"{point.id}-{number:02d}"
        shared = answer.shared_from is not None
        row = PlannedRecord(
            **{
                **base,
                **{key: round(value / len(answer.plans), 4) for key, value in times.items()},
                **_figures(plan),
                "unfinished": plan.unfinished.cause if plan.unfinished else answer.cause,
                "id": name,
                "plan": f"plans/{answer.shared_from or name}/plan.json",
                "front_is_complete": point.kind == FRONT and answer.is_complete,
                "notes": plan.notes if point.kind == FRONT else (),
            }
        )
        yield Made(row) if shared else Made(row, *_documents(point, prepared, plan))


def _asked(point: Point, prepared: Prepared | None) -> dict[str, Any]:
    """The axes of a point, and what is known of it without a plan."""
    job = point.job
    spec = None if job is None else job.spec
    given = point.overrides.get("budget_bytes")
    return {
        "id": point.id,
        "kind": point.kind,
        "job": point.file.stem,
        "model": None if job is None else str(job.model_path),
        "board": None if job is None else job.board.name,
        "budget_bytes": given if job is None or point.kind == FRONT else job.budget_bytes,
        "board_budget_bytes": None if job is None else job.board.budget_bytes,
        "objective": None if spec is None else RowObjective(**spec.objective.model_dump()),
        "max_pieces": None if spec is None else spec.pieces.max,
        "exact": None,
        "unsplit_ram_bytes": None if prepared is None else prepared.baseline.ram_bytes,
        "estimated_invoke_insn": None if prepared is None else prepared.baseline.invoke.whole,
        "floor": None if prepared is None else _bound(prepared),
        "smallest_feasible_budget_bytes": None,
        "plan": None,
        "dominated": False,
        "wall_s": 0.0,
        "solver_s": 0.0,
    }


def _bound(prepared: Prepared) -> SingleOpBound:
    bound = prepared.single_op_bound
    type_ = prepared.graph.ops[bound.op].type
    return SingleOpBound(op=bound.op, type=type_, least_ram_bytes=bound.least_ram_bytes)


def _figures(plan: SplitPlan) -> dict[str, Any]:
    limiting = plan.limiting_segment
    return {
        "status": plan.status.name,
        "peak_ram_bytes": plan.peak_ram_bytes,
        "added_insn": plan.added_insn,
        "pieces": len(plan.segments),
        "streamed": sum(segment.figures.stream is not None for segment in plan.segments),
        "cuts": tuple(plan.cuts),
        "exact": plan.exact,
        "largest_arena_bytes": max(s.figures.arena_bytes for s in plan.segments),
        "limiting_ops": (limiting.start, limiting.stop),
    }


def _documents(point: Point, prepared: Prepared, plan: SplitPlan) -> tuple[Plan, Memory]:
    assert point.job is not None, "a point with a plan is a job"
    graph = prepared.graph
    made = PieceSet("whole", plan, (), graphs_of(graph, plan))
    document = plan_document(
        graph,
        point.job,
        made,
        prepared.baseline,
        (),
        prepared.single_op_bound,
        prepared.names,
        prepared.io,
    )
    return document, memory_document(graph, prepared.baseline, made)


def with_dominated(rows: Sequence[Record], *, counts_pieces: bool = False) -> list[Record]:
    """Each row with whether another of the same model and board is no worse in peak RAM and added
    instructions, and better in one; with `counts_pieces` in cuts, too. Of points that are equal in
    these, all but the first one of the fewest pieces are."""
    groups: dict[tuple[str, str], list[tuple[int, PlannedRecord]]] = {}
    for at, row in enumerate(rows):
        if isinstance(row, PlannedRecord):
            groups.setdefault((row.model, row.board), []).append((at, row))

    def measures(entry: tuple[int, PlannedRecord]) -> Measures:
        row = entry[1]
        return row.peak_ram_bytes, row.added_insn, len(row.cuts) * counts_pieces

    few_first = (sorted(group, key=lambda entry: len(entry[1].cuts)) for group in groups.values())
    best = {at for group in few_first for at, _ in undominated(group, measures)}
    return [
        row.model_copy(update={"dominated": isinstance(row, PlannedRecord) and at not in best})
        for at, row in enumerate(rows)
    ]
