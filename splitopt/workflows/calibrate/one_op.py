"""A model of one op from a few words: what instructions are counted on.

`OneOp("CONV_2D", ("INT8 1x8x8x16", "INT8 4x3x3x16 weights/0", "INT32 4 bias"), ("INT8 1x8x8x4",),
"Conv2DOptions", {"strideW": 1, "strideH": 1})`. A tensor is its type and shape, alone for an
activation; a constant is `weights` (random, `/0`: one scale for each index of axis 0), `bias`, or
`= 1 2` with its values. `-` is an input that is absent, `variable` a state that the op keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder

_SCALE, _WEIGHT_SCALE = 0.05, 0.01
_QUANTISED = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8"})
_OUTPUTS = {  # (op, type) → scale and zero point of the output, which the kernel fixes
    ("LOGISTIC", "INT8"): (1 / 256, -128), ("LOGISTIC", "INT16"): (1 / 32768, 0),
    ("TANH", "INT8"): (1 / 128, 0), ("TANH", "INT16"): (1 / 32768, 0),
    ("SOFTMAX", "INT8"): (1 / 256, -128), ("SOFTMAX", "INT16"): (1 / 32768, 0),
    ("L2_NORMALIZATION", "INT8"): (1 / 128, 0), ("QUANTIZE", "INT8"): (0.07, 5),
}  # fmt: skip


@dataclass(frozen=True)
class OneOp:
    """The op's type, its tensors in words, its options by the schema's names."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def model(self, seed: int = 0) -> bytes:
        """The file; the same one for the same seed."""
        builder = _Builder(np.random.default_rng(seed), "LSTM" in self.op_type)
        inputs = [builder.from_words(words) for words in self.inputs]
        outputs = [builder.output(self.op_type, words) for words in self.outputs]
        builder.op(self.op_type, inputs, outputs, self._options())
        tensors = builder.graph.tensors
        given = [
            k for k in dict.fromkeys(inputs)
            if k >= 0 and not tensors[k].buffer and not tensors[k].isVariable
        ]  # fmt: skip
        return builder.bytes(given, outputs)

    def _options(self) -> Any:
        if not self.kind:
            return None
        options = getattr(fb, f"{self.kind}T")()
        for name, value in self.options.items():
            setattr(options, name, value)
        return options


class _Builder(ModelBuilder):
    def __init__(self, random: np.random.Generator, is_lstm: bool) -> None:
        super().__init__()
        self._random, self._is_lstm = random, is_lstm

    def _scales(self, dtype: str, part: float = 1.0) -> list[float]:
        """An LSTM's gates are to lie where they are not saturated; its state has a power of two."""
        if dtype not in _QUANTISED:
            return []
        if self._is_lstm:
            return [part * (1 / 2048 if dtype == "INT16" else 1 / 128)]
        return [part * _SCALE]

    def from_words(self, words: str) -> int:
        """Index of the tensor; -1 for one that is absent."""
        if words == "-":
            return -1
        dtype, shape, *rest = words.split()
        extents = [] if shape == "scalar" else [int(extent) for extent in shape.split("x")]
        if not rest:
            return self.tensor(extents, dtype, scales=self._scales(dtype))
        if rest[0] == "variable":
            index = self.tensor(extents, dtype, scales=self._scales(dtype))
            self.graph.tensors[index].isVariable = True
            return index
        if rest[0] == "=":
            values = np.array([int(word) for word in rest[1:]], dtype.lower())
            return self.tensor(extents, dtype, data=values.tobytes())
        kind, _, axis = rest[0].partition("/")
        count = extents[int(axis)] if axis else 1
        data = self._constant(extents, dtype, kind)
        part = _WEIGHT_SCALE * (1 if kind == "bias" else 1 / _SCALE)
        scales = self._scales(dtype, part) * count
        return self.tensor(extents, dtype, scales=scales, axis=int(axis or 0), data=data)

    def output(self, op_type: str, words: str) -> int:
        dtype, shape = words.split()
        scale, zero_point = _OUTPUTS.get((op_type, dtype), (_SCALE, 0))
        extents = [int(extent) for extent in shape.split("x")]
        scales = self._scales(dtype, scale / _SCALE)
        return self.tensor(extents, dtype, scales=scales, zero_point=zero_point)

    def _constant(self, shape: list[int], dtype: str, kind: str) -> bytes:
        if dtype == "FLOAT32":
            return self._random.normal(size=shape).astype(np.float32).tobytes()
        most = 127 if kind == "weights" else 1000
        return self._random.integers(-most, most + 1, size=shape).astype(dtype.lower()).tobytes()
