"""Segment → bytes of a stock .tflite file.

Tensor tables, operator options and custom data are taken over as they are; indices are renumbered
in the order they had, because that order decides ties of TFLM's planner. A graph for some rows
gives its shapes, strides of rows, and constants. Constants are aligned to 16 bytes in the file. The
same segment gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.graph.model import ABSENT, ModelGraph, Op, Tensor
from splitopt.graph.packed import aligned_buffer, pack
from splitopt.graph.segments import Segment, whole_model
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
    graph that has some of its source's ops only, their numbers there. Subgraphs that CALL_ONCEs of
    the segment run go with it; a whole model that has some is its own piece.
    """
    if graph.called and origins is None and (segment.start, segment.stop) == (0, len(graph.ops)):
        assert len(segment.tensors) == len(graph.tensors), "such a model stays as it is"
        return graph.source
    source = fb.Model.GetRootAs(graph.source)
    ops = graph.ops[segment.start : segment.stop]
    called = _called(ops)
    parts = [_Part(graph, segment, source.Subgraphs(0), origins or [op.index for op in ops])]
    for number in called:
        own = graph.called[number - 1]
        everything = [op.index for op in own.ops]
        parts.append(_Part(own, whole_model(own), source.Subgraphs(number), everything))
    constants = _constants(parts)
    used = (table.OpcodeIndex() for part in parts for table in part.op_tables)
    numbers = _Numbers(
        codes={old: new for new, old in enumerate(dict.fromkeys(used))},
        buffers={old: new for new, old in enumerate(constants, start=1)},
        subgraphs={old: new for new, old in enumerate(called, start=1)},
    )
    piece = fb.ModelT()
    piece.version = source.Version()
    piece.description = source.Description()
    codes = (source.OperatorCodes(code) for code in numbers.codes)
    piece.operatorCodes = [fb.OperatorCodeT.InitFromObj(code) for code in codes]
    piece.buffers = [aligned_buffer(b""), *map(aligned_buffer, constants.values())]
    piece.subgraphs = [_subgraph(part, numbers) for part in parts]
    if offline:
        _add_offline_plan(piece, [offline.get(old, _PLANNED_BY_TFLM) for old in segment.tensors])
    return pack(piece)


@dataclass(frozen=True)
class _Part:
    """A segment of one of the source's subgraphs, its table there, and its ops' numbers in that."""

    graph: ModelGraph
    segment: Segment
    table: Any
    origins: Sequence[int]

    @property
    def op_tables(self) -> list[Any]:
        return [self.table.Operators(number) for number in self.origins]


@dataclass(frozen=True)
class _Numbers:
    """Old → new index of op codes, subgraphs, and the buffers that hold constants; buffer 0 is the
    empty one."""

    codes: Mapping[int, int]
    buffers: Mapping[int, int]
    subgraphs: Mapping[int, int]


def _called(ops: Iterable[Op]) -> list[int]:
    """The source's numbers of the subgraphs that these ops run, ascending."""
    return sorted({int(op.options["initSubgraphIndex"]) for op in ops if op.type == "CALL_ONCE"})


def _subgraph(part: _Part, numbers: _Numbers) -> Any:
    graph, segment = part.graph, part.segment
    tensors = {old: new for new, old in enumerate(segment.tensors)}
    made = fb.SubGraphT()
    made.name = part.table.Name()
    made.tensors = [
        _tensor(part.table.Tensors(old), graph.tensors[old], numbers.buffers)
        for old in segment.tensors
    ]
    ops = graph.ops[segment.start : segment.stop]
    made.operators = [
        _operator(table, op, numbers, tensors)
        for table, op in zip(part.op_tables, ops, strict=True)
    ]
    made.inputs = _mapped(segment.inputs, tensors)
    made.outputs = _mapped(segment.outputs, tensors)
    return made


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


def _constants(parts: Iterable[_Part]) -> dict[int, memoryview]:
    """Data by the source's index of their buffer."""
    held = (part.graph.tensors[t] for part in parts for t in part.segment.tensors)
    found: dict[int, memoryview] = {}
    for tensor in held:
        if tensor.is_constant:
            found.setdefault(tensor.buffer, tensor.data)
    return found


def _tensor(table: Any, known: Tensor, buffers: Mapping[int, int]) -> Any:
    tensor = fb.TensorT.InitFromObj(table)
    tensor.buffer = buffers.get(tensor.buffer, 0)
    if tensor.shape is not None and tuple(tensor.shape) != known.shape:
        tensor.shape = np.array(known.shape, dtype=np.int32)
        tensor.shapeSignature = None
    return tensor


def _operator(table: Any, op: Op, numbers: _Numbers, tensors: Mapping[int, int]) -> Any:
    operator = fb.OperatorT.InitFromObj(table)
    if "strideH" in op.options:
        operator.builtinOptions.strideH = op.options["strideH"]
        operator.builtinOptions.padding = op.options["padding"]
    if op.type == "CALL_ONCE":
        own = numbers.subgraphs[operator.builtinOptions.initSubgraphIndex]
        operator.builtinOptions.initSubgraphIndex = own
    operator.opcodeIndex = numbers.codes[operator.opcodeIndex]
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
