"""Which rows of an op's output depend on which rows of its inputs, for ops that work row by row.

Row counts are numpy integers, one for each height that is looked at. `low` and `high` bound the
rows [low, high) of a band that are right where the band is cut out of the middle of the image; at
the image's own edges all of them are, as long as the band is padded there as the image is. The
kernels' own rules for sizes and padding: tensorflow/lite/kernels/padding.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from splitopt.arena.kernel import OpView
from splitopt.graph.model import ModelGraph, Op, Tensor

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_SAME, _VALID = 0, 1
_ROW_AXIS, _RANK = 1, 4


class RowRule:
    """One op: which rows of its output it makes of which rows of its input.

    This one makes each row of the output from the same row of the input.
    """

    @property
    def scale(self) -> Fraction:
        """Rows of the output for each row of the input."""
        return Fraction(1)

    def count(self, rows: Rows) -> Rows:
        """Rows of the output, of so many rows of the input; not positive where there are none."""
        return rows

    def pads_alike(self, rows: Rows, whole: int) -> Mask:
        """Whether the first row of a band is padded above as that of the whole image is."""
        return np.ones(rows.shape, dtype=bool)

    def low(self, low: Rows, rows: Rows) -> Rows:
        """The first right row of the output, of `rows` of the input that are right from low on."""
        return low

    def high(self, high: Rows, rows: Rows) -> Rows:
        """The end of the right rows of the output, as `low`."""
        return high


@dataclass(frozen=True, slots=True)
class Window(RowRule):
    """Output row r reads input rows [stride·r - padding, stride·r - padding + reach)."""

    reach: int
    stride: int
    is_same: bool

    @property
    def scale(self) -> Fraction:
        return Fraction(1, self.stride)

    def count(self, rows: Rows) -> Rows:
        # SAME: ceil(rows / stride). VALID: ceil((rows - reach + 1) / stride).
        lost = 0 if self.is_same else self.reach - 1
        counted: Rows = -((lost - rows) // self.stride)
        return counted

    def pads_alike(self, rows: Rows, whole: int) -> Mask:
        alike: Mask = self.padding(rows) == self.padding(np.array(whole))
        return alike

    def low(self, low: Rows, rows: Rows) -> Rows:
        # The first r whose window starts at low or below it: stride * r - padding >= low.
        return -((-low - self.padding(rows)) // self.stride)

    def high(self, high: Rows, rows: Rows) -> Rows:
        # One past the last r whose window ends by high: stride * r - padding + reach <= high.
        return (high - self.reach + self.padding(rows)) // self.stride + 1

    def padding(self, rows: Rows) -> Rows:
        if not self.is_same:
            return np.zeros_like(rows)
        total = (self.count(rows) - 1) * self.stride + self.reach - rows
        padding: Rows = np.maximum(0, total) // 2
        return padding


@dataclass(frozen=True, slots=True)
class Padding(RowRule):
    """Rows are added above and below every band; only those at the ends of the image are right."""

    above: int
    below: int

    def count(self, rows: Rows) -> Rows:
        return rows + self.above + self.below

    def low(self, low: Rows, rows: Rows) -> Rows:
        return low + self.above

    def high(self, high: Rows, rows: Rows) -> Rows:
        return high + self.above


@dataclass(frozen=True, slots=True)
class Repetition(RowRule):
    """Every row of the input stands `factor` times in the output."""

    factor: int

    @property
    def scale(self) -> Fraction:
        return Fraction(self.factor)

    def count(self, rows: Rows) -> Rows:
        return rows * self.factor

    def low(self, low: Rows, rows: Rows) -> Rows:
        return low * self.factor

    def high(self, high: Rows, rows: Rows) -> Rows:
        return high * self.factor


_POINTWISE = RowRule()
_ELEMENTWISE = frozenset(
    {
        *("ABS", "CAST", "CEIL", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LEAKY_RELU"),
        *("LOG", "LOGISTIC", "NEG", "PRELU", "QUANTIZE", "RELU", "RELU6", "ROUND", "RSQRT"),
        *("SQRT", "SQUARE", "TANH"),
        *("ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SQUARED_DIFFERENCE", "SUB"),
    }
)
_REPEATING = frozenset({"ADD", "MUL", "SUB"})
"""Ops whose kernels repeat an operand along the axes on which it has one value."""
_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})


def rows_of(tensor: Tensor) -> int:
    """Rows of an activation [1, rows, columns, channels] of whole bytes; 0 for any other."""
    is_image = len(tensor.shape) == _RANK and tensor.shape[0] == 1 and tensor.dtype.bits % 8 == 0
    return tensor.shape[_ROW_AXIS] if is_image else 0


def activations_read(graph: ModelGraph, op: Op) -> list[int]:
    """The op's inputs that are not constant, each once."""
    return [t for t in dict.fromkeys(op.given_inputs) if graph.tensors[t].is_activation]


def gates_read(graph: ModelGraph, op: Op) -> list[int]:
    """Activations that the op reads whole for each row that it makes, such as a gate of channels:
    they have one row, and what it makes has several."""
    made = [graph.tensors[tensor] for tensor in op.outputs]
    if op.type not in _REPEATING or [rows_of(tensor) > 1 for tensor in made] != [True]:
        return []
    return [t for t in activations_read(graph, op) if rows_of(graph.tensors[t]) == 1]


def images_read(graph: ModelGraph, op: Op) -> list[int]:
    """The other activations, whose rows those that the op makes depend on."""
    gates = gates_read(graph, op)
    return [tensor for tensor in activations_read(graph, op) if tensor not in gates]


def rows_read(graph: ModelGraph, op: Op, rows: int) -> dict[int, int]:
    """Activation that the op reads → its rows, where those that come row by row have so many."""
    whole = dict.fromkeys(gates_read(graph, op), 1)
    return dict.fromkeys(activations_read(graph, op), rows) | whole


def row_rule(graph: ModelGraph, op: Op) -> RowRule | None:
    """How the op's output rows depend on its input rows. None for an op that does not work row by
    row, or that has no rule here."""
    view = OpView(graph, op)
    made = [graph.tensors[tensor] for tensor in op.outputs]
    rows = {rows_of(graph.tensors[tensor]) for tensor in images_read(graph, op)}
    if op.intermediates or len(made) != 1 or len(rows) != 1 or 0 in {*rows, rows_of(made[0])}:
        return None
    if any(tensor.is_variable for tensor in view.inputs):
        return None
    rule = _rule(view)
    whole = np.array(rows.pop())
    return rule if rule is not None and int(rule.count(whole)) == rows_of(made[0]) else None


def _rule(view: OpView) -> RowRule | None:
    kind = view.op.type
    if kind in _CONVOLUTIONS:
        return _window(view, view.input(1).shape[_ROW_AXIS], view.option("dilationHFactor", 1))
    if kind in _POOLS:
        return _window(view, view.option("filterHeight", 1), 1)
    if kind in _ELEMENTWISE:
        return _POINTWISE if _keeps_rows(view) else None
    if kind == "CONCATENATION":
        is_along_rows = view.option("axis") % _RANK in (0, _ROW_AXIS)
        no_constants = all(tensor.is_activation for tensor in view.inputs)
        return _POINTWISE if no_constants and not is_along_rows else None
    if kind in ("PAD", "PADV2"):
        return _padding(view)
    return _repetition(view) if kind == "RESIZE_NEAREST_NEIGHBOR" else None


def _window(view: OpView, kernel: int, dilation: int) -> Window | None:
    padding, stride = view.option("padding", -1), view.option("strideH", 1)
    weights_move = view.op.type in _CONVOLUTIONS and not view.input(1).is_constant
    if padding not in (_SAME, _VALID) or min(kernel, dilation, stride) < 1 or weights_move:
        return None
    return Window((kernel - 1) * dilation + 1, stride, padding == _SAME)


def _keeps_rows(view: OpView) -> bool:
    """Whether every operand is as high as the result, or the same for all rows."""
    images = [view.graph.tensors[tensor] for tensor in images_read(view.graph, view.op)]
    is_alike = all(tensor.shape[2:] == view.output.shape[2:] for tensor in images)
    if not is_alike and view.op.type not in _REPEATING:
        return False
    for tensor in view.inputs:
        if tensor.is_constant and len(tensor.shape) == _RANK and tensor.shape[_ROW_AXIS] != 1:
            return False
        if tensor.is_constant and len(tensor.shape) == _RANK - 1 and tensor.shape[0] != 1:
            return False  # broadcast from the right: its first axis is that of the rows
    return True


def _padding(view: OpView) -> Padding | None:
    amounts = view.input(1)
    if not amounts.is_constant or amounts.shape != (_RANK, 2) or amounts.dtype.name != "INT32":
        return None
    if len(view.inputs) > 2 and not view.input(2).is_constant:
        return None
    values = np.frombuffer(amounts.data, dtype="<i4").reshape(_RANK, 2)
    if values[0].any() or values.min() < 0:
        return None
    return Padding(int(values[_ROW_AXIS, 0]), int(values[_ROW_AXIS, 1]))


def _repetition(view: OpView) -> Repetition | None:
    """By a power of two, whose quotients float32 holds exactly wherever a band starts."""
    source, made = view.input(0).shape[_ROW_AXIS], view.output.shape[_ROW_AXIS]
    factor = made // source if source else 0
    is_power = factor > 0 and factor & (factor - 1) == 0 and factor * source == made
    size, tensors = view.input(1), view.graph.tensors
    users = [
        op.index
        for op in view.graph.ops
        for tensor in op.given_inputs
        if tensors[tensor].buffer == size.buffer
    ]
    own = size.is_constant and size.dtype.name == "INT32" and len(users) == 1
    return Repetition(factor) if is_power and own and not view.option("alignCorners") else None
