"""Cases of ops that compute element by element, reduce or pool, in the types that TFLM runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from op_models import Case, Ops, Value, indices

_UNARY: Mapping[str, str] = {
    **dict.fromkeys("COS SIN SQRT SQUARE LOG CEIL FLOOR ROUND NEG EXP".split(), "FLOAT32"),
    "ABS": "INT8 INT16 FLOAT32",
    "RSQRT": "INT8 INT16 FLOAT32",
    "ELU": "INT8 FLOAT32",
    "ZEROS_LIKE": "INT8 FLOAT32 INT32 INT64",
    "LOGICAL_NOT": "BOOL",
    "HARD_SWISH": "INT8 FLOAT32",
    "LEAKY_RELU": "INT8 INT16 FLOAT32",
    "RELU": "INT8 INT16 FLOAT32",
    "RELU6": "INT8 INT16 FLOAT32",
}
_BINARY: Mapping[str, str] = {
    **dict.fromkeys("ADD SUB MUL SQUARED_DIFFERENCE".split(), "INT8 INT16 FLOAT32 INT32"),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "INT8 INT16 FLOAT32 INT32 INT64"),
    **dict.fromkeys(("LOGICAL_AND", "LOGICAL_OR"), "BOOL"),
    **dict.fromkeys(("EQUAL", "NOT_EQUAL"), "INT8 FLOAT32 INT32 INT64 BOOL"),
    **dict.fromkeys("LESS LESS_EQUAL GREATER_EQUAL".split(), "INT8 FLOAT32 INT32 INT64"),
    "GREATER": "INT8 INT16 FLOAT32 INT32 INT64",
    "DIV": "INT8 FLOAT32 INT32",
    "FLOOR_DIV": "FLOAT32",
    "FLOOR_MOD": "FLOAT32",
}
_REDUCTIONS: Mapping[str, str] = {
    "MEAN": "INT8 INT16 FLOAT32",
    "SUM": "INT8 INT16 FLOAT32",
    "REDUCE_MAX": "INT8 FLOAT32",
    "REDUCE_MIN": "INT8 FLOAT32",
    "REDUCE_ALL": "BOOL",
}
_TABLES = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}
_COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")


def elementwise(o: Ops) -> Iterator[Case]:
    row = o.act(1, 4, 3)
    for op in _of(_UNARY, o):
        yield o.case(op, [row], [row], "LeakyReluOptions" if op == "LEAKY_RELU" else "")
    for op in _of(_BINARY, o):
        made = Value(row.shape, "BOOL") if op in _COMPARISONS else row
        yield o.case(op, [row, row], [made], _TABLES.get(op, ""))
        yield o.case(op, [row, o.act(3)], [made], _TABLES.get(op, ""), "broadcast")
    if o.dtype in ("INT8", "FLOAT32"):
        yield o.case("ADD_N", [row] * 2, [row])
        yield o.case("ADD_N", [row] * 5, [row], form="of five")
        yield o.case("CUMSUM", [row, indices(1, shape=())], [row], "CumsumOptions")
        yield o.case("PRELU", [row, o.still(1, 3)], [row])
    if o.dtype in ("INT8", "INT16", "FLOAT32"):
        yield o.case("SELECT_V2", [Value(row.shape, "BOOL"), row, row], [row])


def reductions(o: Ops) -> Iterator[Case]:
    image, table = o.act(1, 6, 5, 3), "ReducerOptions"
    for op in _of(_REDUCTIONS, o):
        yield o.case(op, [image, indices(1, 2)], [o.act(1, 3)], table)
        kept = [o.act(1, 1, 1, 3)]
        yield o.case(op, [image, indices(1, 2)], kept, table, "kept", keepDims=True)
        yield o.case(op, [o.act(4, 6), indices(1)], [o.act(4)], table, "of rank 2")
        one = indices(2, shape=())
        yield o.case(op, [image, one], [o.act(1, 6, 3)], table, "over a scalar axis")
    if o.dtype in ("INT8", "FLOAT32"):
        for op, table in (("ARG_MAX", "ArgMaxOptions"), ("ARG_MIN", "ArgMinOptions")):
            where = [Value((1,), "INT32")]
            yield o.case(op, [o.act(1, 8), indices(1)], where, table)
            scalar = indices(1, shape=())
            yield o.case(op, [o.act(1, 8), scalar], where, table, "of a scalar axis")


def pools(o: Ops) -> Iterator[Case]:
    options: dict[str, Any] = {"strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2}
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D", *["L2_POOL_2D"] * (o.dtype == "FLOAT32")):
        yield o.case(op, [o.act(1, 8, 8, 3)], [o.act(1, 4, 4, 3)], "Pool2DOptions", **options)


def tables(o: Ops) -> Iterator[Case]:
    """Activations and norms whose scales TFLM prescribes."""
    scale, lowest = (1 / 256, -128) if o.dtype == "INT8" else (1 / 32768, 0)
    row, from_zero = o.act(1, 8, scale=0.05), o.act(1, 8, scale=scale, zero_point=lowest)
    yield o.case("SOFTMAX", [row], [from_zero], "SoftmaxOptions", beta=1.0)
    if o.dtype == "INT8":
        wide = Value((1, 8), "INT16", (1 / 65536,), -32768)
        yield o.case("SOFTMAX", [row], [wide], "SoftmaxOptions", "to INT16", beta=1.0)
    yield o.case("LOGISTIC", [row], [from_zero])
    yield o.case("TANH", [row], [o.act(1, 8, scale=1 / 32768)])
    if o.dtype != "INT16":
        yield o.case("LOG_SOFTMAX", [row], [o.act(1, 8, scale=16 / 256, zero_point=127)])
        yield o.case("L2_NORMALIZATION", [row], [o.act(1, 8, scale=1 / 128)], "L2NormOptions")


def _of(ops: Mapping[str, str], o: Ops) -> list[str]:
    return [op for op, dtypes in ops.items() if o.dtype in dtypes.split()]
