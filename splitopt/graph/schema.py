"""Names and numbers of the TensorFlow Lite schema, from the generated bindings."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as fb
from flatbuffers.table import Table

from splitopt.graph.model import DType

_BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "INT32": 32, "UINT8": 8, "INT64": 64, "BOOL": 8, "INT16": 16,
    "COMPLEX64": 64, "INT8": 8, "FLOAT64": 64, "COMPLEX128": 128, "UINT64": 64, "UINT32": 32,
    "UINT16": 16, "INT4": 4, "BFLOAT16": 16, "INT2": 2, "UINT4": 4,
    "RESOURCE": 32,
}  # fmt: skip


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if not name.startswith("_")}


OP_NAMES = _names(fb.BuiltinOperator)
CUSTOM_OP = "CUSTOM"
DTYPES = {
    code: DType(name, _BITS[name]) for code, name in _names(fb.TensorType).items() if name in _BITS
}
DTYPE_NAMES = _names(fb.TensorType)


def unpack_options(union: int, data: bytes, position: int, *, second: bool) -> dict[str, Any]:
    """Fields of an options table by schema name; vectors come as tuples.

    Raises ValueError, struct.error, IndexError or TypeError on a table that is broken.
    """
    create = fb.BuiltinOptions2Creator if second else fb.BuiltinOptionsCreator
    unpacked = create(union, Table(data, position))
    if unpacked is None:
        return {}
    return {
        name: tuple(value.tolist()) if hasattr(value, "tolist") else value
        for name, value in vars(unpacked).items()
    }
