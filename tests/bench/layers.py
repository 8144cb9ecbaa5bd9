"""Puts int8 networks together layer by layer, with few bytes of weights however deep they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder

SCALE = 0.02
"""Of all activations and weights: pooling, resizing and concatenation need equal scales."""


class Layers:
    """Every method adds an op on images [1, rows, columns, channels] and returns its result.

    Constants of equal size are one buffer of the file, filled with ones.
    """

    def __init__(self) -> None:
        self.builder = ModelBuilder()
        self._buffers: dict[bytes, int] = {}

    def shape(self, tensor: int) -> list[int]:
        return list(self.builder.graph.tensors[tensor].shape)

    def image(self, *shape: int, name: str | None = None) -> int:
        """A new activation; by default of the name of the op that is about to be added."""
        name = f"op{len(self.builder.graph.operators)}" if name is None else name
        return self.builder.tensor(shape, name=name, scales=[SCALE])

    def conv(
        self, source: int, made: int, taps: int = 1, stride: int = 1, *, valid: bool = False
    ) -> int:
        """CONV_2D."""
        options, weights = fb.Conv2DOptionsT(), [made, taps, taps, self.shape(source)[3]]
        return self._windowed("CONV_2D", source, weights, 0, stride, options, valid=valid)

    def depthwise(self, source: int, taps: int = 3, stride: int = 1, *, valid: bool = False) -> int:
        """DEPTHWISE_CONV_2D."""
        options, weights = fb.DepthwiseConv2DOptionsT(), [1, taps, taps, self.shape(source)[3]]
        options.depthMultiplier = 1
        return self._windowed("DEPTHWISE_CONV_2D", source, weights, 3, stride, options, valid=valid)

    def _windowed(
        self,
        op_type: str,
        source: int,
        weights: list[int],
        axis: int,
        stride: int,
        options: Any,
        *,
        valid: bool,
    ) -> int:
        _, rows, columns, _ = self.shape(source)
        made, lost = weights[axis], weights[1] - 1 if valid else 0
        options.padding = fb.Padding.VALID if valid else fb.Padding.SAME
        options.strideW = options.strideH = stride
        extents = [-(-(extent - lost) // stride) for extent in (rows, columns)]
        inputs = [source, *self._weights(weights, axis)]
        return self._op(op_type, inputs, [1, *extents, made], options)

    def pad(self, source: int) -> int:
        """PAD by one row below and one column to the right, as Keras does before strides of 2."""
        _, rows, columns, channels = self.shape(source)
        edges = self._numbers([[0, 0], [0, 1], [0, 1], [0, 0]])
        shape = [1, rows + 1, columns + 1, channels]
        return self._op("PAD", [source, edges], shape, fb.PadOptionsT())

    def add(self, one: int, other: int) -> int:
        return self._op("ADD", [one, other], self.shape(one), fb.AddOptionsT())

    def max_pool(self, source: int) -> int:
        """MAX_POOL_2D that halves rows and columns."""
        options = fb.Pool2DOptionsT()
        options.filterHeight = options.filterWidth = options.strideH = options.strideW = 2
        _, rows, columns, channels = self.shape(source)
        return self._op("MAX_POOL_2D", [source], [1, rows // 2, columns // 2, channels], options)

    def resize(self, source: int) -> int:
        """RESIZE_NEAREST_NEIGHBOR that doubles rows and columns."""
        _, rows, columns, channels = self.shape(source)
        inputs = [source, self._numbers([2 * rows, 2 * columns])]
        shape, options = [1, 2 * rows, 2 * columns, channels], fb.ResizeNearestNeighborOptionsT()
        return self._op("RESIZE_NEAREST_NEIGHBOR", inputs, shape, options)

    def transpose_conv(self, source: int, made: int) -> int:
        """TRANSPOSE_CONV of 2x2 that doubles rows and columns."""
        _, rows, columns, channels = self.shape(source)
        options, shape = fb.TransposeConvOptionsT(), [1, 2 * rows, 2 * columns, made]
        options.strideW = options.strideH = 2
        weights, bias = self._weights([made, 2, 2, channels], 0)
        inputs = [self._numbers(shape), weights, source, bias]
        return self._op("TRANSPOSE_CONV", inputs, shape, options)

    def concatenation(self, one: int, other: int) -> int:
        """CONCATENATION along the channels."""
        options, shape = fb.ConcatenationOptionsT(), self.shape(one)
        options.axis = 3
        shape[3] += self.shape(other)[3]
        return self._op("CONCATENATION", [one, other], shape, options)

    def mean(self, source: int) -> int:
        """MEAN over rows and columns, which stay as ones."""
        options = fb.ReducerOptionsT()
        options.keepDims = True
        inputs = [source, self._numbers([1, 2])]
        return self._op("MEAN", inputs, [1, 1, 1, self.shape(source)[3]], options)

    def dense(self, source: int, made: int) -> int:
        """FULLY_CONNECTED."""
        inputs = [source, *self._weights([made, self.shape(source)[-1]], None)]
        return self._op("FULLY_CONNECTED", inputs, [1, made], fb.FullyConnectedOptionsT())

    def bytes(self, first: int, last: int) -> bytes:
        """The file of the network from one tensor to another."""
        return self.builder.bytes([first], [last])

    def _op(self, op_type: str, inputs: list[int], shape: list[int], options: Any) -> int:
        made = self.image(*shape)
        self.builder.op(op_type, inputs, [made], options)
        return made

    def _weights(self, shape: list[int], axis: int | None) -> tuple[int, int]:
        """Weights, of a scale for each channel along the axis or of one, and their bias."""
        made = shape[axis or 0]
        scales = 1 if axis is None else made
        name = f"op{len(self.builder.graph.operators)}"
        weights = self._constant(f"{name}/w", np.ones(shape, np.int8))
        bias = self._constant(f"{name}/b", np.ones(made, np.int32))
        for tensor, scale, along in ((weights, SCALE, axis or 0), (bias, SCALE * SCALE, 0)):
            affine = fb.QuantizationParametersT()
            affine.scale = np.full(scales, scale, np.float32)
            affine.zeroPoint = np.zeros(scales, np.int64)
            affine.quantizedDimension = along
            self.builder.graph.tensors[tensor].quantization = affine
        return weights, bias

    def _numbers(self, values: Any) -> int:
        """Integers that an op takes as an input."""
        name = f"op{len(self.builder.graph.operators)}/n"
        return self._constant(name, np.array(values, np.int32))

    def _constant(self, name: str, values: Any) -> int:
        dtype, data = values.dtype.name.upper(), values.tobytes()
        tensor = self.builder.tensor(values.shape, dtype, name=name)
        if data not in self._buffers:
            self._buffers[data] = self.builder.buffer(data)
        self.builder.graph.tensors[tensor].buffer = self._buffers[data]
        return tensor
