"""Geometry of convolution windows, shared by memory and instruction rules."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.arena.kernel import OpView


@dataclass(frozen=True, slots=True)
class Axis:
    """One spatial axis of a sliding window: sizes in elements."""

    input: int
    output: int
    kernel: int
    stride: int
    dilation: int
    total_padding: int

    @property
    def unread(self) -> int:
        """Input positions behind the last window: no window reads them."""
        reach = (self.kernel - 1) * self.dilation + 1
        return max(0, self.input - (self.output - 1) * self.stride - reach)

    @property
    def pad_before(self) -> int:
        return self.total_padding // 2

    def taps_inside(self) -> int:
        """Kernel taps that fall inside the input, summed over all outputs of the axis."""
        starts = range(-self.pad_before, self.output * self.stride - self.pad_before, self.stride)
        reach = range(0, self.kernel * self.dilation, self.dilation)
        return sum(0 <= start + tap < self.input for start in starts for tap in reach)


def convolution_axes(view: OpView, *, transposed: bool = False) -> tuple[Axis, Axis]:
    """(height, width) of CONV_2D, DEPTHWISE_CONV_2D or, seen from its output, TRANSPOSE_CONV."""
    image, filter_ = (view.input(2) if transposed else view.input(0)), view.input(1)
    kernel = filter_.shape[1:3]
    return _axes(view, image.shape, view.output.shape, (kernel[0], kernel[1]))


def pooling_axes(view: OpView) -> tuple[Axis, Axis]:
    """(height, width) of a 2-D pool."""
    kernel = view.option("filterHeight", 1), view.option("filterWidth", 1)
    return _axes(view, view.input(0).shape, view.output.shape, kernel)


def _axes(
    view: OpView, image: tuple[int, ...], result: tuple[int, ...], kernel: tuple[int, int]
) -> tuple[Axis, Axis]:
    def axis(position: int, suffix: str) -> Axis:
        stride = view.option(f"stride{suffix}", 1)
        dilation = view.option(f"dilation{suffix}Factor", 1)
        reach = (kernel[position] - 1) * dilation + 1
        size, count = image[1 + position], result[1 + position]
        return Axis(
            input=size,
            output=count,
            kernel=kernel[position],
            stride=stride,
            dilation=dilation,
            total_padding=max(0, (count - 1) * stride + reach - size),
        )

    return axis(0, "H"), axis(1, "W")
