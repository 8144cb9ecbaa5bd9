"""Are the weights in a piece file those of the model, whatever they were quantised with?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from splitopt.bundle.open import OpenBundle, Piece
from splitopt.explain.outputs.array_compare import distance
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.runtime.arrays import Array

_LEAST_ELEMENTS = 32
_ALIKE_DB = 20.0
_DTYPES = {"INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "FLOAT32": np.float32}


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
    along = [1] * values.ndim
    along[axis] = len(scales)
    if len(zeros) != len(scales):
        zeros = np.full(len(scales), zeros[0], np.float32)
    real: Array = (values - zeros.reshape(along)) * scales.reshape(along)
    return real
