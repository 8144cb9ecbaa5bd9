"""memory.json and graph.json: who lies where in RAM and when; the model as a DAG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from splitopt.arena.replay import Arena, PlannedBuffer
from splitopt.base.units import plural
from splitopt.bundle.schema.graph import Edge, Graph, GraphOp, Tensor
from splitopt.bundle.schema.memory import ArenaMap, Band, Buffer, Kept, Memory, Placed
from splitopt.convert.names.record import Correspondence
from splitopt.graph.model import ModelGraph
from splitopt.pieces.piece_set import PieceSet
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.split_plan import PlannedSegment, SplitPlan
from splitopt.planning.unsplit import Baseline
from splitopt.tiling.schedule import row_bytes


def memory_document(graph: ModelGraph, baseline: Baseline, made: PieceSet) -> Memory:
    """The map of the unsplit model and of every segment."""
    plan = made.plan
    return Memory(
        region_bytes=plan.peak_ram_bytes,
        unsplit=ArenaMap(
            ops=tuple(op.index for op in graph.ops),
            boundary=(),
            **_arena(graph, baseline.arena, baseline.ram_bytes),
        ),
        segments=tuple(
            _segment_map(plan, segment, own)
            for segment, own in zip(plan.segments, made.graphs, strict=True)
        ),
    )


def _segment_map(plan: SplitPlan, segment: PlannedSegment, own: ModelGraph) -> ArenaMap:
    """The arena of one segment and the boundary tensors around it in the region. `own`: see
    `PieceSet.graphs`."""
    figures = segment.figures
    inside = [
        p
        for p in plan.placements
        if p.first_segment <= segment.index <= p.last_segment and p.memory is None
    ]
    placed = {p.tensor for p in inside}
    return ArenaMap(
        index=segment.index,
        ops=tuple(range(segment.start, segment.stop)),
        arena_offset=segment.arena_offset,
        bands=tuple(band for band in _bands(own, segment) if band.tensor in placed),
        boundary=tuple(
            Placed(tensor=p.tensor, offset=p.offset, size=p.size_bytes, in_place=p.in_place)
            for p in inside
        ),
        interpreters_bytes=0 if figures.stream is None else figures.stream.interpreters_bytes,
        kept=tuple(_kept(plan)),
        **{
            **_arena(own, figures.arena, figures.arena_bytes, _line_buffers(own, figures)),
            **({} if segment.kept is None else {"tail_bytes": 0, "tail_by_category": {}}),
        },
    )


def _kept(plan: SplitPlan) -> Iterator[Kept]:
    for segment in plan.segments:
        if segment.kept is not None and segment.kept.memory is None:
            kept = segment.kept
            yield Kept(piece=segment.index, offset=kept.offset, size=kept.bytes)


def _line_buffers(graph: ModelGraph, figures: SegmentFigures) -> dict[int, str]:
    """Of each line buffer its tensor, and what it holds."""
    buffers = () if figures.stream is None else figures.stream.stream.buffers
    return {
        buffer.tensor: f"{plural(buffer.depth, 'row')} of {graph.tensors[buffer.tensor].name}"
        for buffer in buffers
    }


def _bands(own: ModelGraph, segment: PlannedSegment) -> Iterator[Band]:
    for number, execution in enumerate(segment.figures.executions):
        for spans, reads in ((execution.inputs, True), (execution.outputs, False)):
            for span in spans:
                size = row_bytes(own, span.tensor)
                yield Band(
                    tensor=span.tensor,
                    number=number,
                    start=span.row * size,
                    stop=(span.row + span.rows) * size,
                    reads=reads,
                )


def _arena(
    graph: ModelGraph,
    arena: Arena,
    granted_bytes: int,
    line_buffers: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """`line_buffers`: tensor → what its line buffer holds."""
    return {
        "arena_bytes": granted_bytes,
        "arena_min_bytes": arena.minimum_bytes,
        "head_bytes": arena.head_bytes,
        "peak_load_bytes": arena.peak_load_bytes,
        "fragmentation_bytes": arena.fragmentation_bytes,
        "tail_bytes": arena.tail_bytes,
        "temporary_bytes": arena.temporary_bytes,
        "tail_by_category": {name: size for name, size in arena.tail_by_category if size},
        "buffers": tuple(
            _buffer(graph, buffer, line_buffers or {})
            for buffer in arena.buffers
            if buffer.live.stop > buffer.live.start  # TFLM places what no op touches, for no step
        ),
    }


def _buffer(graph: ModelGraph, buffer: PlannedBuffer, line_buffers: Mapping[int, str]) -> Buffer:
    tensor = buffer.tensor
    name = "" if tensor is None else graph.tensors[tensor].name
    held = line_buffers.get(tensor, "") if tensor is not None and buffer.pinned else ""
    return Buffer(
        kind="lines" if held else "scratch" if tensor is None else "tensor",
        tensor=tensor,
        op=buffer.op,
        name=held or (name if buffer.op is None else graph.op_name(buffer.op)),
        offset=buffer.offset,
        size=buffer.size_bytes,
        start=buffer.live.start,
        stop=buffer.live.stop,
    )


def graph_document(graph: ModelGraph, names: Correspondence | None) -> Graph:
    """Ops with what they make, and an edge for each op that reads what another made."""
    return Graph(
        inputs=tuple(graph.inputs),
        outputs=tuple(graph.outputs),
        ops=tuple(
            GraphOp(
                index=op.index,
                type=op.type,
                outputs=tuple(op.outputs),
                onnx_nodes=tuple(names.nodes_of_op(op.index)) if names else (),
            )
            for op in graph.ops
        ),
        edges=tuple(
            Edge(maker=maker, reader=reader, tensors=tuple(tensors))
            for maker, reader, tensors in graph.dag.edges(data="tensors")
        ),
        tensors=dict(_tensors(graph)),
    )


def _tensors(graph: ModelGraph) -> Iterator[tuple[str, Tensor]]:
    """Activations by index."""
    for tensor in graph.tensors:
        index = tensor.index
        if tensor.is_activation and (index in graph.producer or index in graph.inputs):
            yield (
                str(index),
                Tensor(
                    name=tensor.name,
                    shape=tuple(tensor.shape),
                    type=tensor.dtype.name,
                    bytes=tensor.bytes,
                    made_by=graph.producer.get(index),
                    read_by=tuple(graph.readers.get(index, ())),
                ),
            )
