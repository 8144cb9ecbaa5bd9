"""Scratch that CMSIS-NN asks for on a Cortex-M55 (Helium), in bytes before rounding.

Source: the *_get_buffer_size functions of CMSIS-NN at 4ab83cc3, checked by measurement.
"""

from __future__ import annotations

from splitopt.arena.kernel import OpView
from splitopt.arena.windows import Axis, convolution_axes
from splitopt.base.units import ceil_div

_DEPTHWISE_CHANNEL_BLOCK = 124
_IM2COL_ROWS = 4


def im2col_bytes(elements: int) -> int:
    """Four columns of int8, each padded to whole 16-byte vectors."""
    return _IM2COL_ROWS * 16 * ceil_div(elements, 16)


def int16_convolution_scratch(view: OpView) -> int:
    """Scratch of a CONV_2D of int16, whatever its window, in bytes: four columns, each padded to
    whole 16-byte vectors."""
    _, height, width, _ = view.input(1).shape
    column_bytes = 2 * view.input(0).shape[3] * height * width
    return _IM2COL_ROWS * 16 * ceil_div(column_bytes, 16)


def convolution_scratch(view: OpView) -> int:
    """Scratch of a CONV_2D of int8, in bytes."""
    height, width = convolution_axes(view)
    channels = view.input(0).shape[3]
    return _convolution_bytes(height, width, channels, grouped=view.input(1).shape[3] != channels)


def _convolution_bytes(height: Axis, width: Axis, channels: int, *, grouped: bool) -> int:
    dilated = height.dilation != 1 or width.dilation != 1
    padded = height.pad_before or width.pad_before
    if height.kernel == width.kernel == 1 and not (padded or dilated or grouped):
        return 0
    if (
        height.input == height.kernel == 1
        and width.dilation == 1
        and width.stride * channels % 4 == 0
        and not grouped
    ):
        return _one_row_bytes(width, channels)
    return im2col_bytes(channels * height.kernel * width.kernel)


def _one_row_bytes(width: Axis, channels: int) -> int:
    """1xN convolution: one padded column per side, where the row splits into whole outputs."""
    pad = width.pad_before
    # C's division truncates, and so does its remainder, for the negative sums of VALID padding.
    overhang = (width.output - 1) * width.stride + width.kernel - width.input
    odd = overhang % 2 if overhang >= 0 else -(-overhang % 2)
    right = max(1, ceil_div(pad + odd, width.stride)) if pad + odd else 0
    left = max(1, ceil_div(pad, width.stride)) if pad else 0
    if left + max(width.output - left - right, 0) + right != width.output:
        return im2col_bytes(channels * width.kernel)
    pad_right = right if odd else pad
    return max(width.kernel + pad, width.kernel - 1 + pad_right) * channels


def depthwise_scratch(view: OpView) -> int:
    """Scratch of a DEPTHWISE_CONV_2D, in bytes."""
    height, width = convolution_axes(view)
    batch, _, _, channels = view.input(0).shape
    outputs = view.output.shape[3]
    if channels == 1 and outputs > 1:
        taps = height.kernel * width.kernel
        return _convolution_bytes(height, width, 1, grouped=False) + taps * outputs
    if channels == outputs and batch == 1 and height.dilation == width.dilation == 1:
        return 4 * _DEPTHWISE_CHANNEL_BLOCK * height.kernel * width.kernel
    return 0


def transpose_conv_scratch(view: OpView) -> tuple[int, int]:
    """The two scratch buffers of a TRANSPOSE_CONV, in bytes."""
    height, width = convolution_axes(view, transposed=True)
    channels, outputs = view.input(2).shape[3], view.output.shape[3]
    if height.stride <= 2 and width.stride <= 2 and channels > 16:
        taps = channels * height.kernel * width.kernel
        return im2col_bytes(taps), taps * outputs
    row = (width.input - 1) * width.stride + max(width.kernel, height.stride)
    return 4 * row * outputs * max(height.kernel, height.stride), 0


def int16_transpose_conv_scratch(view: OpView) -> tuple[int, ...]:
    """Accumulators of 64 bits, and a bias of 16 bits widened to as many."""
    accumulators = 8 * view.output.elements
    if view.has_input(3) and view.input(3).dtype.name == "INT16":
        return accumulators, 8 * view.input(3).elements
    return (accumulators,)
