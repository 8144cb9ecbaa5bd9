"""plan.json: the plan as plain data, in the format that other tools read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from splitopt.bundle.folder import sha256_of
from splitopt.config.job import Job
from splitopt.graph.model import ModelGraph
from splitopt.pieces.piece_set import PieceSet
from splitopt.planning.lower_bound import Floor
from splitopt.planning.split_plan import BoundaryPlacement, PlannedSegment
from splitopt.planning.unsplit import Baseline, HandCuts

SCHEMA_VERSION = 1


def plan_document(
    graph: ModelGraph,
    job: Job,
    made: PieceSet,
    baseline: Baseline,
    by_hand: Sequence[HandCuts],
    floor: Floor,
) -> dict[str, Any]:
    """Sizes in bytes, `_insn` in instructions, cost and bound in the objective's integers.

    On route `pieces`, status, cost and bound are those of choosing cuts on the whole int8 model.
    Where no piece was written, what would describe its file is null.
    """
    plan = made.plan
    data: Sequence[bytes | None] = made.data or [None] * len(plan.segments)
    piece_bytes = sum(map(len, made.data)) if made.data else None
    return {
        "schema_version": SCHEMA_VERSION,
        "job": {"name": job.name, "path": str(job.file.absolute()), "settings": settings(job)},
        "model": {
            "path": str(job.model_path.absolute()),
            "sha256": sha256_of(graph.source),
            "bytes": len(graph.source),
            "ops": len(graph.ops),
            "tensors": len(graph.tensors),
        },
        "board": job.board.model_dump(),
        "budget_bytes": job.budget_bytes,
        "route": made.route,
        "status": plan.status.name,
        "objective": {
            "minimise": job.spec.objective.minimise,
            "ram_weight": plan.goal.ram_weight,
            "insn_weight": plan.goal.cost_weight,
            "cost": plan.cost,
            "bound": plan.bound,
            "gap": plan.gap,
        },
        "peak_ram_bytes": plan.peak_ram_bytes,
        "added_insn": plan.added_insn,
        "added_parts": {
            "rebuild_insn": plan.rebuild_insn,
            "copy_insn": plan.copy_insn,
            "recomputed_insn": plan.recomputed_insn,
        },
        "exact": plan.exact,
        "estimated_ops": sorted(
            {reason for s in plan.segments for reason in s.figures.arena.estimates}
        ),
        "baseline": _baseline(baseline),
        "by_hand": [_hand_cuts(cuts) for cuts in by_hand],
        "floor": {
            "op": floor.op,
            "type": graph.ops[floor.op].type,
            "live_bytes": floor.live_bytes,
            "least_ram_bytes": floor.least_ram_bytes,
        },
        "segments": [
            _segment(segment, piece) for segment, piece in zip(plan.segments, data, strict=True)
        ],
        "layout": {
            "region_bytes": plan.peak_ram_bytes,
            "boundary": [_placement(graph, placement) for placement in plan.placements],
        },
        "piece_bytes": piece_bytes,
        "piece_overhead_bytes": None if piece_bytes is None else piece_bytes - len(graph.source),
    }


def settings(job: Job) -> dict[str, Any]:
    """What the job asked for, defaults filled in, the board aside."""
    return job.spec.model_dump(exclude={"board"}, mode="json")


def _baseline(baseline: Baseline) -> dict[str, Any]:
    arena = baseline.arena
    return {
        "head_bytes": arena.head_bytes,
        "tail_bytes": arena.tail_bytes,
        "arena_used_bytes": arena.used_bytes,
        "arena_min_bytes": arena.minimum_bytes,
        "ram_bytes": baseline.ram_bytes,
        "estimated_allocate_insn": baseline.allocate_insn,
        "estimated_invoke_insn": baseline.invoke.insn,
        "ops_without_invoke_estimate": list(baseline.invoke.unmeasured),
        "exact": arena.exact,
    }


def _hand_cuts(cuts: HandCuts) -> dict[str, Any]:
    return {
        "name": cuts.name,
        "cuts": list(cuts.cuts),
        "peak_ram_bytes": cuts.peak_ram_bytes,
        "added_insn": cuts.added_insn,
    }


def _segment(segment: PlannedSegment, data: bytes | None) -> dict[str, Any]:
    figures = segment.figures
    arena = figures.arena
    return {
        "index": segment.index,
        "start": segment.start,
        "stop": segment.stop,
        "inputs": list(figures.segment.inputs),
        "outputs": list(figures.segment.outputs),
        "switch": "rebuild",
        "bands": _bands(segment),
        "offline_plan": figures.has_offline_plan,
        "head_bytes": arena.head_bytes,
        "tail_bytes": arena.tail_bytes,
        "arena_used_bytes": arena.used_bytes,
        "arena_min_bytes": arena.minimum_bytes,
        "arena_bytes": figures.arena_bytes,
        "arena_offset": segment.arena_offset,
        "through_bytes": segment.through_bytes,
        "in_bytes": segment.in_bytes,
        "out_bytes": segment.out_bytes,
        "ram_bytes": segment.ram_bytes,
        "estimated_allocate_insn": figures.allocate_insn,
        "estimated_added_insn": segment.added_insn,
        "estimated_invoke_insn": segment.invoke_insn,
        "estimated_recomputed_insn": figures.recomputed_insn,
        "copied_bytes": figures.copied_bytes,
        "exact": arena.exact,
        "piece": None if data is None else f"pieces/{segment.piece_name}",
        "piece_bytes": None if data is None else len(data),
        "sha256": None if data is None else sha256_of(data),
    }


def _bands(segment: PlannedSegment) -> list[dict[str, Any]] | None:
    """Per execution, the rows of each input that are copied in and of each output that are kept,
    `from_row` of the piece's own; null for a piece that runs once, on all rows."""
    if not segment.is_banded:
        return None
    return [
        {
            "inputs": [
                {"tensor": span.tensor, "row": span.row, "rows": span.rows}
                for span in execution.inputs
            ],
            "outputs": [
                {
                    "tensor": span.tensor,
                    "row": span.row,
                    "rows": span.rows,
                    "from_row": span.from_row,
                }
                for span in execution.outputs
            ],
        }
        for execution in segment.figures.executions
    ]


def _placement(graph: ModelGraph, placement: BoundaryPlacement) -> dict[str, Any]:
    return {
        "tensor": placement.tensor,
        "name": graph.tensors[placement.tensor].name,
        "offset": placement.offset,
        "size": placement.size_bytes,
        "first_segment": placement.first_segment,
        "last_segment": placement.last_segment,
    }
