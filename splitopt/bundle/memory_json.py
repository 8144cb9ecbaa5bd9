"""memory.json and graph.json: who lies where in RAM and when; the model as a DAG; plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from splitopt.arena.replay import Arena, PlannedBuffer
from splitopt.convert.names.record import Correspondence
from splitopt.graph.model import ModelGraph
from splitopt.pieces.piece_set import PieceSet
from splitopt.planning.split_plan import PlannedSegment, SplitPlan
from splitopt.planning.unsplit import Baseline
from splitopt.tiling.schedule import row_bytes

Document = dict[str, Any]


def memory_document(graph: ModelGraph, baseline: Baseline, made: PieceSet) -> Document:
    """The map of the unsplit model and of every segment.

    Steps are TFLM's: step 0 has the inputs of the model or piece, op k of it runs at step k + 1.
    Offsets are in bytes from the low end of the arena; of boundary tensors and of the arena
    itself, from that of the region.
    """
    plan = made.plan
    return {
        "schema_version": 1,
        "region_bytes": plan.peak_ram_bytes,
        "unsplit": {
            "ops": [op.index for op in graph.ops],
            **arena_map(graph, baseline.arena, baseline.ram_bytes),
            "boundary": [],
        },
        "segments": [
            segment_map(plan, segment, own)
            for segment, own in zip(plan.segments, made.graphs, strict=True)
        ],
    }


def segment_map(plan: SplitPlan, segment: PlannedSegment, own: ModelGraph) -> Document:
    """The arena of one segment and the boundary tensors around it. `own`: see `PieceSet.graphs`."""
    figures = segment.figures
    return {
        "index": segment.index,
        "ops": list(range(segment.start, segment.stop)),
        "arena_offset": segment.arena_offset,
        "bands": list(_bands(own, segment)),
        **arena_map(own, figures.arena, figures.arena_bytes),
        "boundary": [
            {"tensor": p.tensor, "offset": p.offset, "size": p.size_bytes}
            for p in plan.placements
            if p.first_segment <= segment.index <= p.last_segment
        ],
    }


def _bands(own: ModelGraph, segment: PlannedSegment) -> Iterator[Document]:
    """Bytes [start, stop) of boundary tensors that each execution copies in, or keeps."""
    for number, execution in enumerate(segment.figures.executions):
        for spans, reads in ((execution.inputs, True), (execution.outputs, False)):
            for span in spans:
                size = row_bytes(own, span.tensor)
                yield {
                    "tensor": span.tensor,
                    "number": number,
                    "start": span.row * size,
                    "stop": (span.row + span.rows) * size,
                    "reads": reads,
                }


def arena_map(graph: ModelGraph, arena: Arena, granted_bytes: int) -> Document:
    """`arena_bytes` is what the runner grants, headroom included; the tail ends there."""
    return {
        "arena_bytes": granted_bytes,
        "arena_min_bytes": arena.minimum_bytes,
        "head_bytes": arena.head_bytes,
        "peak_load_bytes": arena.peak_load_bytes,
        "fragmentation_bytes": arena.fragmentation_bytes,
        "tail_bytes": arena.tail_bytes,
        "temporary_bytes": arena.temporary_bytes,
        "tail_by_category": {name: size for name, size in arena.tail_by_category if size},
        "buffers": [_buffer(graph, buffer) for buffer in arena.buffers],
    }


def _buffer(graph: ModelGraph, buffer: PlannedBuffer) -> Document:
    scratch = buffer.tensor is None
    return {
        "kind": "scratch" if scratch else "tensor",
        "tensor": buffer.tensor,
        "op": buffer.op,
        "name": graph.op_name(buffer.op) if buffer.op is not None else _name(graph, buffer.tensor),
        "offset": buffer.offset,
        "size": buffer.size_bytes,
        "start": buffer.live.start,
        "stop": buffer.live.stop,
    }


def _name(graph: ModelGraph, tensor: int | None) -> str:
    return "" if tensor is None else graph.tensors[tensor].name


def graph_document(graph: ModelGraph, names: Correspondence | None) -> Document:
    """Ops with what they make, and an edge for each op that reads what another made."""
    return {
        "schema_version": 1,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "ops": [
            {
                "index": op.index,
                "type": op.type,
                "outputs": list(op.outputs),
                "onnx_nodes": list(names.nodes_of_op(op.index)) if names else [],
            }
            for op in graph.ops
        ],
        "edges": [
            {"from": maker, "to": reader, "tensors": list(tensors)}
            for maker, reader, tensors in graph.dag.edges(data="tensors")
        ],
        "tensors": dict(_tensors(graph)),
    }


def _tensors(graph: ModelGraph) -> Iterator[tuple[str, Document]]:
    """Activations by index."""
    for tensor in graph.tensors:
        index = tensor.index
        if tensor.is_activation and (index in graph.producer or index in graph.inputs):
            yield (
                str(index),
                {
                    "name": tensor.name,
                    "shape": list(tensor.shape),
                    "type": tensor.dtype.name,
                    "bytes": tensor.bytes,
                    "made_by": graph.producer.get(index),
                    "read_by": list(graph.readers.get(index, ())),
                },
            )
