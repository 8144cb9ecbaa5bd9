"""Tiny .tflite models made by hand, sound ones and broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

_TYPES = {
    "int8": fb.TensorType.INT8, "uint8": fb.TensorType.UINT8, "int16": fb.TensorType.INT16,
    "int32": fb.TensorType.INT32, "int64": fb.TensorType.INT64, "float32": fb.TensorType.FLOAT32,
    "bool": fb.TensorType.BOOL, "string": fb.TensorType.STRING,
}  # fmt: skip


class Maker:
    """Collects tensors and ops of one subgraph; `bytes()` is the file."""

    def __init__(self) -> None:
        self.model = fb.ModelT()
        self.model.version = 3
        self.model.description = "made by hand"
        self.model.operatorCodes, self.model.buffers = [], [fb.BufferT()]
        self.graph = fb.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        *,
        data: bytes | None = None,
        variable: bool = False,
        scales: int = 1,
    ) -> int:
        tensor = fb.TensorT()
        number = len(self.graph.tensors)
        tensor.name, tensor.shape, tensor.type = f"t{number}", list(shape), _TYPES[dtype]
        tensor.isVariable = variable
        if scales:
            quantization = fb.QuantizationParametersT()
            quantization.scale = [0.5 + k for k in range(scales)]
            quantization.zeroPoint = [3] * scales
            quantization.min, quantization.max = [-1.0], [2.0]
            tensor.quantization = quantization
        if data is not None:
            buffer = fb.BufferT()
            buffer.data = np.frombuffer(data, np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return number

    def op(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: tuple[str, Any] | None = None,
        custom: tuple[str, bytes] | None = None,
    ) -> None:
        code = fb.OperatorCodeT()
        code.builtinCode = getattr(fb.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        operator = fb.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options:
            operator.builtinOptionsType = getattr(fb.BuiltinOptions, options[0])
            operator.builtinOptions = options[1]
        if custom:
            code.customCode = custom[0]
            operator.customOptions = np.frombuffer(custom[1], np.uint8)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)

    def bytes(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def diamond(dtype: str = "int8") -> bytes:
    """in → RELU → (RELU, RELU6) → ADD, which runs in TFLM on int8 and float32."""
    maker = Maker()
    tensors = [maker.tensor([1, 4], dtype, scales=dtype != "float32") for _ in range(5)]
    source, stem, left, right, out = tensors
    maker.op("RELU", [source], [stem])
    maker.op("RELU", [stem], [left])
    maker.op("RELU6", [stem], [right])
    maker.op("ADD", [left, right], [out], ("AddOptions", fb.AddOptionsT()))
    return maker.bytes([source], [out])


def dense(bias: bool = True) -> bytes:
    """FULLY_CONNECTED 4 → 3, its bias optional (-1 where absent)."""
    maker = Maker()
    source = maker.tensor([1, 4])
    weights = maker.tensor([3, 4], data=bytes(range(12)))
    offset = maker.tensor([3], "int32", data=bytes(12)) if bias else -1
    out = maker.tensor([1, 3])
    options = fb.FullyConnectedOptionsT()
    options.keepNumDims = False
    maker.op(
        "FULLY_CONNECTED", [source, weights, offset], [out], ("FullyConnectedOptions", options)
    )
    return maker.bytes([source], [out])


def with_custom_op() -> bytes:
    maker = Maker()
    source, inner, out = (maker.tensor([1, 4]) for _ in range(3))
    maker.op("RELU", [source], [inner])
    maker.op("CUSTOM", [inner], [out], custom=("MyOp", b"\x01\x02\x03options"))
    return maker.bytes([source], [out])


def with_variable() -> bytes:
    """An op that reads a variable tensor, as streaming models have."""
    maker = Maker()
    source, out = maker.tensor([1, 4]), maker.tensor([1, 4])
    state = maker.tensor([1, 4], variable=True)
    maker.op("ADD", [source, state], [out], ("AddOptions", fb.AddOptionsT()))
    return maker.bytes([source], [out])


def branches() -> bytes:
    """Two inputs and two outputs; the first input is read by the first and by the last op."""
    maker = Maker()
    a, b, x, y, z = (maker.tensor([1, 4]) for _ in range(5))
    unused = maker.tensor([2, 2])
    maker.op("RELU", [a], [x])
    maker.op("ADD", [x, b], [y], ("AddOptions", fb.AddOptionsT()))
    maker.op("ADD", [y, a], [z], ("AddOptions", fb.AddOptionsT()))
    assert unused == 5
    return maker.bytes([b, a], [z, x])
