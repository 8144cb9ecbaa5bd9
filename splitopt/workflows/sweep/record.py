"""A point's row, and the documents of its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from splitopt.bundle.memory_json import memory_document
from splitopt.bundle.plan_json import plan_document
from splitopt.bundle.zz_onnx_names import add_onnx_names
from splitopt.pieces.piece_set import PieceSet, graphs_of
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.unsplit import Baseline
from splitopt.solvers.dominance import undominated
from splitopt.workflows.plan import Prepared
from splitopt.workflows.sweep.grid import FRONT, Point
from splitopt.workflows.sweep.task import Answer

Row = dict[str, Any]
Measures = tuple[int, int, int]
"""(peak RAM in bytes, added instructions, pieces)."""


@dataclass(frozen=True)
class Made:
    """A row, with plan.json and memory.json where it has a plan that no other row has."""

    row: Row
    plan: dict[str, Any] | None = None
    memory: dict[str, Any] | None = None


def failed(point: Point, error: str) -> Made:
    """The row of a point that could not be run."""
    return Made({**_empty(point, None), "status": "FAILED", "error": error})


def made_of(point: Point, prepared: Prepared, answer: Answer) -> Iterator[Made]:
    """The rows of an answer: one, or one for each plan of a front (`0007-03`)."""
    base = _empty(point, prepared)
    times = {"wall_s": round(answer.wall_s, 4), "solver_s": round(answer.solver_s, 4)}
    if answer.error is not None:
        yield Made({**base, **times, "status": "FAILED", "error": answer.error})
    elif not answer.plans:
        status = "INFEASIBLE" if answer.is_infeasible else "UNKNOWN"
        least = None if answer.least is None else answer.least.peak_ram_bytes
        also = {"shared_from": answer.shared_from, "smallest_feasible_budget_bytes": least}
        yield Made({**base, **times, **also, "status": status})
    for number, plan in enumerate(answer.plans, 1):
        name = point.id if point.kind != FRONT else f"{point.id}-{number:02d}"
        owner = answer.shared_from or name
        row = {**base, **_figures(plan), "id": name, "plan": f"plans/{owner}/plan.json"}
        share = {key: round(value / len(answer.plans), 4) for key, value in times.items()}
        row |= {**share, "shared_from": answer.shared_from}
        row["front_is_complete"] = point.kind == FRONT and answer.is_complete
        shared = answer.shared_from is not None
        yield Made(row) if shared else Made(row, *_documents(point, prepared, plan))


def _empty(point: Point, prepared: Prepared | None) -> Row:
    """The axes of a point, and nulls for what a plan would say."""
    job = point.job
    spec = None if job is None else job.spec
    baseline = None if prepared is None else prepared.baseline
    given = point.overrides.get("budget_bytes")
    return {
        "id": point.id,
        "kind": point.kind,
        "job": point.file.stem,
        "model": None if job is None else str(job.model_path),
        "board": None if job is None else job.board.name,
        "budget_bytes": given if job is None or point.kind == FRONT else job.budget_bytes,
        "board_budget_bytes": None if job is None else job.board.budget_bytes,
        "objective": None if spec is None else spec.objective.model_dump(mode="json"),
        "max_pieces": None if spec is None else spec.pieces.max,
        "status": None,
        "peak_ram_bytes": None,
        "added_insn": None,
        "pieces": None,
        "cuts": None,
        "exact": None,
        "largest_arena_bytes": None,
        "limiting_ops": None,
        **_unsplit(baseline),
        "floor": None if prepared is None else _floor(prepared),
        "smallest_feasible_budget_bytes": None,
        "plan": None,
        "bundle": None,
        "proved": None,
        "dominated": False,
        "front_is_complete": False,
        "shared_from": None,
        "wall_s": 0.0,
        "solver_s": 0.0,
        "error": None,
    }


def _unsplit(baseline: Baseline | None) -> Row:
    return {
        "unsplit_ram_bytes": None if baseline is None else baseline.ram_bytes,
        "estimated_invoke_insn": None if baseline is None else baseline.invoke.insn,
    }


def _floor(prepared: Prepared) -> Row:
    floor = prepared.floor
    return {
        "op": floor.op,
        "type": prepared.graph.ops[floor.op].type,
        "least_ram_bytes": floor.least_ram_bytes,
    }


def _figures(plan: SplitPlan) -> Row:
    limiting = plan.limiting_segment
    return {
        "status": plan.status.name,
        "peak_ram_bytes": plan.peak_ram_bytes,
        "added_insn": plan.added_insn,
        "pieces": len(plan.segments),
        "cuts": list(plan.cuts),
        "exact": plan.exact,
        "largest_arena_bytes": max(s.figures.arena_bytes for s in plan.segments),
        "limiting_ops": [limiting.start, limiting.stop],
    }


def _documents(
    point: Point, prepared: Prepared, plan: SplitPlan
) -> tuple[dict[str, Any], dict[str, Any]]:
    assert point.job is not None, "a point with a plan is a job"
    graph = prepared.graph
    pieces = PieceSet("whole", plan, (), graphs_of(graph, plan))
    document = plan_document(graph, point.job, pieces, prepared.baseline, (), prepared.floor)
    if prepared.names is not None:
        document = add_onnx_names(document, plan.segments, prepared.names)
    return document, memory_document(graph, prepared.baseline, pieces)


def with_dominated(rows: Sequence[Row]) -> list[Row]:
    """Each row with whether another of the same model and board is no worse in peak RAM, added
    instructions and cuts, and better in one. Of equal points, all but the first are."""
    groups: dict[tuple[str, str], set[Measures]] = {}
    for row in rows:
        if row["plan"]:
            groups.setdefault((row["model"], row["board"]), set()).add(_measures(row))
    best = {group: undominated(points, lambda it: it) for group, points in groups.items()}
    taken: set[tuple[str, str, Measures]] = set()
    found = []
    for row in rows:
        beaten = False
        if row["plan"]:
            group, mine = (row["model"], row["board"]), _measures(row)
            beaten = mine not in best[group] or (*group, mine) in taken
            taken.add((*group, mine))
        found.append({**row, "dominated": beaten})
    return found


def _measures(row: Row) -> Measures:
    return row["peak_ram_bytes"], row["added_insn"], len(row["cuts"])
