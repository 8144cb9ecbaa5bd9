"""A random model in the making: its activations so far, and constants that go with them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder

Shape = tuple[int, ...]
_SCALE, _OF_WEIGHTS, _OF_PROBABILITIES, _OF_SIGNS = 0.05, 0.0078125, 1 / 256, 1 / 128
_OF_LOGARITHMS = 16 / 256
_ZERO_POINTS = {_OF_PROBABILITIES: -128, _OF_LOGARITHMS: 127}
_RESULT_SCALES = {
    "LOG_SOFTMAX": _OF_LOGARITHMS,
    "LOGISTIC": _OF_PROBABILITIES,
    "SOFTMAX": _OF_PROBABILITIES,
    "TANH": _OF_SIGNS,
    "L2_NORMALIZATION": _OF_SIGNS,
}
SAME, VALID = fb.Padding.SAME, fb.Padding.VALID


@dataclass
class Sketch:
    """A model in the making. `live`: the activations so far, (tensor, shape)."""

    chance: random.Random
    dtype: str
    builder: ModelBuilder = field(default_factory=ModelBuilder)
    live: list[tuple[int, Shape]] = field(default_factory=list)
    zero_point: int = 0

    def is_common(self, tensor: int) -> bool:
        """Whether the tensor has the element type and the scale that most have."""
        it = self.builder.graph.tensors[tensor]
        scales = it.quantization.scale if it.quantization else [_SCALE]
        return bool(it.type == getattr(fb.TensorType, self.dtype) and scales == [_SCALE])

    def activation(
        self, shape: Sequence[int], dtype: str | None = None, scale: float = _SCALE
    ) -> int:
        dtype = dtype or self.dtype
        scales = (scale,) if dtype in ("INT8", "INT16", "UINT8") else ()
        zero_point = self.zero_point if dtype == "INT8" and scale == _SCALE else 0
        zero_point = _ZERO_POINTS.get(scale, zero_point) if dtype == "INT8" else zero_point
        index = self.builder.tensor(shape, dtype, scales=scales, zero_point=zero_point)
        self.live.append((index, tuple(shape)))
        return index

    def constant(
        self,
        shape: Sequence[int],
        dtype: str,
        channels: int = 1,
        axis: int = 0,
        scale: float = _SCALE,
    ) -> int:
        width = {"INT8": 1, "UINT8": 1, "INT16": 2, "INT64": 8}.get(dtype, 4)
        data = bytes(self.chance.randrange(120) for _ in range(min(64, prod(shape) * width)))
        data = (data * (prod(shape) * width // max(1, len(data)) + 1))[: prod(shape) * width]
        scales = [scale] * channels if dtype != "FLOAT32" else ()
        zero_point = self.zero_point if dtype == "INT8" and scale == _SCALE else 0
        return self.builder.tensor(
            shape, dtype, scales=scales, zero_point=zero_point, axis=axis, data=data
        )

    def numbers(self, values: Sequence[int], shape: Sequence[int] | None = None) -> int:
        data = np.asarray(values, "<i4").tobytes()
        return self.builder.tensor([len(values)] if shape is None else shape, "INT32", data=data)

    def weights(self, shape: Sequence[int], outputs: int, axis: int) -> int:
        dtype = "INT8" if self.dtype in ("INT8", "INT16") else self.dtype
        channels = outputs if self.dtype == "INT8" else 1
        return self.constant(shape, dtype, self.chance.choice((1, channels)), axis, _OF_WEIGHTS)

    def bias(self, outputs: int) -> int:
        if self.chance.random() < 0.2:
            return -1
        dtype = {"INT16": "INT64", "FLOAT32": "FLOAT32"}.get(self.dtype, "INT32")
        return self.constant([outputs], dtype, scale=_SCALE * _OF_WEIGHTS)

    def op(self, name: str, inputs: Sequence[int], shape: Sequence[int], options: Any = None,
           dtype: str | None = None) -> None:  # fmt: skip
        scale = _RESULT_SCALES.get(name, _SCALE) if self.dtype == "INT8" else _SCALE
        self.builder.op(name, inputs, [self.activation(shape, dtype, scale)], options)

    def extents(self, axis_extents: Sequence[int], kernel: Sequence[int], stride: Sequence[int],
                padding: int, dilation: Sequence[int] = (1, 1)) -> list[int]:  # fmt: skip
        """Rows and columns after a window has passed."""
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        lost = [0 if padding == SAME else span - 1 for span in spans]
        return [(n - less + s - 1) // s for n, less, s in
                zip(axis_extents, lost, stride, strict=True)]  # fmt: skip
