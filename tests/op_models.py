"""Models of one op: tensors told by shape and element type, an op, and as many copies as wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder

_QUANTISED = ("INT4", "INT8", "INT16", "UINT8")
_BITS = {"INT4": 4, "INT8": 8, "UINT8": 8, "BOOL": 8, "INT16": 16, "INT64": 64}


@dataclass(frozen=True)
class Value:
    """A tensor: constant where it has data; scales along `axis`."""

    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_point: int = 0
    axis: int = 0
    data: bytes | None = None
    variable: bool = False


@dataclass(frozen=True)
class Case:
    """One op with its tensors; inputs may be absent. `dtype`: what its activations are of."""

    name: str
    op: str
    dtype: str
    inputs: Sequence[Value | None]
    outputs: Sequence[Value]
    table: str
    options: Mapping[str, Any]


def indices(*values: int, shape: tuple[int, ...] | None = None) -> Value:
    data = np.array(values, np.int32).tobytes()
    return Value((len(values),) if shape is None else shape, "INT32", data=data)


def scales_of(dtype: str, scale: float, count: int = 1) -> tuple[float, ...]:
    return (scale,) * count if dtype in _QUANTISED else ()


def constant(dtype: str, *shape: int, scales: int = 1, scale: float = 0.5, axis: int = 0) -> Value:
    """Zeros, of `scales` scales; a bias is quantised like the weights it belongs to."""
    data = bytes(-(-int(np.prod(shape)) * _BITS.get(dtype, 32) // 8))
    given = () if dtype == "FLOAT32" else (scale,) * scales
    return Value(shape, dtype, given, axis=axis, data=data)


def variable(dtype: str, *shape: int, scale: float = 0.5) -> Value:
    return Value(shape, dtype, scales_of(dtype, scale), variable=True)


@dataclass(frozen=True)
class Ops:
    """Makes ops whose activations are of `dtype`, in the forms that their rules tell apart."""

    dtype: str

    @property
    def weight(self) -> str:
        return "FLOAT32" if self.dtype == "FLOAT32" else "INT8"

    @property
    def state(self) -> str:
        return "FLOAT32" if self.dtype == "FLOAT32" else "INT16"

    @property
    def bias(self) -> str:
        return {"INT8": "INT32", "INT16": "INT64", "FLOAT32": "FLOAT32"}[self.dtype]

    def act(self, *shape: int, scale: float = 0.5, zero_point: int = 0) -> Value:
        return Value(shape, self.dtype, scales_of(self.dtype, scale), zero_point)

    def still(self, *shape: int) -> Value:
        """A constant like the activations."""
        return constant(self.dtype, *shape, scales=int(self.dtype in _QUANTISED))

    def biases(self, count: int, scales: int = 1) -> Value:
        return constant(self.bias, count, scales=scales, scale=0.25)

    def case(
        self,
        op: str,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        table: str = "",
        form: str = "",
        **options: Any,
    ) -> Case:
        name = f"{op} {self.dtype} {form}".strip()
        return Case(name, op, self.dtype, inputs, outputs, table, options)


def model_of(case: Case, copies: int) -> bytes:
    """A model of that op several times, on the same inputs and with outputs of their own.

    Copies make every byte of an op count, where alignment would hide a few.
    """
    builder = ModelBuilder()
    shared = [None if v is None or v.variable else _add(builder, v) for v in case.inputs]
    given = [
        index
        for index, value in zip(shared, case.inputs, strict=True)
        if index is not None and value is not None and value.data is None
    ]
    made: list[int] = []
    for _ in range(copies):
        own = [
            _add(builder, value) if value is not None and value.variable else index
            for index, value in zip(shared, case.inputs, strict=True)
        ]
        outputs = [_add(builder, value) for value in case.outputs]
        options = getattr(fb, f"{case.table}T")() if case.table else None
        if options is not None:
            vars(options).update(case.options)
        builder.op(case.op, [-1 if index is None else index for index in own], outputs, options)
        made += outputs
    return builder.bytes(given, made)


def _add(builder: ModelBuilder, value: Value) -> int:
    index = builder.tensor(
        value.shape,
        value.dtype,
        scales=value.scales,
        zero_point=value.zero_point,
        axis=value.axis,
        data=value.data,
    )
    builder.graph.tensors[index].isVariable = value.variable
    return index
