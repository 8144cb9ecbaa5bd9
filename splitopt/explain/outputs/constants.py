"""Are the constants in a piece file those of the model, and do its biases fit its scales?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.explain.outputs.array_compare import distance
from splitopt.graph.model import ModelGraph, Op, Tensor
from splitopt.runtime.arrays import Array

_WITH_BIAS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_TOLERANCE = 0.02  # what TFLite's kernels accept, in kernel_util.cc
_LEAST_ELEMENTS = 32
_ALIKE_DB = 20.0
_DTYPES = {"INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "FLOAT32": np.float32}


@dataclass(frozen=True)
class OddBias:
    """An op whose bias was made for an input scale `factor` times smaller than the file's."""

    op: str
    input_position: int | None
    factor: float

    def __str__(self) -> str:
        where = "its input" if self.input_position is None else f"input {self.input_position}"
        return (
            f"the bias of {self.op} fits an input scale {self.factor:.4g} times smaller than the "
            f"file has for {where}: the scale was changed after the conversion, the bias was not"
        )


def odd_bias(graph: ModelGraph) -> OddBias | None:
    """The first op whose bias does not fit the scales around it, if any: one was edited by hand."""
    ends = {tensor: position for position, tensor in enumerate(graph.inputs)}
    for op in graph.ops:
        factor = _bias_factor(graph, op)
        if factor is not None and abs(factor - 1) > _TOLERANCE:
            return OddBias(graph.op_name(op.index), ends.get(op.inputs[0]), factor)
    return None


def _bias_factor(graph: ModelGraph, op: Op) -> float | None:
    """Input scale times weight scale over bias scale: 1 by TFLite's quantisation specification.

    None where there is nothing to compare.
    """
    if op.type not in _WITH_BIAS or len(op.inputs) < 3 or min(op.inputs[:3]) < 0:
        return None
    source, weights, bias = (graph.tensors[t].quantization for t in op.inputs[:3])
    if source is None or weights is None or bias is None or not bias.scales[0]:
        return None
    return source.scales[0] * weights.scales[0] / bias.scales[0]


@dataclass(frozen=True)
class Weights:
    """How many of the model's weight tensors of a segment have no like in the piece file."""

    missing: int
    total: int


def compare_weights(bundle: OpenBundle, piece: Piece) -> Weights:
    """By real values, in any order; small constants and int32 (biases, axes) are left out."""
    want = _weights(bundle.graph, piece.segment.tensors)
    got = _weights(piece.graph, range(len(piece.graph.tensors)))
    missing = sum(not any(_alike(values, other) for other in got) for values in want)
    return Weights(missing, len(want))


def _weights(graph: ModelGraph, tensors: Sequence[int]) -> list[Array]:
    held = (graph.tensors[t] for t in tensors)
    return [
        _real(tensor)
        for tensor in held
        if tensor.is_constant
        and tensor.dtype.name in _DTYPES
        and tensor.elements >= _LEAST_ELEMENTS
    ]


def _alike(a: Array, b: Array) -> bool:
    return a.shape == b.shape and distance(a, b).sqnr_db >= _ALIKE_DB


def _real(tensor: Tensor) -> Array:
    """Real values, per channel where the scales are."""
    data = np.frombuffer(tensor.data, _DTYPES[tensor.dtype.name], tensor.elements)
    values: Array = data.astype(np.float32).reshape(tensor.shape)
    quantization = tensor.quantization
    if quantization is None or tensor.dtype.name == "FLOAT32":
        return values
    scales = np.asarray(quantization.scales, np.float32)
    zeros = np.asarray(quantization.zero_points, np.float32)
    axis = quantization.dimension
    if len(scales) == 1 or not 0 <= axis < values.ndim or len(scales) != tensor.shape[axis]:
        plain: Array = (values - zeros[0]) * scales[0]
        return plain
    if len(zeros) != len(scales):
        zeros = np.full_like(scales, zeros[0])
    along = [-1 if k == axis else 1 for k in range(values.ndim)]
    real: Array = (values - zeros.reshape(along)) * scales.reshape(along)
    return real
