"""Nets with gates of channels, as squeeze-and-excite has them, and of pixels, by chance and as
MobileNetV3's."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as fb
from stream_nets import StreamNet

from splitopt.graph.model import ModelGraph

GATED = ("MUL", "MUL", "MUL", "ADD", "SUB")


@dataclass
class GatedNet(StreamNet):
    """Gates are [1, 1, 1, channels], [1, 1, columns, 1], ..., a single value, or have all rows."""

    def mean(self, source: int) -> int:
        """MEAN over rows and columns, which stay as ones."""
        options = fb.ReducerOptionsT()
        options.keepDims = True
        axes = np.array([1, 2], dtype="<i4").tobytes()
        made = self.image(1, 1, self.shapes[source][2])
        given = [source, self.maker.tensor([2], "int32", data=axes, scales=0)]
        self.maker.op("MEAN", given, [made], ("ReducerOptions", options))
        return made

    def gated(self, source: int, gate: int, name: str = "MUL", *, gate_first: bool = False) -> int:
        made = self.image(*self.shapes[source])
        own = {"ADD": fb.AddOptionsT, "SUB": fb.SubOptionsT, "MUL": fb.MulOptionsT}[name]()
        given = [gate, source] if gate_first else [source, gate]
        self.maker.op(name, given, [made], (type(own).__name__[:-1], own))
        return made

    def squeezed(self, source: int, inner: int) -> int:
        """A gate of the image's own mean: two dense layers as convolutions, and a sigmoid."""
        low = self.conv(self.mean(source), inner, 1, 1, "same")
        return self._sigmoid(self.conv(low, self.shapes[source][2], 1, 1, "same"))

    def spotted(self, source: int) -> int:
        """A gate of each pixel, made of those around it."""
        return self._sigmoid(self.conv(source, 1, 3, 1, "same"))

    def _sigmoid(self, source: int) -> int:
        gate = self.each("LOGISTIC", source)
        quantization = self.maker.graph.tensors[gate].quantization  # the only one that TFLM takes
        quantization.scale, quantization.zeroPoint = [1 / 256], [-128]
        return gate


def chance_gated_net(seed: int, dtype: str = "int8") -> ModelGraph:
    """Windows and sums, gated by inputs of the model, and now and then by the image itself."""
    rng = random.Random(seed)
    net = GatedNet(rng, dtype=dtype)
    last = net.image(rng.randint(6, 20), rng.randint(2, 6), rng.randint(1, 4))
    inputs, made = [last], [last]
    for _ in range(rng.randint(2, 5)):
        last = _gated(net, rng, made[-1], inputs)
        made.append(last)
        rows, columns, _ = net.shapes[last]
        alike = [t for t in made[:-1] if net.shapes[t] == net.shapes[last]]
        if alike and rng.random() < 0.4:
            made.append(net.both("ADD", rng.choice(alike), last))
        elif min(rows, columns) >= 3:
            size, stride = rng.choice([(1, 1), (3, 1), (3, 2)])
            kind = rng.choice(["CONV_2D", "DEPTHWISE_CONV_2D"])
            padding = rng.choice(["same", "same", "valid"])
            made.append(net.window(kind, last, (size, size), (stride, stride), padding))
    read = {t for op in net.maker.graph.operators for t in op.inputs}
    return net.graph(inputs, [t for t in made if t not in read])


def _gated(net: GatedNet, rng: random.Random, source: int, inputs: list[int]) -> int:
    rows, columns, channels = net.shapes[source]
    kinds = ["new"] * 4 + ["again"] * 2 + ["own", "pixel"] * (net.dtype == "int8")
    kind = rng.choice(kinds)
    gates = [t for t in inputs[1:] if net.shapes[t][0] in (1, rows)]
    gates = [t for t in gates if net.shapes[t][1] in (1, columns)]
    gates = [t for t in gates if net.shapes[t][2] in (1, channels)]
    if kind == "own":
        gate = net.squeezed(source, rng.randint(1, 3))
    elif kind == "pixel":
        gate = net.spotted(source)
    elif kind == "again" and gates:
        gate = rng.choice(gates)
    else:
        shapes = [(1, 1, channels)] * 3 + [(1, 1, 1), (1, columns, 1), (1, columns, channels)]
        shapes += [(rows, columns, 1), (rows, 1, channels)]
        gate = net.image(*rng.choice(shapes))
        inputs.append(gate)
    return net.gated(source, gate, rng.choice(GATED), gate_first=rng.random() < 0.3)


def mobile_net_v3_like(rows: int = 48, *, gates: bool = True) -> ModelGraph:
    """Stem, then blocks that expand, filter, gate and project, with residuals; a head."""
    net = GatedNet(random.Random(3))
    source = net.image(rows, rows, 3)
    last = net.conv(source, 8, 3, 2, "same")
    for expanded, made, stride in ((16, 8, 1), (32, 12, 2), (48, 12, 1), (48, 20, 2), (80, 20, 1)):
        wide = net.each("HARD_SWISH", net.conv(last, expanded, 1, 1, "same"))
        wide = net.each("HARD_SWISH", net.depthwise(wide, 3, stride, "same"))
        wide = net.gated(wide, net.squeezed(wide, expanded // 4)) if gates else wide
        thin = net.conv(wide, made, 1, 1, "same")
        last = net.add(last, thin) if net.shapes[last] == net.shapes[thin] else thin
    return net.graph([source], [net.conv(net.mean(last), 10, 1, 1, "same")])
