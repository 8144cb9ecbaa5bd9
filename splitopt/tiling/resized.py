"""A model's graph with the activations of a segment cut down to the rows of one band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from splitopt.graph.model import ModelGraph, Tensor
from splitopt.tiling.rows import rows_of

RESIZING = frozenset({"RESIZE_NEAREST_NEIGHBOR"})
"""Ops whose second input, a constant, says the rows and columns of what they make."""


def resized(graph: ModelGraph, start: int, stop: int, rows: Mapping[int, int]) -> ModelGraph:
    """The graph with the activations of ops [start, stop) cut down to `rows` (tensor → rows).
    Constants that state a size in rows are changed, too."""
    tensors = list(graph.tensors)
    for tensor, count in rows.items():
        tensors[tensor] = with_rows(graph.tensors[tensor], count)
    for op in graph.ops[start:stop]:
        if op.type in RESIZING:
            size = graph.tensors[op.inputs[1]]
            columns = int(np.frombuffer(size.data, dtype="<i4")[1])
            data = np.array([rows[op.outputs[0]], columns], dtype="<i4").tobytes()
            tensors[size.index] = replace(size, data=memoryview(data))
    return replace(graph, tensors=tuple(tensors))


def with_rows(tensor: Tensor, rows: int) -> Tensor:
    """The tensor [1, rows, columns, channels] with another number of rows."""
    assert rows_of(tensor), f"tensor {tensor.index} has no rows"
    return replace(tensor, shape=(tensor.shape[0], rows, *tensor.shape[2:]))
