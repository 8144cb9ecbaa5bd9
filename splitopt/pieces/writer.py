"""Segment → bytes of a stock .tflite file.

Tensor tables, operator options and custom data are taken over as they are; indices are renumbered
in the order they had, because that order decides ties of TFLM's planner. A graph for some rows
gives its shapes, strides of rows, and constants. Constants are aligned to 16 bytes in the file. The
same segment gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.graph.model import ABSENT, ModelGraph, Op, Tensor
from splitopt.graph.packed import aligned_buffer, pack
from splitopt.graph.segments import Segment
from splitopt.graph.tflite_reader import OFFLINE_PLAN

_PLAN_VERSION, _PLANNED_BY_TFLM = 1, -1


def write_piece(
    graph: ModelGraph,
    segment: Segment,
    offline: Mapping[int, int] | None = None,
    origins: Sequence[int] | None = None,
) -> bytes:
    """The piece of a segment, with its inputs and outputs in the segment's order.

    `offline`: an offline plan (tensor → offset in bytes) for TFLM's memory planner. `origins`: of a
    graph that has some of its source's ops only, their numbers there. A model that runs further
    subgraphs is its own piece.
    """
    if graph.called:
        assert len(segment.tensors) == len(graph.tensors), "a model with a CALL_ONCE stays whole"
        return graph.source
    source = fb.Model.GetRootAs(graph.source)
    subgraph = source.Subgraphs(0)
    tensors = {old: new for new, old in enumerate(segment.tensors)}
    buffers = _renumber_buffers(graph, segment)
    ops = graph.ops[segment.start : segment.stop]
    op_tables = [subgraph.Operators(op) for op in origins or [op.index for op in ops]]
    codes = {old: new for new, old in enumerate(dict.fromkeys(t.OpcodeIndex() for t in op_tables))}

    piece = fb.ModelT()
    piece.version = source.Version()
    piece.description = source.Description()
    piece.operatorCodes = [fb.OperatorCodeT.InitFromObj(source.OperatorCodes(c)) for c in codes]
    piece.buffers = [
        aligned_buffer(b""),
        *(aligned_buffer(data) for data in _constants(graph, segment).values()),
    ]
    part = fb.SubGraphT()
    part.name = subgraph.Name()
    part.tensors = [
        _tensor(subgraph.Tensors(old), graph.tensors[old], buffers) for old in segment.tensors
    ]
    part.operators = [
        _operator(table, op, codes, tensors) for table, op in zip(op_tables, ops, strict=True)
    ]
    part.inputs = _mapped(segment.inputs, tensors)
    part.outputs = _mapped(segment.outputs, tensors)
    piece.subgraphs = [part]
    if offline:
        _add_offline_plan(piece, [offline.get(old, _PLANNED_BY_TFLM) for old in segment.tensors])
    return pack(piece)


def _add_offline_plan(piece: fb.ModelT, offsets: Sequence[int]) -> None:
    """The metadata that TFLM reads: version, subgraph, number of tensors, an offset for each.

    Source: tensorflow/lite/micro/docs/memory_management.md.
    """
    words = [_PLAN_VERSION, 0, len(offsets), *offsets]
    piece.buffers.append(aligned_buffer(np.array(words, dtype="<i4").tobytes()))
    entry = fb.MetadataT()
    entry.name = OFFLINE_PLAN
    entry.buffer = len(piece.buffers) - 1
    piece.metadata = [entry]


def _constants(graph: ModelGraph, segment: Segment) -> dict[int, memoryview]:
    """Data by the source's index of their buffer."""
    held = (graph.tensors[t] for t in segment.tensors)
    found: dict[int, memoryview] = {}
    for tensor in held:
        if tensor.is_constant:
            found.setdefault(tensor.buffer, tensor.data)
    return found


def _renumber_buffers(graph: ModelGraph, segment: Segment) -> dict[int, int]:
    """Old → new index of the buffers that hold constants; 0 is the empty one."""
    return {old: new for new, old in enumerate(_constants(graph, segment), start=1)}


def _tensor(table: Any, known: Tensor, buffers: Mapping[int, int]) -> Any:
    tensor = fb.TensorT.InitFromObj(table)
    tensor.buffer = buffers.get(tensor.buffer, 0)
    if tensor.shape is not None and tuple(tensor.shape) != known.shape:
        tensor.shape = np.array(known.shape, dtype=np.int32)
        tensor.shapeSignature = None
    return tensor


def _operator(table: Any, op: Op, codes: Mapping[int, int], tensors: Mapping[int, int]) -> Any:
    operator = fb.OperatorT.InitFromObj(table)
    if "strideH" in op.options:
        operator.builtinOptions.strideH = op.options["strideH"]
        operator.builtinOptions.padding = op.options["padding"]
    operator.opcodeIndex = codes[operator.opcodeIndex]
    operator.inputs = _mapped(_indices(operator.inputs), tensors)
    operator.outputs = _mapped(_indices(operator.outputs), tensors)
    if operator.intermediates is not None:
        operator.intermediates = _mapped(_indices(operator.intermediates), tensors)
    return operator


def _indices(vector: Any) -> list[int]:
    return [] if vector is None else [int(value) for value in vector]


def _mapped(indices: Iterable[int], tensors: Mapping[int, int]) -> Any:
    new = [ABSENT if index == ABSENT else tensors[index] for index in indices]
    return np.asarray(new, dtype=np.int32)
