"""Small int8 nets on images by chance: everything that can run in bands, and how that can fail."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb
from builder import Builder

from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite

_PADDING = {"same": fb.Padding.SAME, "valid": fb.Padding.VALID}
Shape = tuple[int, int, int]


@dataclass
class ImageNet:
    """Ops on images [1, rows, columns, channels]; each returns the tensor that it makes."""

    rng: random.Random = field(default_factory=lambda: random.Random(0))
    maker: Builder = field(default_factory=Builder)
    shapes: dict[int, Shape] = field(default_factory=dict)

    def image(self, rows: int, columns: int, channels: int) -> int:
        tensor = self.maker.tensor([1, rows, columns, channels])
        self.shapes[tensor] = rows, columns, channels
        return tensor

    def conv(
        self, source: int, channels: int, kernel: int, stride: int, padding: str, dilation: int = 1
    ) -> int:
        depth = self.shapes[source][2]
        weights = self._weights([channels, kernel, kernel, depth], channels, 0)
        options = fb.Conv2DOptionsT()
        options.dilationHFactor = options.dilationWFactor = dilation
        given = [source, weights, self._bias(channels)]
        reach = (kernel - 1) * dilation + 1
        made = self._windowed(source, channels, reach, stride, padding, options)
        self.maker.op("CONV_2D", given, [made], ("Conv2DOptions", options))
        return made

    def depthwise(self, source: int, kernel: int, stride: int, padding: str) -> int:
        channels = self.shapes[source][2]
        weights = self._weights([1, kernel, kernel, channels], channels, 3)
        options = fb.DepthwiseConv2DOptionsT()
        options.depthMultiplier = options.dilationHFactor = options.dilationWFactor = 1
        given = [source, weights, self._bias(channels)]
        made = self._windowed(source, channels, kernel, stride, padding, options)
        self.maker.op("DEPTHWISE_CONV_2D", given, [made], ("DepthwiseConv2DOptions", options))
        return made

    def pool(self, source: int, name: str, size: int, stride: int, padding: str) -> int:
        options = fb.Pool2DOptionsT()
        options.filterHeight = options.filterWidth = size
        made = self._windowed(source, self.shapes[source][2], size, stride, padding, options)
        self.maker.op(name, [source], [made], ("Pool2DOptions", options))
        return made

    def pad(self, source: int, above: int, below: int) -> int:
        rows, columns, channels = self.shapes[source]
        amounts = np.array([[0, 0], [above, below], [1, 0], [0, 0]], dtype="<i4")
        constant = self.maker.tensor([4, 2], "int32", data=amounts.tobytes(), scales=0)
        made = self.image(rows + above + below, columns + 1, channels)
        self.maker.op("PAD", [source, constant], [made], ("PadOptions", fb.PadOptionsT()))
        return made

    def enlarge(self, source: int, factor: int) -> int:
        rows, columns, channels = self.shapes[source]
        size = np.array([rows * factor, columns * factor], dtype="<i4")
        constant = self.maker.tensor([2], "int32", data=size.tobytes(), scales=0)
        made = self.image(rows * factor, columns * factor, channels)
        options = ("ResizeNearestNeighborOptions", fb.ResizeNearestNeighborOptionsT())
        self.maker.op("RESIZE_NEAREST_NEIGHBOR", [source, constant], [made], options)
        return made

    def add(self, left: int, right: int) -> int:
        made = self.image(*self.shapes[left])
        self.maker.op("ADD", [left, right], [made], ("AddOptions", fb.AddOptionsT()))
        return made

    def shift(self, source: int, shape: list[int]) -> int:
        """Adds a constant of that shape, which TFLM broadcasts where it is not the source's."""
        data = self.rng.randbytes(int(np.prod(shape)))
        constant = self.maker.tensor(shape, data=data)
        made = self.image(*self.shapes[source])
        self.maker.op("ADD", [source, constant], [made], ("AddOptions", fb.AddOptionsT()))
        return made

    def join(self, left: int, right: int) -> int:
        rows, columns, channels = self.shapes[left]
        options = fb.ConcatenationOptionsT()
        options.axis = 3
        made = self.image(rows, columns, channels + self.shapes[right][2])
        self.maker.op("CONCATENATION", [left, right], [made], ("ConcatenationOptions", options))
        return made

    def graph(self, sources: list[int], results: list[int]) -> ModelGraph:
        return parse_tflite(self.maker.bytes(sources, results), name="net", where="a net by chance")

    def _windowed(
        self, source: int, channels: int, reach: int, stride: int, padding: str, options: Any
    ) -> int:
        rows, columns, _ = self.shapes[source]
        lost = 0 if padding == "same" else reach - 1
        options.padding, options.strideH, options.strideW = _PADDING[padding], stride, stride
        return self.image(-((lost - rows) // stride), -((lost - columns) // stride), channels)

    def _weights(self, shape: list[int], channels: int, axis: int) -> int:
        data = self.rng.randbytes(int(np.prod(shape)))
        tensor = self.maker.tensor(shape, data=data, scales=channels)
        quantization = self.maker.graph.tensors[tensor].quantization
        quantization.scale = [0.01 + 0.002 * k for k in range(channels)]
        quantization.zeroPoint, quantization.quantizedDimension = [0] * channels, axis
        return tensor

    def _bias(self, channels: int) -> int:
        data = np.array([self.rng.randint(-99, 99) for _ in range(channels)], dtype="<i4")
        return self.maker.tensor([channels], "int32", data=data.tobytes())


def chance_net(seed: int) -> ModelGraph:
    """Three to eight ops; sums and joins where two tensors are alike."""
    rng = random.Random(seed)
    net = ImageNet(rng)
    source = net.image(rng.randint(6, 30), rng.randint(6, 9), rng.randint(1, 3))
    made = [source]
    for _ in range(rng.randint(3, 8)):
        made.append(_next(net, rng, made))
        if min(net.shapes[made[-1]][:2]) < 5:
            break
    read = {t for op in net.maker.graph.operators for t in op.inputs}
    return net.graph([source], [t for t in made[1:] if t not in read])


def chance_neck(seed: int) -> ModelGraph:
    """Two upsamplings, skips that enter at each of the three heights, constants that broadcast,
    inputs that no op reads."""
    rng = random.Random(seed)
    net = ImageNet(rng)
    rows, columns, channels = rng.choice([2, 3, 4, 5]), rng.choice([1, 2, 3]), rng.randint(1, 3)
    factors = rng.choice([(2, 2), (2, 2), (4, 2), (2, 4)])
    current = net.image(rows, columns, channels)
    inputs, read = [current], [current]
    for factor in (1, *factors):
        current = net.enlarge(current, factor) if factor > 1 else current
        current = _stage(net, rng, current)
        if rng.random() < 0.7:
            skip = net.image(*net.shapes[current])
            inputs.append(skip)
            read.append(skip)
            pair = [current, skip] if rng.random() < 0.5 else [skip, current]
            current = rng.choice([net.add, net.join])(*pair)
    if rng.random() < 0.3:
        inputs.append(net.image(*net.shapes[rng.choice(read)]))
    rng.shuffle(inputs)
    return net.graph(inputs, [_stage(net, rng, current)])


def _stage(net: ImageNet, rng: random.Random, source: int) -> int:
    rows, columns, channels = net.shapes[source]
    kind = rng.choice(["conv", "conv", "shift", "depthwise", "nothing"])
    if kind == "conv":
        return net.conv(source, rng.randint(1, 4), rng.choice([1, 3]), 1, "same")
    if kind == "depthwise":
        return net.depthwise(source, 3, 1, "same")
    if kind == "shift":
        shapes = [[1, 1, columns, channels], [1, 1, 1, 1], [1, 1, 1, channels], [channels], [1]]
        whole = [[1, rows, columns, channels], [1, rows, 1, channels], [1, rows, 1, 1]]
        return net.shift(source, rng.choice([*shapes, *whole]))
    return source


def _next(net: ImageNet, rng: random.Random, made: list[int]) -> int:
    last = made[-1]
    rows, columns, _ = net.shapes[last]
    alike = [t for t in made[:-1] if net.shapes[t][:2] == (rows, columns)]
    padding = rng.choice(["same", "valid"])
    kind = rng.choice(["conv", "conv", "depthwise", "pool", "pad", "enlarge", "two", "two"])
    if kind == "two" and alike:
        other = rng.choice(alike)
        if net.shapes[other] == net.shapes[last] and rng.random() < 0.7:
            return net.add(other, last)
        return net.join(other, last)
    if kind == "pool":
        name = rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"])
        return net.pool(last, name, rng.choice([2, 3]), rng.choice([1, 2]), padding)
    if kind == "pad":
        return net.pad(last, rng.randint(0, 2), rng.randint(0, 2))
    if kind == "enlarge" and rows <= 20:
        return net.enlarge(last, rng.choice([2, 4]))
    if kind == "depthwise":
        return net.depthwise(last, 3, rng.choice([1, 2]), padding)
    if rng.random() < 0.2 and rows > 6:
        return net.conv(last, rng.randint(1, 4), 3, 1, padding, dilation=2)
    return net.conv(last, rng.randint(1, 4), rng.choice([1, 3, 5]), rng.choice([1, 2]), padding)


def sample_images(count: int = 10) -> np.ndarray:
    """Random float16 images of 4 x 4 x 3 in [-1, 1], the same in every run."""
    return np.random.default_rng(0).uniform(-1, 1, (count, 4, 4, 3)).astype(np.float16)
