"""Which rows an op of a group reads, tap by tap, beside those that the unsplit model reads.

Only what the kernels do is known here, nothing of how streams are planned. The kernels' own rules:
tensorflow/lite/kernels/padding.h, micro/kernels/pad_common.cc, resize_nearest_neighbor.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from splitopt.graph.model import ModelGraph, Op, Tensor
from splitopt.tiling.check import is_repeated, window_places
from splitopt.tiling.check_single_rows import looks_right_on_one_row
from splitopt.tiling.streams.check_transposed import scatter, writes_otherwise


class InvalidStream(AssertionError):
    """A stream that computes something else than the unsplit model, or that overwrites itself."""


class Row(NamedTuple):
    """A row of a tensor of the unsplit model, bit for bit."""

    tensor: int
    row: int

    def __str__(self) -> str:
        return f"row {self.row} of tensor {self.tensor}"


class Filled(NamedTuple):
    """One value in all of a row."""

    value: int

    def __str__(self) -> str:
        return f"fill {self.value}"


Content = Row | Filled | None
"""What a row holds; None: rubbish."""


Taps = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an op reads of one tensor. For row j of the image, the k-th that it makes in a turn, it
    looks, by `taps[k]` (at, step), at row `at` of the group's tensor, where the unsplit model looks
    at row `bases[j] + step`. `outside`: the value that rows outside of the image have for it; None:
    none would do."""

    tensor: int
    bases: Sequence[int]
    taps: tuple[Taps, ...]
    outside: int | None = None


@dataclass(frozen=True, slots=True)
class PadRows:
    """A tensor that a PAD makes: `value` around `rows` rows of tensor `read`, which begin at row
    `above`. `left`, `right`: columns; `channels`: whether it pads these, too."""

    read: int
    rows: int
    above: int
    left: int
    right: int
    channels: bool
    value: int | None

    def holds(self, row: int) -> bool:
        """Whether the row holds one of the padded tensor."""
        return 0 <= row - self.above < self.rows


class Sides(NamedTuple):
    """Columns of `value` beside the rows of a line buffer."""

    left: int
    right: int
    value: int | None


WINDOWS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})
_PADS = frozenset({"PAD", "PADV2"})
_RESIZE = "RESIZE_NEAREST_NEIGHBOR"
TRANSPOSED = "TRANSPOSE_CONV"
SIZED = {**dict.fromkeys((*_PADS, _RESIZE), 1), TRANSPOSED: 0}
"""Ops of which an input says how many rows they make → which one."""
_ROW_BY_ROW = frozenset(
    {
        *("ABS", "ADD", "CAST", "CEIL", "DEQUANTIZE", "DIV", "ELU", "EXP", "FLOOR", "HARD_SWISH"),
        *("LEAKY_RELU", "LOG", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "NEG", "PRELU", "QUANTIZE"),
        *("RELU", "RELU6", "ROUND", "RSQRT", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SUB", "TANH"),
    }
)
_LEAST = {"INT8": -(1 << 7), "INT16": -(1 << 15)}


def readings(
    graph: ModelGraph, op: Op, group: ModelGraph, own: Op, beside: Mapping[int, Sides]
) -> Iterator[Reading]:
    """What `op` of the unsplit model reads, which is `own` in the group's graph. `beside`: by what
    the group reads."""
    read = [t for t in dict.fromkeys(op.given_inputs) if graph.tensors[t].is_activation]
    if op.type not in WINDOWS and any(any(beside[t][:2]) for t in read if t in beside):
        raise InvalidStream(f"{graph.op_name(op.index)}: reads columns that are not the image's")
    rows = range(_rows(graph, op.outputs[0]))
    each = tuple(((k, 0),) for k in range(_rows(group, own.outputs[0])))
    if op.type in WINDOWS:
        _check_columns(graph, op, group, own, beside.get(read[0], Sides(0, 0, None)))
        yield _window(graph, op, group, own)
    elif op.type == TRANSPOSED:
        yield _transposed(graph, op, group, own)
    elif op.type in _PADS:
        amounts, whole = pad_amounts(group, own), pad_amounts(graph, op)
        if amounts[:2].any() or whole[0].any() or (amounts[2:] != whole[2:]).any():
            raise InvalidStream(f"{graph.op_name(op.index)}: pads otherwise in its group")
        yield Reading(read[0], range(_rows(graph, read[0])), each)
    elif op.type == _RESIZE:
        yield Reading(read[0], _nearest(graph, op, group, own), (((0, 0),),))
    elif op.type == "CONCATENATION" or op.type in _ROW_BY_ROW:
        _refuse_mixing_rows(graph, op)
        for tensor in read:
            if is_repeated(graph, op, tensor):
                yield Reading(tensor, [0] * len(rows), (((0, 0),),) * len(each))
            else:
                yield Reading(tensor, rows, each)
    else:
        raise InvalidStream(f"{graph.op_name(op.index)}: nothing says that it works row by row")


def _window(graph: ModelGraph, op: Op, group: ModelGraph, own: Op) -> Reading:
    [read], [made] = op.inputs[:1], op.outputs
    steps, stride, is_same = _taps(graph, op, "Height")
    own_steps, own_stride, own_is_same = _taps(group, own, "Height")
    _, above = window_places(_rows(graph, read), steps[-1] + 1, stride, is_same=is_same)
    count, own_above = window_places(
        _rows(group, read), own_steps[-1] + 1, own_stride, is_same=own_is_same
    )
    alike = own_steps == steps and (count == 1 or own_stride == stride)
    if count != _rows(group, own.outputs[0]) or not alike:
        raise InvalidStream(f"{graph.op_name(op.index)}: makes {count} rows by taps {own_steps}")
    if not op.type.endswith("POOL_2D") and not looks_right_on_one_row(group, own):
        raise InvalidStream(f"{graph.op_name(op.index)}: CMSIS-NN gets a single row wrong")
    last = _rows(graph, made) * stride - above
    taps = tuple(
        tuple((own_stride * k + step - own_above, step) for step in steps) for k in range(count)
    )
    if not all(0 <= at < _rows(group, read) for found in taps for at, _ in found):
        raise InvalidStream(f"{graph.op_name(op.index)}: its group has TFLM pad rows")
    return Reading(read, range(-above, last, stride), taps, _outside(op, graph.tensors[read]))


def _transposed(graph: ModelGraph, op: Op, group: ModelGraph, own: Op) -> Reading:
    """The rows of the unsplit op that its last rows in the group are; those above them are wrong.

    A tap for each filter row, where one of the two has one.
    """
    whole, part = scatter(graph, op), scatter(group, own)
    if whole is None or part is None or whole.stride != part.stride:
        raise InvalidStream(f"{graph.op_name(op.index)}: says another size than it makes")
    if writes_otherwise(graph, op, whole) or writes_otherwise(group, own, part):
        raise InvalidStream(f"{graph.op_name(op.index)}: CMSIS-NN writes other rows")
    stride, first = whole.stride, max(0, part.made_rows - whole.stride)
    taps: list[Taps] = [()] * first
    for k in range(first, part.made_rows):
        found = [(part.source(k, y), whole.source(k - first, y)) for y in range(whole.kernel)]
        if any((at is None) != (step is None) for at, step in found):
            raise InvalidStream(f"{graph.op_name(op.index)}: its filter lies otherwise")
        taps.append(tuple((at, step) for at, step in found if at is not None and step is not None))
    bases = [row // stride for row in range(whole.made_rows)]
    quantization = graph.tensors[op.inputs[2]].quantization
    outside = quantization.zero_points[0] if quantization is not None else None
    return Reading(op.inputs[2], bases, tuple(taps), outside)


def _check_columns(graph: ModelGraph, op: Op, group: ModelGraph, own: Op, beside: Sides) -> None:
    """Raises InvalidStream unless each column is made of the same ones of the image, and outside of
    it of what stands for these."""
    steps, stride, is_same = _taps(graph, op, "Width")
    own_steps, own_stride, own_is_same = _taps(group, own, "Width")
    (read, *_), [made] = op.inputs, op.outputs
    columns, own_columns = (g.tensors[read].shape[2] for g in (graph, group))
    count, before = window_places(columns, steps[-1] + 1, stride, is_same=is_same)
    places = window_places(own_columns, own_steps[-1] + 1, own_stride, is_same=own_is_same)
    alike = (own_steps, own_stride) == (steps, stride) and places == (count, before - beside.left)
    if not alike or count != group.tensors[made].shape[2]:
        raise InvalidStream(f"{graph.op_name(op.index)}: looks at other columns in its group")
    reached = (count - 1) * stride - before + steps[-1]
    is_short = not own_is_same and reached >= columns + beside.right
    if is_short or (any(beside[:2]) and beside.value != _outside(op, graph.tensors[read])):
        raise InvalidStream(f"{graph.op_name(op.index)}: other columns stand beside its rows")


def _taps(graph: ModelGraph, op: Op, axis: str) -> tuple[range, int, bool]:
    """(rows or columns from the window's first one, stride, whether it pads)."""
    options = op.options
    if op.type.endswith("POOL_2D"):
        steps = range(int(options.get(f"filter{axis}", 1)))
    else:
        dilation = int(options.get(f"dilation{axis[0]}Factor", 1))
        kernel = graph.tensors[op.inputs[1]].shape[1 if axis == "Height" else 2]
        steps = range(0, kernel * dilation, dilation)
    return steps, int(options.get(f"stride{axis[0]}", 1)), options.get("padding") == 0


def _outside(op: Op, read: Tensor) -> int | None:
    """A pool of averages counts the taps inside the image; nothing stands for one outside."""
    if op.type == "AVERAGE_POOL_2D" or read.dtype.name not in _LEAST or read.quantization is None:
        return None
    is_pool = op.type == "MAX_POOL_2D"
    return _LEAST[read.dtype.name] if is_pool else read.quantization.zero_points[0]


def pad_rows(graph: ModelGraph, tensor: int) -> PadRows | None:
    """How a PAD makes the tensor; None where none does."""
    maker = graph.producer.get(tensor)
    if maker is None or graph.ops[maker].type not in _PADS:
        return None
    op, made = graph.ops[maker], graph.tensors[tensor]
    amounts = pad_amounts(graph, op)
    value: int | None = None
    if op.type == "PADV2" and made.dtype.name in _LEAST:
        value = int.from_bytes(graph.tensors[op.inputs[2]].data, "little", signed=True)
    elif op.type == "PAD" and made.quantization is not None:
        value = made.quantization.zero_points[0]
    (above, _), (left, right) = amounts[1:3].tolist()
    rows, channels = _rows(graph, op.inputs[0]), bool(amounts[3].any())
    return PadRows(op.inputs[0], rows, above, left, right, channels, value)


def pad_amounts(graph: ModelGraph, op: Op) -> npt.NDArray[np.int32]:
    return np.frombuffer(graph.tensors[op.inputs[1]].data, dtype="<i4").reshape(4, 2)


def _nearest(graph: ModelGraph, op: Op, group: ModelGraph, own: Op) -> Sequence[int]:
    """The row of the input for each row of the output, in float32 as the kernel computes it."""
    height, made = _rows(graph, op.inputs[0]), _rows(graph, op.outputs[0])
    own_size = np.frombuffer(group.tensors[own.inputs[1]].data, dtype="<i4").tolist()
    size = np.frombuffer(graph.tensors[op.inputs[1]].data, dtype="<i4").tolist()
    if op.options.get("alignCorners") or own_size != [1, size[1]]:
        raise InvalidStream(f"{graph.op_name(op.index)}: is resized to {own_size} in its group")
    scale = np.float32(height) / np.float32(made)
    half = np.float32(0.5 if op.options.get("halfPixelCenters") else 0)
    rows = np.floor((np.arange(made, dtype=np.float32) + half) * scale).astype(int)
    nearest: list[int] = np.minimum(rows, height - 1).tolist()
    return nearest


def _refuse_mixing_rows(graph: ModelGraph, op: Op) -> None:
    """Raises InvalidStream unless row r of the output depends on row r of each input alone."""
    high = _rows(graph, op.outputs[0])
    for tensor in (graph.tensors[t] for t in op.given_inputs):
        height = tensor.shape[-3] if len(tensor.shape) > 2 else 1  # broadcast from the right
        is_whole = tensor.is_constant or is_repeated(graph, op, tensor.index)
        if height != (1 if is_whole else high):
            raise InvalidStream(f"{graph.op_name(op.index)}: tensor {tensor.index} has other rows")
    if op.type == "CONCATENATION" and int(op.options.get("axis", 0)) % 4 < 2:
        raise InvalidStream(f"{graph.op_name(op.index)}: joins along rows")


def _rows(graph: ModelGraph, tensor: int) -> int:
    shape = graph.tensors[tensor].shape
    if len(shape) != 4 or shape[0] != 1:
        raise InvalidStream(f"tensor {tensor} of shape {shape} is no image")
    return shape[1]
