"""What an op does to rows in a stream: a window of them, a repetition, a block of rows for each, or
row by row.

Beyond `tiling.rows`, a stream has rows outside of the image: they are filled with a value, never
computed, so that value must be known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splitopt.arena.kernel import OpView
from splitopt.arena.one_row import fails_on_one_row
from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.rows import (
    Padding,
    Repetition,
    RowRule,
    Window,
    activations_read,
    images_read,
    row_rule,
    rows_of,
)
from splitopt.tiling.streams.transposed import TRANSPOSED, Blocks, blocks_of

FILLABLE = {"INT8": -(2**7), "INT16": -(2**15)}
"""Types whose rows can be filled, with their least value: what MAX_POOL never picks."""

LEAST_ROWS = 2


@dataclass(frozen=True, slots=True)
class StreamRule:
    """How one op runs in a stream.

    `reach`, `stride`, `above`: its window of rows, and how many lie above the image for its row 0;
    1, 1, 0 for an op that works row by row. `fill`: what it reads outside of the image, where it
    does. `repeat`: how often it makes a row of each. `padding`: of a PAD, which makes no rows here:
    its readers look outside of the image. `rows`: that it makes at once of each window, behind
    `dropped` wrong ones. `sides`: columns of padding, left and right, beside each row that it
    reads.
    """

    reach: int = 1
    stride: int = 1
    above: int = 0
    fill: int | None = None
    repeat: int = 1
    padding: Padding | None = None
    rows: int = 1
    dropped: int = 0
    sides: tuple[int, int] = (0, 0)

    @property
    def is_pointwise(self) -> bool:
        factors = self.reach, self.stride, self.repeat, self.rows
        return factors == (1, 1, 1, 1) and self.padding is None


def stream_rule(graph: ModelGraph, op: Op) -> StreamRule | str:
    """The op's rule, or why it cannot run in a stream, as the end of a sentence on the op."""
    rule = blocks_of(graph, op) if op.type == TRANSPOSED else row_rule(graph, op)
    if rule is None or isinstance(rule, str):
        return rule or _no_rows(graph, op)
    read, made = images_read(graph, op)[0], op.outputs[0]
    if min(rows_of(graph.tensors[t]) for t in (read, made)) < LEAST_ROWS:
        return "has a single row"
    if fails_on_one_row(graph, op):
        return "is a convolution that CMSIS-NN gets wrong on a single row, by its width and stride"
    if isinstance(rule, Blocks):
        fill = _zero_point(graph, read)
        return StreamRule(rule.reach, 1, rule.above, fill, rows=rule.rows, dropped=rule.dropped)
    if isinstance(rule, Window):
        return _window(graph, op, rule)
    if isinstance(rule, Repetition):
        return StreamRule(repeat=rule.factor)
    if isinstance(rule, Padding):
        value = pad_value(graph, op)
        if value is None:
            return "pads with a value that is not known"
        return StreamRule(fill=value, padding=rule)
    return StreamRule() if type(rule) is RowRule else "has no rule"


def pad_value(graph: ModelGraph, op: Op) -> int | None:
    """What a PAD puts around the image: the zero point of its output; a PADV2, its constant."""
    made = graph.tensors[op.outputs[0]]
    if made.dtype.name not in FILLABLE or made.quantization is None:
        return None
    if op.type == "PADV2":
        value = graph.tensors[op.inputs[2]]
        kind = "<i1" if made.dtype.name == "INT8" else "<i2"
        return int(np.frombuffer(value.data, kind)[0])
    return made.quantization.zero_points[0]


def _window(graph: ModelGraph, op: Op, window: Window) -> StreamRule | str:
    read, made = graph.tensors[activations_read(graph, op)[0]], graph.tensors[op.outputs[0]]
    whole, count = rows_of(read), rows_of(made)
    above = int(window.padding(np.array(whole)))
    below = (count - 1) * window.stride - above + window.reach - whole
    if above <= 0 and below <= 0:
        return StreamRule(window.reach, window.stride)
    if op.type == "AVERAGE_POOL_2D":
        return "averages over taps inside the image only, and pads above or below it"
    if read.dtype.name not in FILLABLE or read.quantization is None:
        return f"pads rows of {read.dtype.name}, for which there is no fill"
    return StreamRule(window.reach, window.stride, above, value_outside(graph, op))


def value_outside(graph: ModelGraph, op: Op) -> int | None:
    """What a convolution or pool reads outside of the image; None where no value would do."""
    read = activations_read(graph, op)[0]
    dtype = graph.tensors[read].dtype.name
    if op.type == "AVERAGE_POOL_2D" or dtype not in FILLABLE:
        return None
    if op.type == "MAX_POOL_2D":
        return FILLABLE[dtype]
    return _zero_point(graph, read) if graph.tensors[read].quantization is not None else None


def _zero_point(graph: ModelGraph, tensor: int) -> int:
    quantization = graph.tensors[tensor].quantization
    assert quantization is not None
    return quantization.zero_points[0]


def _no_rows(graph: ModelGraph, op: Op) -> str:
    view = OpView(graph, op)
    tensors = [graph.tensors[t] for t in (*activations_read(graph, op), *op.outputs)]
    if any(tensor.is_variable for tensor in view.inputs if tensor):
        return "keeps a state"
    if not all(rows_of(tensor) for tensor in tensors):
        return "works on tensors that are not images [1, rows, columns, channels]"
    return "does not work row by row"
