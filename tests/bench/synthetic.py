"""Chains of convolutions of any length, as .tflite files: more ops than public models have."""

from __future__ import annotations

import random
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

_SAME = fb.Padding.SAME


def convolution_chain(ops: int, seed: int = 0) -> bytes:
    """CONV_2D 1x1 and DEPTHWISE_CONV_2D 3x3 in turn, int8, on 16x16 images of 8 to 64 channels."""
    chance = random.Random(seed)
    builder = _Chain()
    channels = 8
    at = builder.tensor("input", [1, 16, 16, channels])
    for number in range(ops):
        depthwise = number % 2 == 1
        made = channels if depthwise else chance.choice([8, 16, 24, 32, 48, 64])
        at = builder.convolution(at, channels, made, depthwise=depthwise)
        channels = made
    return builder.finish(at)


class _Chain:
    def __init__(self) -> None:
        self.model = fb.ModelT()
        self.model.version = 3
        self.model.operatorCodes = [
            self._code(fb.BuiltinOperator.CONV_2D),
            self._code(fb.BuiltinOperator.DEPTHWISE_CONV_2D),
        ]
        self.model.buffers = [fb.BufferT()]
        self.graph = fb.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    @staticmethod
    def _code(builtin: int) -> Any:
        code = fb.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        return code

    def tensor(
        self, name: str, shape: list[int], data: Any = None, scales: int = 1, axis: int = 0
    ) -> int:
        tensor = fb.TensorT()
        tensor.name, tensor.shape, tensor.type = name, shape, fb.TensorType.INT8
        tensor.quantization = fb.QuantizationParametersT()
        tensor.quantization.scale = [0.02] * scales
        tensor.quantization.zeroPoint = [0] * scales
        tensor.quantization.quantizedDimension = axis
        if data is not None:
            buffer = fb.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), dtype=np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
            if data.dtype == np.int32:
                tensor.type = fb.TensorType.INT32
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def convolution(self, source: int, channels: int, made: int, *, depthwise: bool) -> int:
        shape = [1, 3, 3, made] if depthwise else [made, 1, 1, channels]
        name = f"op{len(self.graph.operators)}"
        weights = self.tensor(
            f"{name}/w", shape, np.ones(shape, np.int8), made, axis=3 if depthwise else 0
        )
        bias = self.tensor(f"{name}/b", [made], np.zeros(made, np.int32), made)
        result = self.tensor(name, [1, 16, 16, made])
        operator = fb.OperatorT()
        operator.opcodeIndex = int(depthwise)
        operator.inputs, operator.outputs = [source, weights, bias], [result]
        options = fb.DepthwiseConv2DOptionsT() if depthwise else fb.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = _SAME, 1, 1
        if depthwise:
            options.depthMultiplier = 1
        kinds = fb.BuiltinOptions
        operator.builtinOptionsType = (
            kinds.DepthwiseConv2DOptions if depthwise else kinds.Conv2DOptions
        )
        operator.builtinOptions = options
        self.graph.operators.append(operator)
        return result

    def finish(self, output: int) -> bytes:
        self.graph.inputs, self.graph.outputs = [0], [output]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
