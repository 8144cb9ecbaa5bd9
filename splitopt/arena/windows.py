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
        """Kernel taps that fall inside the input, summed over all outputs of the axis.

        Tap t of output o reads at o * stride + t * dilation - pad_before: inside are those below
        `input`, less those below 0. In closed form, as a file may claim any size.
        """
        return self._taps_below(self.input + self.pad_before) - self._taps_below(self.pad_before)

    def _taps_below(self, end: int) -> int:
        """Pairs of an output o and a tap t with o * stride + t * dilation < end."""

        def first_from(place: int) -> int:  # the first output whose window starts there or later
            return min(max(-(-place // self.stride), 0), self.output)

        every = first_from(end - (self.kernel - 1) * self.dilation)  # outputs with all their taps
        some = first_from(end)
        # Output o in [every, some) has ceil((end - o * stride) / dilation) taps; from the last on:
        lowest = end - (some - 1) * self.stride + self.dilation - 1
        rest = _floor_sum(some - every, self.dilation, self.stride, lowest)
        return every * self.kernel + rest


def _floor_sum(count: int, divisor: int, slope: int, offset: int) -> int:
    """The sum of (offset + k * slope) // divisor over k in [0, count), all of them >= 0, in the
    steps of Euclid's algorithm: points under a line, counted by columns, then by rows."""
    total = 0
    while count > 0:
        total += count * (count - 1) // 2 * (slope // divisor) + count * (offset // divisor)
        slope, offset = slope % divisor, offset % divisor
        top = slope * count + offset
        count, offset = divmod(top, divisor)
        slope, divisor = divisor, slope
    return total


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
