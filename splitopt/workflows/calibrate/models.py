"""Models of one int8 op each, in many shapes: what a cost table is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

_SCALE, _WEIGHT_SCALE = 0.05, 0.01


@dataclass(frozen=True)
class Sample:
    """One generated model; `label` says its shape."""

    op_type: str
    label: str
    data: bytes


def quantize_chain(ops: int) -> bytes:
    """QUANTIZE after QUANTIZE, whose time does not depend on data: two lengths of it show what an
    Invoke costs besides its ops."""
    make = _Builder(np.random.default_rng(0))
    tensors = [make.tensor([1, 4, 4, 8]) for _ in range(ops + 1)]
    return make.chain("QUANTIZE", tensors)


def generated(seed: int = 0) -> tuple[Sample, ...]:
    """The same models for the same seed."""
    random = np.random.default_rng(seed)
    made = (_convolutions, _depthwise, _dense, _element_wise, _pools, _shapes)
    return tuple(sample for family in made for sample in family(random))


class _Builder:
    """Collects one op's tensors; int8 with one scale, weights with one for each channel."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self._model = fb.ModelT()
        self._model.version = 3
        self._model.buffers = [fb.BufferT()]
        self._graph = fb.SubGraphT()
        self._graph.tensors = []

    def tensor(self, shape: Sequence[int], *, scale: float = _SCALE, zero_point: int = 0) -> int:
        return self._add(shape, fb.TensorType.INT8, [scale], [zero_point], 0, None)

    def weights(self, shape: Sequence[int], channel_axis: int, *, per_channel: bool = True) -> int:
        data = self.random.integers(-127, 128, size=tuple(shape), dtype=np.int8)
        count = shape[channel_axis] if per_channel else 1
        scales, zeros = [_WEIGHT_SCALE] * count, [0] * count
        return self._add(shape, fb.TensorType.INT8, scales, zeros, channel_axis, data.tobytes())

    def bias(self, count: int, *, per_channel: bool = True) -> int:
        data = self.random.integers(-1000, 1000, size=count, dtype=np.int32)
        scales = [_SCALE * _WEIGHT_SCALE] * (count if per_channel else 1)
        zeros = [0] * len(scales)
        return self._add([count], fb.TensorType.INT32, scales, zeros, 0, data.tobytes())

    def integers(self, values: Sequence[Sequence[int]] | Sequence[int]) -> int:
        array = np.array(values, np.int32)
        return self._add(array.shape, fb.TensorType.INT32, [], [], 0, array.tobytes())

    def model(
        self,
        op_type: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: tuple[str, Any] | None,
        given: Sequence[int],
    ) -> bytes:
        code = fb.OperatorCodeT()
        code.builtinCode = getattr(fb.BuiltinOperator, op_type)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        operator = fb.OperatorT()
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options is not None:
            operator.builtinOptionsType = getattr(fb.BuiltinOptions, options[0])
            operator.builtinOptions = options[1]
        return self._packed(code, [operator], given, outputs)

    def chain(self, op_type: str, tensors: Sequence[int]) -> bytes:
        """One op without options after another."""
        code = fb.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(fb.BuiltinOperator, op_type)
        code.version = 1
        operators = []
        for source, out in pairwise(tensors):
            operator = fb.OperatorT()
            operator.inputs, operator.outputs = [source], [out]
            operators.append(operator)
        return self._packed(code, operators, tensors[:1], tensors[-1:])

    def _packed(
        self, code: Any, operators: Sequence[Any], given: Sequence[int], made: Sequence[int]
    ) -> bytes:
        self._graph.operators = list(operators)
        self._graph.inputs, self._graph.outputs = list(given), list(made)
        self._model.operatorCodes, self._model.subgraphs = [code], [self._graph]
        builder = flatbuffers.Builder(4096)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _add(
        self,
        shape: Sequence[int],
        dtype: int,
        scales: list[float],
        zero_points: list[int],
        axis: int,
        data: bytes | None,
    ) -> int:
        tensor = fb.TensorT()
        tensor.name, tensor.shape = f"t{len(self._graph.tensors)}", list(shape)
        tensor.type = dtype
        if scales:
            affine = fb.QuantizationParametersT()
            affine.scale, affine.zeroPoint, affine.quantizedDimension = scales, zero_points, axis
            tensor.quantization = affine
        if data is not None:
            buffer = fb.BufferT()
            buffer.data = np.frombuffer(data, np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1


_CONV_SHAPES = (  # side, channels in, channels out, kernel, stride
    (8, 8, 8, 1, 1), (16, 16, 24, 1, 1), (7, 40, 17, 1, 1), (12, 64, 96, 1, 1), (10, 3, 8, 3, 1),
    (16, 8, 16, 3, 1), (15, 12, 20, 3, 2), (9, 32, 32, 3, 1), (20, 4, 12, 5, 2), (16, 16, 32, 1, 2),
)  # fmt: skip


def _convolutions(random: np.random.Generator) -> Iterator[Sample]:
    for side, inner, outer, kernel, stride in _CONV_SHAPES:
        make = _Builder(random)
        source = make.tensor([1, side, side, inner], zero_point=-3)
        weights = make.weights([outer, kernel, kernel, inner], 0)
        bias = make.bias(outer)
        result = -(-side // stride)
        out = make.tensor([1, result, result, outer], zero_point=4)
        options = fb.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = fb.Padding.SAME, stride, stride
        options.dilationWFactor = options.dilationHFactor = 1
        label = f"{side}x{side}x{inner} to {outer}, {kernel}x{kernel}, stride {stride}"
        named = ("Conv2DOptions", options)
        data = make.model("CONV_2D", [source, weights, bias], [out], named, [source])
        yield Sample("CONV_2D", label, data)


_DEPTHWISE_SHAPES = (
    (8, 8, 3, 1), (16, 16, 3, 1), (15, 24, 3, 2), (7, 96, 3, 1), (12, 130, 3, 1), (20, 10, 5, 2),
    (9, 33, 3, 1), (24, 4, 3, 2),
)  # fmt: skip


def _depthwise(random: np.random.Generator) -> Iterator[Sample]:
    for side, channels, kernel, stride in _DEPTHWISE_SHAPES:
        make = _Builder(random)
        source = make.tensor([1, side, side, channels], zero_point=-3)
        weights = make.weights([1, kernel, kernel, channels], 3)
        bias = make.bias(channels)
        result = -(-side // stride)
        out = make.tensor([1, result, result, channels], zero_point=4)
        options = fb.DepthwiseConv2DOptionsT()
        options.padding, options.strideW, options.strideH = fb.Padding.SAME, stride, stride
        options.depthMultiplier = options.dilationWFactor = options.dilationHFactor = 1
        label = f"{side}x{side}x{channels}, {kernel}x{kernel}, stride {stride}"
        named = ("DepthwiseConv2DOptions", options)
        data = make.model("DEPTHWISE_CONV_2D", [source, weights, bias], [out], named, [source])
        yield Sample("DEPTHWISE_CONV_2D", label, data)


def _dense(random: np.random.Generator) -> Iterator[Sample]:
    for depth, outer in ((16, 8), (64, 10), (100, 33), (256, 64), (640, 128), (48, 5), (129, 31)):
        make = _Builder(random)
        source = make.tensor([1, depth], zero_point=-3)
        weights = make.weights([outer, depth], 0, per_channel=False)
        bias = make.bias(outer, per_channel=False)
        out = make.tensor([1, outer], zero_point=4)
        options = ("FullyConnectedOptions", fb.FullyConnectedOptionsT())
        data = make.model("FULLY_CONNECTED", [source, weights, bias], [out], options, [source])
        yield Sample("FULLY_CONNECTED", f"{depth} to {outer}", data)


_SHAPES = ([1, 4, 4, 8], [1, 8, 8, 16], [1, 7, 9, 5], [1, 16, 16, 12], [1, 20, 20, 24])
_BINARY = {"ADD": ("AddOptions", fb.AddOptionsT), "MUL": ("MulOptions", fb.MulOptionsT)}
_UNARY = {  # op → scale and zero point of its output, where kernels insist on them
    "RELU": (_SCALE, 0), "RELU6": (_SCALE, 0), "LOGISTIC": (1 / 256, -128),
    "TANH": (1 / 128, 0), "HARD_SWISH": (_SCALE, 0), "QUANTIZE": (0.07, 5),
}  # fmt: skip


def _element_wise(random: np.random.Generator) -> Iterator[Sample]:
    for shape in _SHAPES:
        label = "x".join(map(str, shape[1:]))
        for op_type, (name, options) in _BINARY.items():
            make = _Builder(random)
            left, right = make.tensor(shape), make.tensor(shape, scale=0.04)
            out = make.tensor(shape, scale=0.1)
            given = [left, right]
            data = make.model(op_type, given, [out], (name, options()), given)
            yield Sample(op_type, label, data)
        for op_type, (scale, zero_point) in _UNARY.items():
            make = _Builder(random)
            source = make.tensor(shape)
            out = make.tensor(shape, scale=scale, zero_point=zero_point)
            options = ("QuantizeOptions", fb.QuantizeOptionsT()) if op_type == "QUANTIZE" else None
            yield Sample(op_type, label, make.model(op_type, [source], [out], options, [source]))


def _pools(random: np.random.Generator) -> Iterator[Sample]:
    for op_type in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for side, channels, window, stride in (
            (8, 8, 2, 2), (16, 16, 2, 2), (9, 40, 3, 2), (7, 64, 7, 1), (12, 20, 3, 1),
        ):  # fmt: skip
            make = _Builder(random)
            source = make.tensor([1, side, side, channels])
            result = (side - window) // stride + 1
            out = make.tensor([1, result, result, channels])
            options = fb.Pool2DOptionsT()
            options.padding, options.strideW, options.strideH = fb.Padding.VALID, stride, stride
            options.filterWidth = options.filterHeight = window
            label = f"{side}x{side}x{channels}, {window}x{window}, stride {stride}"
            named = ("Pool2DOptions", options)
            yield Sample(op_type, label, make.model(op_type, [source], [out], named, [source]))
    for side, channels in ((4, 8), (7, 32), (8, 64), (5, 19)):
        make = _Builder(random)
        source, axes = make.tensor([1, side, side, channels]), make.integers([1, 2])
        out = make.tensor([1, channels], scale=0.04)
        options = ("ReducerOptions", fb.ReducerOptionsT())
        data = make.model("MEAN", [source, axes], [out], options, [source])
        yield Sample("MEAN", f"{side}x{side}x{channels}", data)


def _shapes(random: np.random.Generator) -> Iterator[Sample]:
    for shape in _SHAPES:
        label, elements = "x".join(map(str, shape[1:])), int(np.prod(shape))
        make = _Builder(random)
        source, wanted = make.tensor(shape), make.integers([1, elements])
        out = make.tensor([1, elements])
        named = ("ReshapeOptions", fb.ReshapeOptionsT())
        named[1].newShape = [1, elements]
        data = make.model("RESHAPE", [source, wanted], [out], named, [source])
        yield Sample("RESHAPE", label, data)
        make = _Builder(random)
        source, widths = make.tensor(shape), make.integers([[0, 0], [1, 1], [1, 1], [0, 0]])
        out = make.tensor([1, shape[1] + 2, shape[2] + 2, shape[3]])
        options = ("PadOptions", fb.PadOptionsT())
        yield Sample("PAD", label, make.model("PAD", [source, widths], [out], options, [source]))
        make = _Builder(random)
        left, right = make.tensor(shape), make.tensor(shape)
        out = make.tensor([*shape[:3], 2 * shape[3]])
        joined = fb.ConcatenationOptionsT()
        joined.axis = 3
        given = [left, right]
        joins = ("ConcatenationOptions", joined)
        data = make.model("CONCATENATION", given, [out], joins, given)
        yield Sample("CONCATENATION", label, data)
