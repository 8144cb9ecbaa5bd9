"""Loops of TRANSPOSE_CONV: CMSIS-NN has two ways for int8, TFLM's reference kernel serves the rest.

Sources: arm_transpose_conv_wrapper_s8.c, arm_transpose_conv_s8.c, reference/transpose_conv.h.
"""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.arena.kernel import OpView
from splitopt.base.units import ceil_div
from splitopt.cost.kernel_terms import KernelTerms, kernel_name
from splitopt.cost.windowed_terms import matrix_products

_REVERSED_ABOVE = 16
"""Input channels above which it runs as a convolution with the filter reversed."""
_MOST_ROWS = 1 << 16


def transposed_convolution(view: OpView) -> KernelTerms:
    filter_, image = view.input(1), view.input(2)
    if image.dtype.name != "INT8":
        return KernelTerms(kernel_name(view, weights=filter_), _scattered(view))
    strides = {view.option("strideH"), view.option("strideW")}
    if filter_.shape[3] > _REVERSED_ABOVE and max(strides) <= 2:
        variant = "reversed" if strides == {1} else "reversed strided"
        return KernelTerms(kernel_name(view, variant, weights=filter_), _gathered(view))
    return KernelTerms(kernel_name(view, weights=filter_), _rows_scattered(view))


@dataclass(frozen=True)
class _Scatter:
    """One axis of a TRANSPOSE_CONV: each input value is spread over `kernel` output places."""

    input: int
    output: int
    kernel: int
    stride: int

    @property
    def pad_before(self) -> int:
        return max(0, (self.input - 1) * self.stride + self.kernel - self.output) // 2

    def taps_inside(self) -> int:
        starts = range(-self.pad_before, self.input * self.stride - self.pad_before, self.stride)
        return sum(min(self.output, s + self.kernel) - max(0, s) for s in starts)

    def rows_kept(self) -> tuple[int, int]:
        """(kernel rows that CMSIS-NN computes, inputs whose first row is inside)."""
        kept, written = 0, 0
        for position in range(self.input):
            start = position * self.stride
            top = max(0, self.pad_before - start)
            bottom = max(0, start + self.kernel - self.pad_before - self.output - 1)
            kept += max(0, self.kernel - top - bottom)
            written += top == 0
        return kept, written


def _scatters(view: OpView) -> tuple[_Scatter, _Scatter]:
    image, result, filter_ = view.input(2).shape, view.output.shape, view.input(1).shape

    def axis(position: int, suffix: str) -> _Scatter:
        if image[position] > _MOST_ROWS:
            raise ValueError(f"{image[position]} rows or columns are beyond any board")
        stride = view.option(f"stride{suffix}", 1)
        return _Scatter(image[position], result[position], filter_[position], stride)

    return axis(1, "H"), axis(2, "W")


def _scattered(view: OpView) -> tuple[float, ...]:
    """The reference kernel: every input value times every tap, if its place is inside."""
    height, width = _scatters(view)
    image, result = view.input(2), view.output
    outputs, taps = result.shape[3], height.kernel * width.kernel
    spread = image.elements * taps
    inside = image.shape[0] * image.shape[3] * height.taps_inside() * width.taps_inside()
    pixels = result.elements // outputs
    return (
        1, image.elements, image.elements * height.kernel, spread, spread * outputs,
        inside * outputs, pixels, pixels * outputs,
    )  # fmt: skip


def _rows_scattered(view: OpView) -> tuple[float, ...]:
    """arm_transpose_conv_s8: a row of inputs at a time into a buffer of rows of sums."""
    height, width = _scatters(view)
    batch, _, columns, channels = view.input(2).shape
    outputs, vectors = view.output.shape[3], ceil_div(channels, 16)
    kept, written = height.rows_kept()
    quads, rest = divmod(columns, 4)
    calls = batch * height.input
    lines = batch * kept * outputs
    pixels = view.output.elements // outputs
    places = batch * ((columns - 1) * width.stride + max(width.kernel, width.stride))
    fill, again = places * max(height.kernel, height.stride), places * written * height.stride
    blocks = ceil_div(outputs, 4)
    return (
        1, calls, calls * outputs * quads, calls * outputs * rest,
        lines * quads, lines * quads * width.kernel, lines * quads * width.kernel * vectors,
        lines * rest, lines * rest * width.kernel, lines * rest * width.kernel * vectors,
        pixels, pixels * blocks, fill, fill * blocks, again, again * blocks,
    )  # fmt: skip


def _gathered(view: OpView) -> tuple[float, ...]:
    """arm_convolve_s8 on a filter that is turned round first; taps between inputs are zero."""
    height, width = _scatters(view)
    batch, _, _, channels = view.input(2).shape
    _, rows, columns, outputs = view.output.shape
    taps, blocks = height.kernel * width.kernel, ceil_div(channels, 16)
    pixels = batch * rows * columns
    inside = batch * height.taps_inside() * width.taps_inside()
    lines = batch * height.taps_inside() * columns
    quads, rest = (batch * part for part in divmod(rows * columns, 4))
    vectors = ceil_div(taps * channels, 16)
    cleared = pixels * vectors if max(height.stride, width.stride) > 1 else pixels * taps * blocks
    reversal = outputs * taps, outputs * taps * blocks
    return (
        1, pixels, pixels * height.kernel, lines, lines * width.kernel, inside, inside * blocks,
        cleared, *matrix_products(quads, rest, outputs, vectors), *reversal,
    )  # fmt: skip
