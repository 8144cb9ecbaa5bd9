"""Which rows a TRANSPOSE_CONV of a group adds up for each row that it makes, and the unsplit one.

The kernels' own rules: reference/transpose_conv.h; for int8, arm_transpose_conv_s8.c, which writes
a number of rows of its own, whatever the size of the output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splitopt.graph.model import ModelGraph, Op

_GATHERED_FROM = 17
"""Input channels from which CMSIS-NN makes each row of the output by itself, at strides up to 2."""


@dataclass(frozen=True)
class Scatter:
    """Row i of the input is added to row stride * i - padding + y of the output for each y."""

    read_rows: int
    made_rows: int
    kernel: int
    stride: int
    padding: int

    def source(self, made: int, y: int) -> int | None:
        """The row of the input, in the image or not, that filter row y adds to a row made."""
        row, rest = divmod(made + self.padding - y, self.stride)
        return None if rest else row

    @property
    def written_rows(self) -> int:
        """Of arm_transpose_conv_s8: a stride of them behind each row read that does not begin in
        the padding, then what is left over, as far as it is inside."""
        starts = range(0, self.read_rows * self.stride, self.stride)
        count = self.stride * sum(start >= self.padding for start in starts)
        left = range(starts.stop, starts.stop + self.kernel - self.stride)
        return count + sum(row in self._inside for row in left)

    @property
    def _inside(self) -> range:
        return range(self.padding, self.padding + self.made_rows)


def scatter(graph: ModelGraph, op: Op) -> Scatter | None:
    """None where the op says another size than that of what it makes."""
    size, filter_, read = (graph.tensors[t] for t in op.inputs[:3])
    made = graph.tensors[op.outputs[0]]
    if np.frombuffer(size.data, dtype="<i4").tolist() != list(made.shape):
        return None
    stride, kernel, rows = int(op.options.get("strideH", 1)), filter_.shape[1], made.shape[1]
    padding = 0
    if op.options.get("padding") == 0:  # padding.h: of as many windows as the output has strides
        padding = max(0, (-(-rows // stride) - 1) * stride + kernel - rows) // 2
    return Scatter(read.shape[1], rows, kernel, stride, padding)


def writes_otherwise(graph: ModelGraph, op: Op, rows: Scatter) -> bool:
    """Whether CMSIS-NN writes more or fewer rows than there are."""
    is_int8 = graph.tensors[op.inputs[2]].dtype.name == "INT8"
    widest = max(rows.stride, int(op.options.get("strideW", 1)))
    is_gathered = graph.tensors[op.inputs[1]].shape[3] >= _GATHERED_FROM and widest <= 2
    return is_int8 and not is_gathered and rows.written_rows != rows.made_rows
