"""Convolutions that CMSIS-NN gets wrong on an image of a single row.

With Helium, a CONV_2D of int8 whose window is one row high runs by arm_convolve_1_x_n_s8 on one
row, and by arm_convolve_s8 on more. The former cuts a row of outputs into those that see padding on
the left, those that see none, and those that see some on the right. It takes for granted that just
one column is missing at the first of the last ones, which strides make untrue. A depthwise
convolution of one channel into several is run as such a convolution. Source:
arm_convolve_1_x_n_s8.c of CMSIS-NN at 4ab83cc3, checked by measurement.
"""

from __future__ import annotations

from splitopt.arena.kernel import OpView
from splitopt.arena.windows import Axis, convolution_axes
from splitopt.base.units import ceil_div
from splitopt.graph.model import ModelGraph, Op


def fails_on_one_row(graph: ModelGraph, op: Op) -> bool:
    """Whether rows one by one give other outputs than the image, or an error."""
    if op.type not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return False
    view = OpView(graph, op)
    image, weights = view.input(0), view.input(1)
    spreads = image.shape[3] == 1 < view.output.shape[3]
    if image.dtype.name != "INT8" or (op.type == "DEPTHWISE_CONV_2D" and not spreads):
        return False
    height, width = convolution_axes(view)
    channels = image.shape[3]
    takes_rows = height.kernel == width.dilation == 1 and width.stride * channels % 4 == 0
    is_grouped = op.type == "CONV_2D" and weights.shape[3] != channels
    if not takes_rows or is_grouped or (width.kernel == 1 and not width.pad_before):
        return False
    return not _is_exact(width)


def _is_exact(width: Axis) -> bool:
    """Whether arm_convolve_1_x_n_s8 is right about a row."""
    pad, stride = width.pad_before, width.stride
    # C's division truncates, and so does its remainder, for the negative sums of VALID padding.
    overhang = (width.output - 1) * stride + width.kernel - width.input
    odd = overhang % 2 if overhang >= 0 else -(-overhang % 2)
    if 2 * pad + odd != overhang:
        return False  # an error
    right = max(1, ceil_div(pad + odd, stride)) if pad + odd else 0
    left = max(1, ceil_div(pad, stride)) if pad else 0
    middle = max(width.output - left - right, 0)
    if left + middle + right != width.output:
        return True  # left to arm_convolve_s8
    if stride * left < pad:
        return False  # an error
    if not right:
        return True
    first = stride * (left + middle) - pad  # column that the first of the right ones begins at
    padded = right if odd else pad
    return first + width.kernel - 1 == width.input and padded > (right - 1) * stride
