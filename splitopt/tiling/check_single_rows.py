"""Says whether CMSIS-NN's convolution of a single row looks at the right columns, one by one.

This is what arm_convolve_1_x_n_s8 (CMSIS-NN at 4ab83cc3) does, step by step. A row of outputs is
made in three parts: of a copy with padding in front, of the row itself, of a copy with padding
behind. Of each part, windows lie a stride apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.graph.model import ModelGraph, Op

Column = int | None
_PADDING, _RUBBISH = -1, None


def looks_right_on_one_row(graph: ModelGraph, op: Op) -> bool:
    """Whether every output of a CONV_2D or DEPTHWISE_CONV_2D, on an image of one row, is made of
    the columns that it is made of on more rows. The op keeps its widths; its height is ignored."""
    image, filter_, made = (graph.tensors[t] for t in (op.inputs[0], op.inputs[1], op.outputs[0]))
    columns, channels, kernel = *image.shape[2:], filter_.shape[2]
    stride, dilation = (int(op.options.get(key, 1)) for key in ("strideW", "dilationWFactor"))
    outputs = made.shape[2]
    padding = max(0, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - columns) // 2
    if op.type == "DEPTHWISE_CONV_2D":
        is_dense = channels == 1 < made.shape[3]  # run as a convolution then
    else:
        is_dense = filter_.shape[3] == channels
    by_one_row = is_dense and image.dtype.name == "INT8" and filter_.shape[1] == dilation == 1
    if not by_one_row or stride * channels % 4 or (kernel == 1 and not padding):
        return True  # other code, which knows any height
    seen = _columns_seen(columns, outputs, kernel, stride, padding)
    return seen is None or all(
        got == [at if 0 <= at < columns else _PADDING for at in range(first, first + kernel)]
        for got, first in zip(seen, range(-padding, outputs * stride, stride), strict=False)
    )


def _columns_seen(
    columns: int, outputs: int, kernel: int, stride: int, padding: int
) -> list[Sequence[Column]] | None:
    """The columns under each output's window; None where the code leaves the row to
    arm_convolve_s8, which looks at the right ones. What it refuses is seen as rubbish."""
    refused: list[Sequence[Column]] = [[_RUBBISH]] * outputs
    total = (outputs - 1) * stride + kernel - columns
    uneven = total % 2 if total >= 0 else -(-total % 2)  # as C has it
    if 2 * padding + uneven != total:
        return refused
    behind = max(1, (padding + uneven + stride - 1) // stride) if padding + uneven else 0
    front = max(1, (padding + stride - 1) // stride) if padding else 0
    middle = max(outputs - front - behind, 0)
    if front + middle + behind != outputs:
        return None
    row = list(range(columns))
    start, end = stride * front - padding, stride * (front + middle) - padding
    if start < 0:
        return refused
    padded = behind if uneven else padding
    parts = (
        (front, [_PADDING] * padding + _cut(row, 0, kernel)),
        (middle, _cut(row, start, columns)),
        (behind, _cut(row, end, end + kernel - 1) + [_PADDING] * padded),
    )
    return [window for count, part in parts for window in _windows(part, count, kernel, stride)]


def _cut(row: Sequence[Column], first: int, end: int) -> list[Column]:
    """Columns [first, end) of memory that begins with the row."""
    return [row[at] if 0 <= at < len(row) else _RUBBISH for at in range(first, end)]


def _windows(
    part: Sequence[Column], count: int, kernel: int, stride: int
) -> Iterator[Sequence[Column]]:
    for first in range(0, count * stride, stride):
        yield _cut(part, first, first + kernel)
