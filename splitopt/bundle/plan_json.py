"""plan.json: from what was planned and made to the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from splitopt.base.json_input import frozen
from splitopt.bundle.folder import sha256_of
from splitopt.bundle.io_json import io_document
from splitopt.bundle.schema.common import Unfinished
from splitopt.bundle.schema.conversion import Agreement, Conversion, Route, Routes
from splitopt.bundle.schema.plan import (
    AddedParts,
    BandRun,
    Boundary,
    HandCuts,
    Layout,
    Memory,
    Model,
    Objective,
    Plan,
    PlanStatus,
    RouteName,
    Segment,
    Settings,
    Span,
)
from splitopt.bundle.schema.plan import Baseline as BaselineEntry
from splitopt.bundle.schema.plan import Job as JobEntry
from splitopt.bundle.schema.plan import SingleOpBound as BoundEntry
from splitopt.bundle.schema.stream import RolledPair, Stream
from splitopt.bundle.stream_json import stream_entry
from splitopt.config.board import Board
from splitopt.config.job import Job
from splitopt.convert.float_tflite import float_notes
from splitopt.convert.integer_io import IntegerIo
from splitopt.convert.names.record import Correspondence
from splitopt.graph.model import ModelGraph
from splitopt.pieces.piece_set import Files, PieceSet
from splitopt.planning.lower_bound import SingleOpBound
from splitopt.planning.split_plan import BoundaryPlacement, PlannedSegment, SplitPlan
from splitopt.planning.unsplit import Baseline
from splitopt.planning.unsplit import HandCuts as PlannedHandCuts
from splitopt.tiling.plan import RowSpan
from splitopt.verify.accuracy import Accuracy, RouteJudgement


def plan_document(
    graph: ModelGraph,
    job: Job,
    made: PieceSet,
    baseline: Baseline,
    by_hand: Sequence[PlannedHandCuts],
    bound: SingleOpBound,
    names: Correspondence | None = None,
    io: IntegerIo | None = None,
) -> Plan:
    """Where no piece was written, what would describe its file is null. `names`: of the ONNX model
    that `graph` was converted from; `io`: how its ends became integers, where that was asked for.
    """
    plan, left = made.plan, made.plan.unfinished
    files: Sequence[Files | None] = made.files or [None] * len(plan.segments)
    piece_bytes = sum(len(data) for own in made.files for data in own) if made.files else None
    document = Plan(
        job=_job(job),
        model=Model(
            path=str(job.model_path.absolute()),
            sha256=sha256_of(graph.source),
            bytes=len(graph.source),
            ops=len(graph.ops),
            tensors=len(graph.tensors),
        ),
        board=Board.model_validate(frozen(job.board.model_dump(mode="json"))),
        budget_bytes=job.budget_bytes,
        route=cast("RouteName", made.route),
        status=cast("PlanStatus", plan.status.name),
        objective=_objective(job, plan),
        unfinished=None if left is None else Unfinished.model_validate(left),
        peak_ram_bytes=plan.peak_ram_bytes,
        peak_with_input_bytes=plan.peak_with_input_bytes,
        added_insn=plan.added_insn,
        added_parts=AddedParts.model_validate(plan),
        first_insn=plan.first_insn,
        memories=tuple(map(Memory.model_validate, plan.memories)),
        exact=plan.exact,
        estimated_ops=tuple(sorted({r for s in plan.segments for r in s.figures.arena.estimates})),
        baseline=_baseline(baseline),
        by_hand=tuple(HandCuts.model_validate(cuts) for cuts in by_hand),
        floor=BoundEntry(
            op=bound.op,
            type=graph.ops[bound.op].type,
            live_bytes=bound.live_bytes,
            least_ram_bytes=bound.least_ram_bytes,
        ),
        segments=tuple(
            _segment(segment, own, names) for segment, own in zip(plan.segments, files, strict=True)
        ),
        layout=Layout(
            region_bytes=plan.peak_ram_bytes,
            boundary=tuple(_boundary(graph, placement, names) for placement in plan.placements),
        ),
        notes=(*plan.notes, *float_notes(graph)),
        piece_bytes=piece_bytes,
        piece_overhead_bytes=None if piece_bytes is None else piece_bytes - len(graph.source),
    )
    return document if io is None else document.model_copy(update={"io": io_document(io)})


def _job(job: Job) -> JobEntry:
    asked = job.spec.model_dump(exclude={"board"}, mode="json")
    return JobEntry(
        name=job.name,
        path=str(job.file.absolute()),
        settings=Settings.model_validate(frozen(asked)),
    )


def _objective(job: Job, plan: SplitPlan) -> Objective:
    return Objective(
        minimise=job.spec.objective.minimise,
        ram_weight=plan.goal.ram_weight,
        insn_weight=plan.goal.cost_weight,
        cost=plan.cost,
        bound=plan.bound,
        gap=plan.gap,
    )


def _baseline(baseline: Baseline) -> BaselineEntry:
    arena = baseline.arena
    return BaselineEntry(
        head_bytes=arena.head_bytes,
        tail_bytes=arena.tail_bytes,
        arena_used_bytes=arena.used_bytes,
        arena_min_bytes=arena.minimum_bytes,
        ram_bytes=baseline.ram_bytes,
        estimated_allocate_insn=baseline.allocate_insn,
        estimated_invoke_insn=baseline.invoke.insn,
        ops_without_invoke_estimate=tuple(baseline.invoke.unmeasured),
        exact=arena.exact,
    )


def _segment(segment: PlannedSegment, files: Files | None, names: Correspondence | None) -> Segment:
    figures = segment.figures
    arena = figures.arena
    ops = range(segment.start, segment.stop)
    files_and_nodes = _own_file(segment, files)
    if names is not None:
        files_and_nodes["onnx_nodes"] = tuple(n for op in ops for n in names.nodes_of_op(op))
    return Segment(
        index=segment.index,
        start=segment.start,
        stop=segment.stop,
        inputs=tuple(figures.segment.inputs),
        outputs=tuple(figures.segment.outputs),
        bands=_bands(segment),
        stream=_stream(segment, files),
        rolled=tuple(map(RolledPair.model_validate, segment.rolled)),
        input_by_rows=segment.by_rows,
        offline_plan=figures.has_offline_plan,
        head_bytes=arena.head_bytes,
        tail_bytes=arena.tail_bytes,
        arena_used_bytes=arena.used_bytes,
        arena_min_bytes=arena.minimum_bytes,
        arena_bytes=figures.arena_bytes,
        arena_offset=segment.arena_offset,
        through_bytes=segment.through_bytes,
        in_bytes=segment.in_bytes,
        out_bytes=segment.out_bytes,
        ram_bytes=segment.ram_bytes,
        estimated_allocate_insn=figures.allocate_insn,
        estimated_added_insn=segment.added_insn,
        estimated_invoke_insn=segment.invoke_insn,
        estimated_recomputed_insn=figures.recomputed_insn,
        copied_bytes=figures.copied_bytes,
        exact=arena.exact,
        piece_bytes=None if files is None else sum(map(len, files)),
        **_switching(segment),
        **files_and_nodes,
    )


def _switching(segment: PlannedSegment) -> dict[str, Any]:
    stored, kept = segment.stored, segment.kept
    if kept is not None:
        return {
            "switching": "resident",
            "kept_bytes": kept.bytes,
            "kept_in": kept.memory,
            "kept_offset": kept.offset,
            "persistent_bytes": kept.persistent_bytes,
            "estimated_read_insn": kept.insn,
        }
    if stored is None:
        return {}
    return {
        "switching": "restore",
        "stored_bytes": stored.bytes,
        "stored_in": stored.memory,
        "stored_offset": stored.offset,
        "restore_insn": stored.insn,
    }


def _paths(segment: PlannedSegment) -> tuple[str, ...]:
    return tuple(f"pieces/{name}" for name in segment.piece_names)


def _own_file(segment: PlannedSegment, files: Files | None) -> dict[str, Any]:
    """None for a stream, whose groups have the files, and where none was written."""
    if files is None or segment.figures.stream is not None:
        return {"piece": None, "sha256": None}
    [path], [data] = _paths(segment), files
    return {"piece": path, "sha256": sha256_of(data)}


def _stream(segment: PlannedSegment, files: Files | None) -> Stream | None:
    placed = segment.figures.stream
    return None if placed is None else stream_entry(placed, _paths(segment), files)


def _bands(segment: PlannedSegment) -> tuple[BandRun, ...] | None:
    if not segment.is_banded:
        return None
    return tuple(
        BandRun(
            inputs=tuple(_span(span) for span in execution.inputs),
            outputs=tuple(map(Span.model_validate, execution.outputs)),
        )
        for execution in segment.figures.executions
    )


def _span(span: RowSpan) -> Span:
    return Span(tensor=span.tensor, row=span.row, rows=span.rows)


def _boundary(
    graph: ModelGraph, placement: BoundaryPlacement, names: Correspondence | None
) -> Boundary:
    tensor = placement.tensor
    more = {} if names is None else {"onnx_tensor": names.onnx_tensor_of(tensor)}
    if placement.memory is not None:
        more["memory"] = placement.memory
    return Boundary(
        tensor=tensor,
        name=graph.tensors[tensor].name,
        offset=placement.offset,
        size=placement.size_bytes,
        first_segment=placement.first_segment,
        last_segment=placement.last_segment,
        in_place=placement.in_place,
        **more,
    )


def with_conversion(plan: Plan, record: Mapping[str, Any]) -> Plan:
    """With how its int8 model was made: the record that the conversion left."""
    conversion = Conversion.model_validate(frozen(dict(record)))
    return plan.model_copy(update={"conversion": conversion})


def with_routes(
    plan: Plan,
    planned: SplitPlan,
    made: PieceSet,
    judgement: RouteJudgement | None,
    onnx_tensor_of: Callable[[int], str | None],
) -> Plan:
    """With the same cuts by both routes, and what both sides of each boundary mean by a value.

    `planned` is the plan on the whole int8 model, `made` the pieces that were converted one by one.
    """
    assert plan.conversion is not None, "route pieces starts from a conversion"
    requantised = sum(agreement.requantise for agreement in made.agreements)
    whole, pieces = (None, None) if judgement is None else (judgement.whole, judgement.pieces)
    contract = tuple(
        Agreement(**frozen(asdict(agreement)), onnx_tensor=onnx_tensor_of(agreement.tensor))
        for agreement in made.agreements
    )
    routes = Routes(
        whole=_route(planned, plan.conversion.conversion_s, 0, whole),
        pieces=_route(made.plan, made.conversion_s, requantised, pieces),
    )
    return plan.model_copy(update={"contract": contract, "routes": routes})


def _route(
    plan: SplitPlan, conversion_s: float, requantised: int, accuracy: Accuracy | None
) -> Route:
    return Route(
        peak_ram_bytes=plan.peak_ram_bytes,
        largest_arena_bytes=max(s.figures.arena_bytes for s in plan.segments),
        estimated_added_insn=plan.added_insn,
        requantised_boundaries=requantised,
        conversion_s=conversion_s,
        **_accuracy(accuracy),
    )


def _accuracy(accuracy: Accuracy | None) -> dict[str, Any]:
    if accuracy is None:
        return dict.fromkeys(("samples", "worst_lsb", "sqnr_db", "top1", "top1_agreement"))
    return {**asdict(accuracy), "sqnr_db": round(accuracy.sqnr_db, 3)}
