"""Bytes of a .tflite file → ModelGraph, every offset and every index checked.

Field slots follow tensorflow/lite/schema/schema.fbs, schema version 3.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.base.errors import ModelError
from splitopt.base.files import read_file
from splitopt.base.limits import MODEL_TENSORS_BYTES
from splitopt.graph.flatbuffer import BrokenBuffer, Table
from splitopt.graph.model import (
    ABSENT,
    ModelGraph,
    Op,
    Quantization,
    Tensor,
    TensorKind,
)
from splitopt.graph.schema import CUSTOM_OP, DTYPE_NAMES, DTYPES, OP_NAMES, unpack_options
from splitopt.graph.signatures import alone, called_subgraphs, chosen_subgraph
from splitopt.graph.wellformed import check_graph

MAX_FILE_BYTES = 256 * 1024 * 1024
_SCHEMA_VERSION = 3
OFFLINE_PLAN = "OfflineMemoryAllocation"
_CUSTOM_QUANTIZATION = 1
_CONTROL_FLOW = frozenset({"IF", "WHILE", "CALL", "STABLEHLO_WHILE", "STABLEHLO_CASE"})


@dataclass(frozen=True, slots=True)
class _OpCode:
    type: str
    version: int


def read_tflite(path: Path, signature: str | None = None) -> ModelGraph:
    """Reads a model file. Raises ModelError on a file that is not a model splitopt can plan."""
    data = read_file(path, MAX_FILE_BYTES, ModelError, "a .tflite model")
    return parse_tflite(data, name=path.stem, where=str(path), signature=signature)


def parse_tflite(
    data: bytes, *, name: str, where: str = "model", signature: str | None = None
) -> ModelGraph:
    """Parses the bytes of a model. `where` opens the text of any ModelError raised.

    `signature`: which one of a model of several. Its graph's `source` is a file of its own.
    """
    try:
        graph = _parse(data, name, signature)
        check_graph(graph)
    except BrokenBuffer as error:
        raise ModelError(f"{where}: not a whole .tflite file: {error}") from error
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    return graph


def _parse(data: bytes, name: str, signature: str | None) -> ModelGraph:
    if not data:
        raise ModelError("holds 0 bytes; export or copy it again")
    if data[4:8] != b"TFL3":
        raise ModelError("not a TensorFlow Lite model (the file identifier TFL3 is missing)")
    model = Table.root(data)
    version = model.scalar(0, "I")
    if version != _SCHEMA_VERSION:
        raise ModelError(f"schema version {version}, want {_SCHEMA_VERSION}")
    subgraphs = model.tables(2)
    chosen = chosen_subgraph(model, len(subgraphs), signature)
    opcodes = [_opcode(table) for table in model.tables(1)]
    buffers = [_buffer(table) for table in model.tables(4)]
    model.text(3)  # checked here: pieces take the description over
    graph = _subgraph(name, subgraphs[chosen], opcodes, buffers)
    called = called_subgraphs(graph, chosen, len(subgraphs))
    is_whole = (chosen, *called) == tuple(range(len(subgraphs)))
    if called and not is_whole:
        return replace(_parse(alone(data, chosen, called), name, None), is_part=True)
    inner = tuple(_subgraph(name, subgraphs[k], opcodes, buffers) for k in called)
    sizes = [len(own.tensors) for own in (graph, *inner)]
    return replace(
        graph,
        source=data if is_whole else alone(data, chosen),
        offline_offsets=_offline_offsets(model, buffers, sizes) if is_whole else {},
        is_part=not is_whole,
        called=inner,
    )


def _subgraph(
    name: str, subgraph: Table, opcodes: list[_OpCode], buffers: list[memoryview]
) -> ModelGraph:
    """One subgraph of a file, its source left empty."""
    subgraph.text(4)  # checked here: pieces take the name over
    tensor_tables = subgraph.tables(0)
    count = len(tensor_tables)
    return ModelGraph(
        name=name,
        tensors=tuple(_tensor(i, table, buffers) for i, table in enumerate(tensor_tables)),
        ops=tuple(_op(i, table, opcodes, count) for i, table in enumerate(subgraph.tables(3))),
        inputs=_indices(subgraph, 1, count, "the model's inputs"),
        outputs=_indices(subgraph, 2, count, "the model's outputs"),
        source=b"",
    )


def _offline_offsets(model: Table, buffers: list[memoryview], sizes: list[int]) -> dict[int, int]:
    """int32 words: version, subgraph, number of tensors, then an offset per tensor, -1: free.

    `sizes`: numbers of tensors of the subgraphs; the offsets of the first are given."""
    tensors = sum(sizes)
    for entry in model.tables(6):
        if entry.text(0) != OFFLINE_PLAN:
            continue
        index = entry.scalar(1, "I")
        data = buffers[index] if index < len(buffers) else memoryview(b"")
        words = np.frombuffer(data[: len(data) // 4 * 4], "<i4").tolist()
        if len(words) != 3 + tensors or words[2] != tensors:
            raise ModelError(f"{OFFLINE_PLAN} metadata do not hold {tensors} offsets")
        placed = {tensor: at for tensor, at in enumerate(words[3 : 3 + sizes[0]]) if at != -1}
        if any(at < 0 for at in placed.values()):
            raise ModelError(f"{OFFLINE_PLAN} metadata hold an offset below -1")
        return placed
    return {}


def _buffer(table: Table) -> memoryview:
    if table.scalar(1, "Q") > 1:
        raise ModelError("constants stand outside the flatbuffer, which TFLM does not read")
    return table.blob(0)


def _opcode(table: Table) -> _OpCode:
    code = max(table.scalar(0, "b"), table.scalar(3, "i"))
    name = OP_NAMES.get(code)
    if name is None:
        raise ModelError(f"operator code {code} is unknown")
    custom_code = table.text(1)  # checked for every op: pieces take it over
    if name == CUSTOM_OP:
        name = f"{CUSTOM_OP}:{custom_code}"
    return _OpCode(name, table.scalar(2, "i", 1))


def _tensor(index: int, table: Table, buffers: list[memoryview]) -> Tensor:
    where = f"tensor {index}"
    shape = _ints(table, 0)
    code = table.scalar(1, "b")
    if code not in DTYPES:
        raise ModelError(f"{where}: type {DTYPE_NAMES.get(code, code)} has no fixed size")
    if table.table(6) is not None or table.tables(9):
        raise ModelError(f"{where}: sparse or variant tensors are not run by TFLM")
    signature = _ints(table, 7)
    if len(shape) > 8 or any(extent < 0 for extent in shape):
        raise ModelError(f"{where}: shape {list(shape)}; want up to 8 sizes that are known")
    elements = np.prod(np.asarray(shape, dtype=np.float64))
    if elements * DTYPES[code].bits > 8 * MODEL_TENSORS_BYTES:
        raise ModelError(
            f"{where}: shape {list(shape)} holds more than {MODEL_TENSORS_BYTES:,} bytes"
        )
    if table.scalar(10, "I"):
        raise ModelError(f"{where}: its data stand outside the flatbuffer")
    buffer = table.scalar(2, "I")
    if buffer >= len(buffers):
        raise ModelError(f"{where}: buffer {buffer} of {len(buffers)}")
    data = buffers[buffer]
    variable = bool(table.scalar(5, "?"))
    kind = TensorKind.ACTIVATION
    if DTYPE_NAMES[code] == "RESOURCE":
        kind = TensorKind.HANDLE
    elif len(data):
        kind = TensorKind.CONSTANT
    elif variable:
        kind = TensorKind.VARIABLE
    tensor = Tensor(
        index=index,
        name=table.text(3),
        shape=shape,
        dtype=DTYPES[code],
        kind=kind,
        buffer=buffer,
        quantization=_quantization(table.table(4), where),
        data=data,
        is_open=-1 in signature,
    )
    if tensor.is_constant and len(data) < tensor.bytes:
        raise ModelError(f"{where}: {len(data)} bytes of data, its shape wants {tensor.bytes}")
    return tensor


def _quantization(table: Table | None, where: str) -> Quantization | None:
    """None where the tensor has no scale, as TFLM sees it."""
    if table is None:
        return None
    if table.scalar(4, "B") > _CUSTOM_QUANTIZATION:
        raise ModelError(f"{where}: block-wise and multi-axis quantisation are not run by TFLM")
    for slot in (0, 1):
        table.array(slot, "<f4")
    details = table.table(5)
    if details is not None:
        details.blob(0)
    scales, zero_points = table.array(2, "<f4"), table.array(3, "<i8")
    if scales is None or not len(scales) or zero_points is None or not len(zero_points):
        return None
    return Quantization(tuple(scales.tolist()), tuple(zero_points.tolist()), table.scalar(6, "i"))


def _op(index: int, table: Table, opcodes: list[_OpCode], tensors: int) -> Op:
    where = f"op {index}"
    code = table.scalar(0, "I")
    if code >= len(opcodes):
        raise ModelError(f"{where}: operator code {code} of {len(opcodes)}")
    if table.scalar(9, "Q") or table.scalar(10, "Q"):
        raise ModelError(f"{where}: its options stand outside the flatbuffer")
    if opcodes[code].type in _CONTROL_FLOW:
        raise ModelError(
            f"{where}: control flow ({opcodes[code].type}) cannot be cut between ops; unroll it "
            "before converting (of a Keras GRU, LSTM or RNN: unroll=True, with a fixed number of "
            "steps)"
        )
    table.blob(5)
    table.array(7, "?")
    return Op(
        index=index,
        type=opcodes[code].type,
        version=opcodes[code].version,
        inputs=_indices(table, 1, tensors, f"{where}: inputs", optional=True),
        outputs=_indices(table, 2, tensors, f"{where}: outputs"),
        options=_options(table, where),
        intermediates=_indices(table, 8, tensors, f"{where}: intermediates"),
    )


def _options(table: Table, where: str) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for type_slot, slot, second in ((3, 4, False), (11, 12, True)):
        union, options = table.scalar(type_slot, "B"), table.table(slot)
        if not union or options is None:
            continue
        try:
            data, position = options.source.data, options.position
            unpacked = unpack_options(union, data, position, second=second)
        except (ValueError, struct.error, IndexError, TypeError) as error:
            raise BrokenBuffer(f"the options of {where} are broken ({error})") from error
        options.spend_on(unpacked.values())
        found |= unpacked
    return found


def _ints(table: Table, slot: int) -> tuple[int, ...]:
    values = table.array(slot, "<i4")
    return () if values is None else tuple(values.tolist())


def _indices(
    table: Table, slot: int, count: int, what: str, *, optional: bool = False
) -> tuple[int, ...]:
    values = _ints(table, slot)
    least = ABSENT if optional else 0
    for value in values:
        if not least <= value < count:
            raise ModelError(f"{what}: tensor {value} of {count}")
    return values
