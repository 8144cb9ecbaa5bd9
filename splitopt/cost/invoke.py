"""Estimated instructions of Invoke per op, on a Cortex-M55 with CMSIS-NN (int8, Helium).

The coefficients were fitted on 852 measured ops; whole models left out of the fit came out
within 1 % where convolutions dominate. Ops that were not measured have no estimate.
"""

from __future__ import annotations

from collections.abc import Callable

from splitopt.arena.kernel import OpView
from splitopt.arena.windows import convolution_axes, pooling_axes
from splitopt.base.units import ceil_div
from splitopt.graph.model import ModelGraph, Op, Tensor

PER_INVOKE_INSN = 30
PER_OP_INSN = 37
_CHANNEL_BLOCK = 124

Estimate = Callable[[OpView], float]


def invoke_insn(graph: ModelGraph, op: Op) -> int | None:
    """Estimated instructions of one op, dispatch included; None where nothing was measured."""
    estimate = _ESTIMATES.get(op.type)
    view = OpView(graph, op)
    if estimate is None or view.output.dtype.name not in ("INT8", "FLOAT32"):
        return None
    try:
        return round(estimate(view)) + PER_OP_INSN
    except (LookupError, ValueError, ZeroDivisionError):
        return None


def _convolution(view: OpView) -> float:
    height, width = convolution_axes(view)
    batch, rows, columns, outputs = view.output.shape
    channels = view.input(1).shape[3]
    taps = height.kernel * width.kernel
    vectors = ceil_div(taps * channels, 16)
    if taps == 1 and height.total_padding == width.total_padding == 0:
        if height.stride == width.stride == 1:
            quads, rest = divmod(batch * rows * columns, 4)
            return (
                400 + 41.9 * quads + 56.0 * quads * outputs + 11.0 * quads * outputs * vectors
                + 54.2 * rest + 25.8 * rest * outputs + 5.1 * rest * outputs * vectors
            )  # fmt: skip
        quads, rest = rows * (columns // 4), rows * (columns % 4)
        return (
            331 + 68.8 * rows + 78.1 * quads + 54.9 * quads * outputs
            + 11.06 * quads * outputs * vectors + 34.1 * rest + 3.5 * rest * outputs * vectors
        )  # fmt: skip
    return _windowed_convolution(view, channels)


def _windowed_convolution(view: OpView, channels: int) -> float:
    height, width = convolution_axes(view)
    batch, rows, columns, outputs = view.output.shape
    pixels, taps = batch * rows * columns, height.kernel * width.kernel
    quads, rest = divmod(pixels, 4)
    inside = batch * height.taps_inside() * width.taps_inside()
    outside = pixels * taps - inside
    blocks, vectors = ceil_div(channels, 16), ceil_div(taps * channels, 16)
    return (
        527 + 77.2 * pixels + 45.2 * pixels * height.kernel + 12.1 * inside
        + 3.07 * inside * blocks + 13.5 * outside + 0.58 * outside * blocks - 176 * quads
        + 55.6 * quads * outputs + 11.0 * quads * outputs * vectors
        + 31.3 * rest * outputs + 4.9 * rest * outputs * vectors
    )  # fmt: skip


def _depthwise(view: OpView) -> float:
    height, width = convolution_axes(view)
    batch, rows, columns, channels = view.output.shape
    if view.input(0).shape[3] == 1 and channels > 1:
        return _windowed_convolution(view, channels=1)  # so does CMSIS-NN, with K = kh * kw
    pixels, taps = batch * rows * columns, height.kernel * width.kernel
    quads, rest = divmod(pixels, 4)
    inside = batch * height.taps_inside() * width.taps_inside()
    outside = pixels * taps - inside
    sizes = [min(_CHANNEL_BLOCK, channels - at) for at in range(0, channels, _CHANNEL_BLOCK)]
    loops = len(sizes)
    fours = sum(ceil_div(size, 4) for size in sizes)
    sixteens = sum(ceil_div(size, 16) for size in sizes)
    return (
        709 + 110 * pixels * loops + 33.9 * pixels * loops * height.kernel
        + 11.9 * inside * loops + 3.03 * inside * sixteens + 10.2 * outside * loops
        + 2.39 * outside * sixteens - 316 * quads * loops + 105.3 * quads * fours
        + 15.96 * quads * fours * taps + 50.2 * rest * fours + 6.3 * rest * fours * taps
    )  # fmt: skip


def _fully_connected(view: OpView) -> float:
    depth, outputs = view.input(1).shape[-1], view.output.shape[-1]
    batch = view.output.elements // outputs
    quads, rest = divmod(outputs, 4)
    vectors = ceil_div(depth, 16)
    row = 125 + 50.6 * quads + 30.2 * quads * vectors + 40.2 * rest + 12.7 * rest * vectors
    return 308 + batch * row


def _pool(view: OpView) -> tuple[int, int, int, int]:
    """(output pixels, taps inside, taps of rows inside, vectors of 16 channels)."""
    height, width = pooling_axes(view)
    batch, rows, columns, channels = view.output.shape
    inside = batch * height.taps_inside() * width.taps_inside()
    return batch * rows * columns, inside, batch * height.taps_inside(), ceil_div(channels, 16)


def _max_pool(view: OpView) -> float:
    pixels, taps, _, vectors = _pool(view)
    written = ceil_div(view.output.elements, 16)
    return 425 + 32.7 * pixels + 19.1 * taps + 15.0 * taps * vectors + 13.95 * written


def _average_pool(view: OpView) -> float:
    pixels, taps, rows, vectors = _pool(view)
    return (
        363 + 38.1 * pixels + 180 * pixels * vectors + 21.1 * taps * vectors
        + 16.1 * rows * vectors
    )  # fmt: skip


def _binary(constant: float, per_quad: float, broadcast: float) -> Estimate:
    def estimate(view: OpView) -> float:
        count = view.output.elements
        if any(tensor.elements != count for tensor in view.inputs[:2]):
            return constant + broadcast * count
        return constant + per_quad * ceil_div(count, 4)

    return estimate


def _per_element(constant: float, slope: float) -> Estimate:
    return lambda view: constant + slope * view.output.elements


def _pad(view: OpView) -> float:
    source, result = view.input(0), view.output
    rows = source.shape[1] if len(source.shape) == 4 else 1
    row = ceil_div(source.elements // max(rows, 1), 16)
    padding = ceil_div(result.bytes - source.bytes, 16)
    return 333 + 29.7 * rows + 3.02 * rows * row + 1.91 * padding


def _concatenation(view: OpView) -> float:
    axis = view.option("axis") % len(view.output.shape)
    outer = 1
    for extent in view.output.shape[:axis]:
        outer *= extent
    chunks = [tensor.bytes // outer for tensor in view.inputs]
    pieces = sum(ceil_div(chunk, 16) for chunk in chunks)
    return 472 + outer * (30.5 * len(chunks) + 9.8 * pieces)


def _rows(tensor: Tensor) -> int:
    return tensor.elements // tensor.shape[-1] if tensor.shape else 1


def _split(view: OpView) -> float:
    results = [view.graph.tensors[tensor] for tensor in view.op.outputs]
    chunks = sum(_rows(tensor) for tensor in results)
    return 208 + 40.9 * chunks + 2.98 * sum(tensor.elements for tensor in results)


def _resize_nearest(view: OpView) -> float:
    return 846 + 45.8 * _rows(view.output) + 0.71 * view.output.bytes


_ESTIMATES: dict[str, Estimate] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _max_pool,
    "AVERAGE_POOL_2D": _average_pool,
    "ADD": _binary(678, 55.0, 107),
    "SUB": _binary(332, 394, 107),
    "MUL": _binary(708, 27, 51),
    "MAXIMUM": _binary(523, 4.49, 4.49),
    "MINIMUM": _binary(523, 4.49, 4.49),
    "MEAN": lambda v: 1145 + 131.9 * v.input(0).elements + 43.8 * v.output.elements,
    "PAD": _pad,
    "CONCATENATION": _concatenation,
    "RESHAPE": lambda v: 143 + 0.5625 * v.output.bytes,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "SLICE": lambda v: 509 + 8.4 * _rows(v.output) + 3.0 * v.output.elements,
    "STRIDED_SLICE": lambda v: 779 + 53.2 * _rows(v.output) + 0.73 * v.output.elements,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "RESIZE_BILINEAR": _per_element(8701, 66.1),
    "QUANTIZE": lambda v: (
        (103 + 40.6 * v.output.elements)
        if v.input(0).dtype.name == "INT8"
        else (187 + 14.0 * v.output.elements)
    ),
    "DEQUANTIZE": _per_element(183, 8.0),
    "LOGISTIC": _per_element(221, 377),
    "TANH": _per_element(248, 397),
    "HARD_SWISH": _per_element(144, 85.6),
    "RELU": _per_element(165, 48.5),
    "RELU6": _per_element(167, 10.1),
    "LEAKY_RELU": _per_element(178, 49.0),
    "PRELU": _per_element(2424, 49.5),
    "SOFTMAX": _per_element(200, 560),
}
