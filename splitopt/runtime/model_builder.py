"""Builds small .tflite models, tensor by tensor and op by op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

_MOST_DEPRECATED_CODE = 127


class ModelBuilder:
    """Collects the tensors and ops of a model of one graph; `bytes` packs the file.

    `model` and `graph` are the schema's own objects, for what the methods do not set.
    """

    def __init__(self) -> None:
        self.graph = fb.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model = fb.ModelT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.operatorCodes, self.model.buffers = [], [fb.BufferT()]

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "INT8",
        *,
        name: str | None = None,
        scales: Sequence[float] = (),
        zero_point: int = 0,
        axis: int = 0,
        data: bytes | None = None,
    ) -> int:
        """Index of a new tensor: constant where it has `data`, quantised where it has `scales`."""
        tensor = fb.TensorT()
        tensor.name = f"t{len(self.graph.tensors)}" if name is None else name
        tensor.shape, tensor.type = list(shape), getattr(fb.TensorType, dtype)
        if scales:
            affine = tensor.quantization = fb.QuantizationParametersT()
            affine.scale, affine.zeroPoint = list(scales), [zero_point] * len(scales)
            affine.quantizedDimension = axis
        if data is not None:
            tensor.buffer = self.buffer(data)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def buffer(self, data: bytes) -> int:
        """Index of a new buffer with this content."""
        buffer = fb.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def op(
        self, op_type: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None
    ) -> Any:
        """A new operator; `options` is one of the schema's option objects (`Conv2DOptionsT`)."""
        operator = fb.OperatorT()
        operator.opcodeIndex = self._code(getattr(fb.BuiltinOperator, op_type))
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(fb.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.graph.operators.append(operator)
        return operator

    def _code(self, builtin: int) -> int:
        """Ops of one type share an entry of the table of codes; custom ops each have their own."""
        codes = [code.builtinCode for code in self.model.operatorCodes]
        if builtin in codes and builtin != fb.BuiltinOperator.CUSTOM:
            return codes.index(builtin)
        code = fb.OperatorCodeT()
        code.builtinCode, code.version = builtin, 1
        code.deprecatedBuiltinCode = min(builtin, _MOST_DEPRECATED_CODE)
        self.model.operatorCodes.append(code)
        return len(codes)

    def bytes(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file, of a model with these inputs and outputs."""
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        return packed(self.model)


def packed(model: Any) -> bytes:
    """A model of the schema's objects as a .tflite file."""
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def relu_model() -> bytes:
    """RELU on float32 [1, 4]: the smallest model that shows whether an interpreter works."""
    builder = ModelBuilder()
    source, result = (builder.tensor([1, 4], "FLOAT32", name=name) for name in "xy")
    builder.op("RELU", [source], [result])
    return builder.bytes([source], [result])
