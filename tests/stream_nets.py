"""Small nets on images by chance: all that can run in a stream, in int8 and in int16."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb
from images import ImageNet

from splitopt.graph.model import ModelGraph

_PADDING = {"same": fb.Padding.SAME, "valid": fb.Padding.VALID}
_FUSED = (fb.ActivationFunctionType.NONE, fb.ActivationFunctionType.RELU)
Pair = tuple[int, int]


@dataclass
class StreamNet(ImageNet):
    """Windows of any height and width, strides of rows and columns apart. `dtype`: of images."""

    dtype: str = "int8"

    def image(self, rows: int, columns: int, channels: int) -> int:
        tensor = self.maker.tensor([1, rows, columns, channels], self.dtype)
        if self.dtype == "int16":
            self.maker.graph.tensors[tensor].quantization.zeroPoint = [0]
        self.shapes[tensor] = rows, columns, channels
        return tensor

    def window(
        self, name: str, source: int, size: Pair, stride: Pair, padding: str, dilation: int = 1
    ) -> int:
        """A convolution or a pool; of a convolution, one or two channels more."""
        depth = self.shapes[source][2]
        reach = tuple((k - 1) * dilation + 1 for k in size)
        if name.endswith("POOL_2D"):
            options = fb.Pool2DOptionsT()
            options.filterHeight, options.filterWidth = size
            given, channels = [source], depth
        elif name == "CONV_2D":
            options, channels = fb.Conv2DOptionsT(), self.rng.randint(1, 4)
            given = [source, self._weights([channels, *size, depth], channels, 0)]
        else:
            options, channels = fb.DepthwiseConv2DOptionsT(), depth
            options.depthMultiplier = 1
            given = [source, self._weights([1, *size, depth], depth, 3)]
        if len(given) > 1:
            given.append(self._bias(channels))
            options.dilationHFactor = options.dilationWFactor = dilation
        options.padding, (options.strideH, options.strideW) = _PADDING[padding], stride
        options.fusedActivationFunction = self.rng.choice(_FUSED)
        extents = [
            -((lost - whole) // step)
            for whole, step, lost in zip(
                self.shapes[source][:2],
                stride,
                [0, 0] if padding == "same" else [k - 1 for k in reach],
                strict=True,
            )
        ]
        made = self.image(*extents, channels)
        self.maker.op(name, given, [made], (type(options).__name__[:-1], options))
        return made

    def transposed(
        self, source: int, size: Pair, stride: Pair, padding: str, channels: int = 2
    ) -> int:
        """A TRANSPOSE_CONV. Each row gives as many as the stride, in VALID some more at the end."""
        rows, columns, depth = self.shapes[source]
        more = [
            0 if padding == "same" else max(0, k - s) for k, s in zip(size, stride, strict=True)
        ]
        shape = [rows * stride[0] + more[0], columns * stride[1] + more[1], channels]
        data = np.array([1, *shape], dtype="<i4").tobytes()
        given = [
            self.maker.tensor([4], "int32", data=data, scales=0),
            self._weights([channels, *size, depth], channels, 0),
            *(source, self._bias(channels)),
        ]
        options = fb.TransposeConvOptionsT()
        options.padding, (options.strideH, options.strideW) = _PADDING[padding], stride
        made = self.image(*shape)
        self.maker.op("TRANSPOSE_CONV", given, [made], ("TransposeConvOptions", options))
        return made

    def each(self, name: str, source: int) -> int:
        """An op on each value by itself."""
        made = self.image(*self.shapes[source])
        given, options = [source], None
        if name == "PRELU":
            depth = self.shapes[source][2]
            given.append(self.maker.tensor([1, 1, depth], data=self.rng.randbytes(depth)))
        if name == "LEAKY_RELU":
            leaky = fb.LeakyReluOptionsT()
            leaky.alpha, options = 0.2, ("LeakyReluOptions", leaky)
        self.maker.op(name, given, [made], options)
        return made

    def both(self, name: str, left: int, right: int) -> int:
        """An op on the values of two images."""
        made = self.image(*self.shapes[left])
        tables = {"ADD": fb.AddOptionsT, "SUB": fb.SubOptionsT, "MUL": fb.MulOptionsT}
        own = tables.get(name, fb.MaximumMinimumOptionsT)()
        self.maker.op(name, [left, right], [made], (type(own).__name__[:-1], own))
        return made

    def border(
        self,
        source: int,
        rows: Pair,
        columns: Pair,
        channels: Pair = (0, 0),
        fill: int | None = None,
    ) -> int:
        """Values around the image: those of its zero point, or of the constant `fill`."""
        amounts = np.array([(0, 0), rows, columns, channels], dtype="<i4")
        given = [source, self.maker.tensor([4, 2], "int32", data=amounts.tobytes(), scales=0)]
        if fill is not None:
            kind = "<i1" if self.dtype == "int8" else "<i2"
            given.append(self.maker.tensor([], self.dtype, data=np.array(fill, kind).tobytes()))
        sizes = zip(self.shapes[source], (rows, columns, channels), strict=True)
        made = self.image(*(extent + sum(more) for extent, more in sizes))
        name, own = ("PAD", fb.PadOptionsT()) if fill is None else ("PADV2", fb.PadV2OptionsT())
        self.maker.op(name, given, [made], (type(own).__name__[:-1], own))
        return made

    def _bias(self, channels: int) -> int:
        if self.dtype == "int8":
            return super()._bias(channels)
        data = np.array([self.rng.randint(-99, 99) for _ in range(channels)], dtype="<i8")
        return self.maker.tensor([channels], "int64", data=data.tobytes(), scales=channels)


def chance_stream_net(seed: int, dtype: str = "int8") -> ModelGraph:
    """Two to nine ops, one or two inputs."""
    rng = random.Random(seed)
    net = StreamNet(rng, dtype=dtype)
    inputs = [net.image(rng.randint(3, 26), rng.randint(3, 9), rng.randint(1, 4))]
    made = list(inputs)
    for _ in range(rng.randint(2, 9)):
        made.append(_next(net, rng, made, inputs))
        if min(net.shapes[made[-1]][:2]) < 2:
            break
    read = {t for op in net.maker.graph.operators for t in op.inputs}
    return net.graph(inputs, [t for t in made if t not in read and t not in inputs])


def _next(net: StreamNet, rng: random.Random, made: list[int], inputs: list[int]) -> int:
    last = made[-1] if rng.random() < 0.8 else rng.choice(made)
    kinds = ["window"] * 6 + ["pool", "pad", "pad", "two", "two", "two", "each", "enlarge"]
    kind = rng.choice(kinds)
    rows, columns, _ = net.shapes[last]
    if kind == "two":
        return _two(net, rng, made, inputs, last)
    if kind == "pad":
        around = [(rng.randint(0, 2), rng.randint(0, 2)) for _ in range(2)]
        if rng.random() < 0.2:
            around.append((rng.randint(0, 1), rng.randint(0, 1)))
        return net.border(last, *around, fill=rng.choice([None, None, None, -7]))
    if kind == "each":
        names = ["PRELU", "LEAKY_RELU", "HARD_SWISH"] if net.dtype == "int8" else ["LEAKY_RELU"]
        return net.each(rng.choice(names), last)
    if kind == "enlarge" and rows <= 12 and net.dtype == "int8":
        return net.enlarge(last, rng.choice([2, 4]))
    return _window(net, rng, last, kind, rows, columns)


def _window(
    net: StreamNet, rng: random.Random, last: int, kind: str, rows: int, columns: int
) -> int:
    names = ["CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D"]
    if kind == "pool":
        names = ["MAX_POOL_2D", "AVERAGE_POOL_2D"]
    name, padding = rng.choice(names), rng.choice(["same", "valid"])
    tall = rng.random() < 0.1  # as high as the image
    size = rows if tall else rng.randint(1, min(7, rows)), rng.randint(1, min(5, columns))
    stride = (rng.choice([1, 1, 2, 3]),) * 2 if rng.random() < 0.8 else (rng.randint(1, 3), 1)
    if net.dtype == "int16":
        stride = (stride[0],) * 2
    dilation = 1
    fits = 2 * max(size) - 1 <= min(rows, columns)
    if kind != "pool" and fits and rng.random() < 0.25 and stride == (1, 1):
        dilation = 2
    return net.window(name, last, size, stride, padding, dilation)


def _two(net: StreamNet, rng: random.Random, made: list[int], inputs: list[int], last: int) -> int:
    alike = [t for t in made if t != last and net.shapes[t][:2] == net.shapes[last][:2]]
    if not alike and len(inputs) < 2:
        inputs.append(net.image(*net.shapes[last]))
        alike = [inputs[-1]]
    if not alike:
        return net.window("CONV_2D", last, (1, 1), (1, 1), "same")
    pair: list[Any] = [rng.choice(alike), last]
    rng.shuffle(pair)
    if net.shapes[pair[0]] == net.shapes[pair[1]] and rng.random() < 0.7:
        names = ["ADD", "ADD", "SUB", "MUL"] + ["MAXIMUM"] * (net.dtype == "int8")
        return net.both(rng.choice(names), *pair)
    return net.join(*pair)


def chance_decoder(seed: int, dtype: str = "int8") -> ModelGraph:
    """One or two TRANSPOSE_CONVs, with what makes use of their rows: windows, pads, pools, rows of
    other images beside them."""
    rng = random.Random(seed)
    net = StreamNet(rng, dtype=dtype)
    last = net.image(rng.randint(2, 7), rng.randint(2, 4), rng.choice([2, 3, 20]))
    inputs, made = [last], []
    for _ in range(rng.randint(1, 2)):
        last = _next_but_pads(net, rng, [*inputs, *made], inputs)
        stride = rng.choice([1, 2, 2, 2, 3])
        size = rng.randint(1, 2 * stride + 1), rng.randint(1, 4)
        padding = rng.choice(["same", "valid"])
        strides = stride, 1 if dtype == "int8" and rng.random() < 0.2 else stride
        made += [last, net.transposed(last, size, strides, padding, rng.randint(1, 3))]
        for _ in range(rng.randint(0, 3)):
            if min(net.shapes[made[-1]][:2]) > 3:
                made.append(_next(net, rng, made, inputs))
    read = {t for op in net.maker.graph.operators for t in op.inputs}
    results = [t for t in dict.fromkeys(made) if t not in read and t not in inputs]
    return net.graph(inputs, results)


def _next_but_pads(net: StreamNet, rng: random.Random, made: list[int], inputs: list[int]) -> int:
    """What may stand before a TRANSPOSE_CONV: a window, or nothing."""
    last = made[-1]
    if rng.random() < 0.5:
        return last
    return net.window("CONV_2D", last, (min(3, net.shapes[last][0]), 1), (1, 1), "same")
