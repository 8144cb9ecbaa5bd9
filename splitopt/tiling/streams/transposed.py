"""TRANSPOSE_CONV a few rows at a time: which rows of its input make a block of rows of its output.

Row r of the output sums over all input rows i and filter rows y with stride * i - padding + y = r
(tensorflow/lite/kernels/internal/reference/transpose_conv.h). Sums are of whole numbers, so their
order does not matter, and a row of zero points adds nothing: a fill. Rows [stride * t,
stride * (t + 1)) of the output so depend on a window of input rows that goes on by one row for each
t. TFLM, asked for whole multiples of the stride, pads as it does for the image. Run on such a
window, the op makes the block behind `dropped` rows, which lack what is above the window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splitopt.arena.kernel import OpView
from splitopt.arena.scattered_rows import makes_other_rows
from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.rows import rows_of

TRANSPOSED = "TRANSPOSE_CONV"
_SAME, _VALID = 0, 1
_SUMMED = frozenset({"INT8", "INT16"})


@dataclass(frozen=True, slots=True)
class Blocks:
    """`reach` rows of the input, the first of them `above` rows above the t-th, make block t of
    `rows` rows of the output, behind `dropped` wrong ones."""

    reach: int
    above: int
    rows: int
    dropped: int


def blocks_of(graph: ModelGraph, op: Op) -> Blocks | str:
    """The blocks of a TRANSPOSE_CONV, or why there are none, as the end of a sentence on the op."""
    view = OpView(graph, op)
    size, filter_, image, made = view.input(0), view.input(1), view.input(2), view.output
    if not all(rows_of(tensor) for tensor in (image, made)):
        return "works on tensors that are not images [1, rows, columns, channels]"
    if image.dtype.name not in _SUMMED or image.quantization is None:
        return f"adds up values of {image.dtype.name}, for which the order matters"
    if not (size.is_constant and filter_.is_constant) or len(filter_.shape) != len(made.shape):
        return "has weights or a size that are no constants"
    kernel, stride = filter_.shape[1], view.option("strideH")
    is_same = view.option("padding", -1) == _SAME
    padding = max(0, kernel - stride) // 2 if is_same else 0
    rows = stride * rows_of(image) + (0 if is_same else max(0, kernel - stride))
    asked = np.frombuffer(size.data, dtype="<i4").tolist()
    if view.option("padding", -1) not in (_SAME, _VALID) or asked != list(made.shape):
        return "has no size that follows from its padding"
    if rows_of(made) != rows or rows % stride:
        return f"makes {rows_of(made)} rows, which {stride} at a time do not come to"
    if makes_other_rows(view):
        return "is padded so that CMSIS-NN makes other rows than TFLM's reference kernel"
    above = (kernel - 1 - padding) // stride
    below = (stride - 1 + padding) // stride
    return Blocks(above + 1 + below, above, stride, above * stride)
