"""TRANSPOSE_CONVs of int8 whose rows CMSIS-NN gets wrong.

Up to 16 channels, or at strides above 2, arm_transpose_conv_s8 adds each row of the input to a
buffer of rows of sums and writes out as many of them as the stride. It forgets how many rows of the
first one lie in the padding: where that is no multiple of the stride, rows come to lie over others,
and the last ones are never written. With more channels it gathers, and is right. Source:
arm_transpose_conv_wrapper_s8.c and arm_transpose_conv_s8.c of CMSIS-NN at 4ab83cc3. Of 228 forms on
QEMU, the 24 of which this says so are those that differ from TFLM's reference kernel.
"""

from __future__ import annotations

from splitopt.arena.kernel import OpView
from splitopt.base.units import ceil_div

_GATHERED_ABOVE = 16
_SAME = 0


def makes_other_rows(view: OpView) -> bool:
    """Of a TRANSPOSE_CONV: whether the Cortex-M55 makes other rows than the reference kernel."""
    weights, image, rows = view.input(1), view.input(2), view.output.shape[1]
    if image.dtype.name != "INT8" or view.option("padding", -1) != _SAME:
        return False
    stride = max(1, view.option("strideH", 1))
    if weights.shape[3] > _GATHERED_ABOVE and max(stride, view.option("strideW", 1)) <= 2:
        return False
    padding = max(0, (ceil_div(rows, stride) - 1) * stride + weights.shape[1] - rows) // 2
    return padding % stride > 0
