"""Models of one op each, in many shapes: what a cost table is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder
from splitopt.workflows.calibrate.kernel_models import kernel_models

_SCALE, _WEIGHT_SCALE = 0.05, 0.01


@dataclass(frozen=True)
class Sample:
    """One generated model; `label` says its shape."""

    op_type: str
    label: str
    data: bytes


def quantize_chain(ops: int) -> bytes:
    """QUANTIZE after QUANTIZE, whose time does not depend on data: the difference of two lengths
    shows what an Invoke costs besides its ops."""
    model = ModelBuilder()
    tensors = [model.tensor([1, 4, 4, 8], scales=[_SCALE]) for _ in range(ops + 1)]
    for source, out in pairwise(tensors):
        model.op("QUANTIZE", [source], [out])
    return model.bytes(tensors[:1], tensors[-1:])


def generated(seed: int = 0) -> tuple[Sample, ...]:
    """The same models for the same seed."""
    random = np.random.default_rng(seed)
    families = (_convolutions, _depthwise, _dense, _element_wise, _pools, _means, _shapes)
    common = (sample for family in families for sample in family(random))
    others = (Sample(op.op_type, label, op.model(seed)) for label, op in kernel_models())
    return (*common, *others)


class _Model(ModelBuilder):
    """A model of one op: int8 with one scale, weights with one scale per channel."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        self._random = random

    def activation(self, *shape: int, scale: float = _SCALE, zero_point: int = 0) -> int:
        return self.tensor(shape, scales=[scale], zero_point=zero_point)

    def weights(self, shape: Sequence[int], axis: int, *, per_channel: bool = True) -> int:
        data = self._random.integers(-127, 128, size=tuple(shape), dtype=np.int8).tobytes()
        count = shape[axis] if per_channel else 1
        return self.tensor(shape, scales=[_WEIGHT_SCALE] * count, axis=axis, data=data)

    def bias(self, count: int, *, per_channel: bool = True) -> int:
        data = self._random.integers(-1000, 1000, size=count, dtype=np.int32).tobytes()
        scales = [_SCALE * _WEIGHT_SCALE] * (count if per_channel else 1)
        return self.tensor([count], "INT32", scales=scales, data=data)

    def integers(self, values: Any) -> int:
        array = np.array(values, np.int32)
        return self.tensor(array.shape, "INT32", data=array.tobytes())

    def sample(
        self, op_type: str, label: str, inputs: Sequence[int], out: int, options: Any = None
    ) -> Sample:
        self.op(op_type, inputs, [out], options)
        given = [index for index in inputs if not self.graph.tensors[index].buffer]
        return Sample(op_type, label, self.bytes(given, [out]))


def _windowed(options: Any, padding: int, stride: int) -> Any:
    options.padding, options.strideW, options.strideH = padding, stride, stride
    return options


_CONV_SHAPES = (  # side, channels in, channels out, kernel, stride
    (8, 8, 8, 1, 1), (16, 16, 24, 1, 1), (7, 40, 17, 1, 1), (12, 64, 96, 1, 1), (10, 3, 8, 3, 1),
    (16, 8, 16, 3, 1), (15, 12, 20, 3, 2), (9, 32, 32, 3, 1), (20, 4, 12, 5, 2), (16, 16, 32, 1, 2),
)  # fmt: skip


def _convolutions(random: np.random.Generator) -> Iterator[Sample]:
    for side, inner, outer, kernel, stride in _CONV_SHAPES:
        model = _Model(random)
        source = model.activation(1, side, side, inner, zero_point=-3)
        inputs = [source, model.weights([outer, kernel, kernel, inner], 0), model.bias(outer)]
        result = -(-side // stride)
        out = model.activation(1, result, result, outer, zero_point=4)
        options = _windowed(fb.Conv2DOptionsT(), fb.Padding.SAME, stride)
        options.dilationWFactor = options.dilationHFactor = 1
        label = f"{side}x{side}x{inner} to {outer}, {kernel}x{kernel}, stride {stride}"
        yield model.sample("CONV_2D", label, inputs, out, options)


_DEPTHWISE_SHAPES = (  # side, channels, kernel, stride
    (8, 8, 3, 1), (16, 16, 3, 1), (15, 24, 3, 2), (7, 96, 3, 1), (12, 130, 3, 1), (20, 10, 5, 2),
    (9, 33, 3, 1), (24, 4, 3, 2),
)  # fmt: skip


def _depthwise(random: np.random.Generator) -> Iterator[Sample]:
    for side, channels, kernel, stride in _DEPTHWISE_SHAPES:
        model = _Model(random)
        source = model.activation(1, side, side, channels, zero_point=-3)
        inputs = [source, model.weights([1, kernel, kernel, channels], 3), model.bias(channels)]
        result = -(-side // stride)
        out = model.activation(1, result, result, channels, zero_point=4)
        options = _windowed(fb.DepthwiseConv2DOptionsT(), fb.Padding.SAME, stride)
        options.depthMultiplier = options.dilationWFactor = options.dilationHFactor = 1
        label = f"{side}x{side}x{channels}, {kernel}x{kernel}, stride {stride}"
        yield model.sample("DEPTHWISE_CONV_2D", label, inputs, out, options)


def _dense(random: np.random.Generator) -> Iterator[Sample]:
    for depth, outer in ((16, 8), (64, 10), (100, 33), (256, 64), (640, 128), (48, 5), (129, 31)):
        model = _Model(random)
        source = model.activation(1, depth, zero_point=-3)
        weights = model.weights([outer, depth], 0, per_channel=False)
        inputs = [source, weights, model.bias(outer, per_channel=False)]
        out, options = model.activation(1, outer, zero_point=4), fb.FullyConnectedOptionsT()
        yield model.sample("FULLY_CONNECTED", f"{depth} to {outer}", inputs, out, options)


_SHAPES = ([1, 4, 4, 8], [1, 8, 8, 16], [1, 7, 9, 5], [1, 16, 16, 12], [1, 20, 20, 24])
_BINARY = {"ADD": fb.AddOptionsT, "MUL": fb.MulOptionsT}
_UNARY = {  # op → scale and zero point of its output, which some kernels fix
    "RELU": (_SCALE, 0), "RELU6": (_SCALE, 0), "LOGISTIC": (1 / 256, -128),
    "TANH": (1 / 128, 0), "HARD_SWISH": (_SCALE, 0), "QUANTIZE": (0.07, 5),
}  # fmt: skip


def _element_wise(random: np.random.Generator) -> Iterator[Sample]:
    for shape in _SHAPES:
        label = "x".join(map(str, shape[1:]))
        for op_type, options in _BINARY.items():
            model = _Model(random)
            inputs = [model.activation(*shape), model.activation(*shape, scale=0.04)]
            out = model.activation(*shape, scale=0.1)
            yield model.sample(op_type, label, inputs, out, options())
        for op_type, (scale, zero_point) in _UNARY.items():
            model = _Model(random)
            source = model.activation(*shape)
            out = model.activation(*shape, scale=scale, zero_point=zero_point)
            of_quantize = fb.QuantizeOptionsT() if op_type == "QUANTIZE" else None
            yield model.sample(op_type, label, [source], out, of_quantize)


_POOL_SHAPES = (  # side, channels, window, stride
    (8, 8, 2, 2), (16, 16, 2, 2), (9, 40, 3, 2), (7, 64, 7, 1), (12, 20, 3, 1),
)  # fmt: skip


def _pools(random: np.random.Generator) -> Iterator[Sample]:
    for op_type in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for side, channels, window, stride in _POOL_SHAPES:
            model = _Model(random)
            source = model.activation(1, side, side, channels)
            result = (side - window) // stride + 1
            out = model.activation(1, result, result, channels)
            options = _windowed(fb.Pool2DOptionsT(), fb.Padding.VALID, stride)
            options.filterWidth = options.filterHeight = window
            label = f"{side}x{side}x{channels}, {window}x{window}, stride {stride}"
            yield model.sample(op_type, label, [source], out, options)


def _means(random: np.random.Generator) -> Iterator[Sample]:
    for side, channels in ((4, 8), (7, 32), (8, 64), (5, 19)):
        model = _Model(random)
        inputs = [model.activation(1, side, side, channels), model.integers([1, 2])]
        out = model.activation(1, channels, scale=0.04)
        yield model.sample("MEAN", f"{side}x{side}x{channels}", inputs, out, fb.ReducerOptionsT())


def _shapes(random: np.random.Generator) -> Iterator[Sample]:
    """Ops that move data and compute nothing."""
    for shape in _SHAPES:
        label, elements = "x".join(map(str, shape[1:])), int(np.prod(shape))
        model, reshape = _Model(random), fb.ReshapeOptionsT()
        inputs = [model.activation(*shape), model.integers([1, elements])]
        reshape.newShape = [1, elements]
        yield model.sample("RESHAPE", label, inputs, model.activation(1, elements), reshape)
        model = _Model(random)
        inputs = [model.activation(*shape), model.integers([[0, 0], [1, 1], [1, 1], [0, 0]])]
        padded = model.activation(1, shape[1] + 2, shape[2] + 2, shape[3])
        yield model.sample("PAD", label, inputs, padded, fb.PadOptionsT())
        model, concatenation = _Model(random), fb.ConcatenationOptionsT()
        inputs = [model.activation(*shape), model.activation(*shape)]
        joined = model.activation(*shape[:3], 2 * shape[3])
        concatenation.axis = 3
        yield model.sample("CONCATENATION", label, inputs, joined, concatenation)
