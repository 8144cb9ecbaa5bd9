"""Loops of convolutions, dense layers and pools, as CMSIS-NN and TFLM's reference kernels run them.

int8 and int16 go through CMSIS-NN for Helium: a matrix product on four pixels at a time, 16 bytes a
vector. float32 has TFLM's reference kernels: loops over single values.
Sources: arm_convolve_wrapper_s8.c, arm_depthwise_conv_wrapper_s8.c, arm_nn_mat_mult_nt_t_s8.c and
reference/{conv,depthwiseconv_float,fully_connected,pooling}.h.
"""

from __future__ import annotations

from splitopt.arena.kernel import OpView
from splitopt.arena.windows import Axis, convolution_axes, pooling_axes
from splitopt.base.units import ceil_div
from splitopt.cost.kernel_terms import KernelTerms, kernel_name

_CHANNEL_BLOCK = 124
_LANES = {"INT8": 16, "INT16": 8}
_SLOW_ABOVE = 512
"""Values of a window above which int16 sums in 64 bits, one by one (MAX_COL_COUNT)."""


def convolution(view: OpView) -> KernelTerms:
    image, filter_ = view.input(0), view.input(1)
    height, width = convolution_axes(view)
    channels = filter_.shape[3]
    groups = image.shape[3] // channels

    def named(variant: str, terms: tuple[float, ...]) -> KernelTerms:
        return KernelTerms(kernel_name(view, variant, weights=filter_), terms)

    if image.dtype.name == "FLOAT32":
        return named("", _reference_convolution(view, channels))
    if groups > 1:
        return named("grouped", _columns(view, height, width, channels, groups))
    if image.dtype.name == "INT16":
        wide = max(0, height.kernel * width.kernel * channels - _SLOW_ABOVE)
        pixels = view.output.elements // view.output.shape[3]
        slow = pixels // 4 * view.output.shape[3] * wide, pixels % 4 * view.output.shape[3] * wide
        return named("", (*_columns(view, height, width, channels), *slow))
    if height.kernel * width.kernel == 1 and height.total_padding == width.total_padding == 0:
        return named(*_pointwise(view, height, width, channels))
    packs = width.stride * channels % 4 == 0
    if image.shape[1] == height.kernel == width.dilation == 1 and packs:
        if width.unread:
            return named("1xN uneven", ())
        return named("1xN", _row_convolution(view, width, channels))
    return named("", _columns(view, height, width, channels))


def _pointwise(
    view: OpView, height: Axis, width: Axis, channels: int
) -> tuple[str, tuple[float, ...]]:
    batch, rows, columns, outputs = view.output.shape
    vectors = ceil_div(channels, 16)
    if height.stride == width.stride == 1:
        quads, rest = divmod(batch * rows * columns, 4)
        return "1x1", (1, *matrix_products(quads, rest, outputs, vectors))
    lines = batch * rows
    quads, rest = lines * (columns // 4), lines * (columns % 4)
    products = matrix_products(quads, rest, outputs, vectors)
    return "1x1 strided", (1, batch, lines, lines * (columns % 4 > 0), *products)


def matrix_products(quads: int, rest: int, outputs: int, vectors: int) -> tuple[float, ...]:
    """A matrix product on four pixels at a time, then on the rest one by one, where outputs above
    a multiple of four are requantised each by itself."""
    per_output = quads * outputs, quads * outputs * vectors
    per_rest = rest, rest * outputs, rest * outputs * vectors, rest * (outputs % 4)
    return quads, *per_output, *per_rest


def _columns(
    view: OpView, height: Axis, width: Axis, channels: int, groups: int = 1
) -> tuple[float, ...]:
    """Each pixel's taps are copied to a column; four columns, and what is left over of each image
    and group, go through a matrix product."""
    batch, rows, columns, outputs = view.output.shape
    taps, lanes = height.kernel * width.kernel, _LANES.get(view.input(0).dtype.name, 1)
    parts = batch * groups
    pixels = parts * rows * columns
    quads, rest = (parts * part for part in divmod(rows * columns, 4))
    inside = parts * height.taps_inside() * width.taps_inside()
    outside = pixels * taps - inside
    blocks = ceil_div(channels, lanes)
    products = matrix_products(quads, rest, outputs // groups, ceil_div(taps * channels, lanes))
    return (
        1, pixels, pixels * height.kernel, inside, inside * blocks, outside, outside * blocks,
        *products,
    )  # fmt: skip


def _row_convolution(view: OpView, width: Axis, channels: int) -> tuple[float, ...]:
    """Pixels whose window is inside the row are read in place; padded ones are copied first."""
    batch, _, columns, outputs = view.output.shape
    vectors = ceil_div(width.kernel * channels, 16)
    before, after = width.pad_before, width.total_padding - width.pad_before
    left, right = (ceil_div(pad, width.stride) if pad else 0 for pad in (before, after))
    middle = max(0, columns - left - right)
    quads = sum(part // 4 for part in (left, middle, right))
    rest = sum(part % 4 for part in (left, middle, right))
    calls = sum(part > 0 for part in (left, right))
    copied = batch * calls, batch * calls * vectors
    return 1, batch, *copied, *matrix_products(batch * quads, batch * rest, outputs, vectors)


def _reference_convolution(view: OpView, channels: int) -> tuple[float, ...]:
    height, width = convolution_axes(view)
    batch, rows, columns, outputs = view.output.shape
    pixels, taps = batch * rows * columns, height.kernel * width.kernel
    inside = batch * height.taps_inside() * width.taps_inside()
    results = pixels * outputs
    return (
        1, pixels, results, results * height.kernel, results * taps, inside * outputs,
        inside * outputs * channels,
    )  # fmt: skip


def depthwise(view: OpView) -> KernelTerms:
    image, filter_ = view.input(0), view.input(1)
    height, width = convolution_axes(view)
    batch, _, _, channels = view.output.shape
    multiplier = channels // image.shape[3]
    dilated = height.dilation > 1 or width.dilation > 1

    def named(variant: str, terms: tuple[float, ...]) -> KernelTerms:
        return KernelTerms(kernel_name(view, variant, weights=filter_), terms)

    if image.dtype.name != "INT8":
        return named("dilated" if dilated else "", _each_result(view, height, width))
    if image.shape[3] == 1 and channels > 1:
        constants = filter_.elements, channels
        return named("of one channel", (*_columns(view, height, width, 1), *constants))
    if multiplier == 1 and batch == 1 and not dilated:
        return named("", _depthwise_blocks(view, height, width))
    if multiplier % 4 == 0 and batch == 1 and not dilated:
        return named("by fours", _each_result(view, height, width, 4))
    return named("generic dilated" if dilated else "generic", _each_result(view, height, width))


def _depthwise_blocks(view: OpView, height: Axis, width: Axis) -> tuple[float, ...]:
    """The same as for convolutions, on blocks of 124 channels, four channels a vector."""
    batch, rows, columns, channels = view.output.shape
    pixels, taps = batch * rows * columns, height.kernel * width.kernel
    quads, rest = divmod(pixels, 4)
    inside = batch * height.taps_inside() * width.taps_inside()
    outside = pixels * taps - inside
    sizes = [min(_CHANNEL_BLOCK, channels - at) for at in range(0, channels, _CHANNEL_BLOCK)]
    loops = len(sizes)
    fours = sum(ceil_div(size, 4) for size in sizes)
    wide = sum(ceil_div(size, _LANES[view.input(0).dtype.name]) for size in sizes)
    return (
        1, pixels * loops, pixels * loops * height.kernel, inside * loops, inside * wide,
        outside * loops, outside * wide, quads * loops, quads * fours, quads * fours * taps,
        rest * fours, rest * fours * taps,
    )  # fmt: skip


def _each_result(view: OpView, height: Axis, width: Axis, at_once: int = 1) -> tuple[float, ...]:
    """Loops over results, or some channels of one at once, each with its taps inside the image."""
    batch, rows, columns, channels = view.output.shape
    pixels, sets = batch * rows * columns, ceil_div(channels, at_once)
    inside = batch * height.taps_inside() * width.taps_inside()
    lines = batch * columns * height.taps_inside()
    per_set = pixels, lines, pixels * height.kernel * width.kernel, inside
    return 1, pixels, pixels * view.input(0).shape[3], *(sets * count for count in per_set)


def fully_connected(view: OpView) -> KernelTerms:
    source, weights = view.input(0), view.input(1)
    outputs, depth = weights.shape
    batch = view.output.elements // outputs
    variant = "" if weights.is_constant else "of activations"
    if variant == "" and weights.quantization is not None and len(weights.quantization.scales) > 1:
        variant = "per channel"
    name = kernel_name(view, variant, weights=weights)
    if source.dtype.name == "FLOAT32":
        return KernelTerms(name, (1, batch, batch * outputs, batch * outputs * depth))
    quads, rest = divmod(outputs, 4)
    vectors = ceil_div(depth, _LANES.get(source.dtype.name, 16))
    each = 1, quads > 0, quads, quads * vectors, rest > 0, rest, rest * vectors
    return KernelTerms(name, (1, *(batch * term for term in each)))


def pool(view: OpView) -> KernelTerms:
    height, width = pooling_axes(view)
    batch, rows, columns, channels = view.output.shape
    pixels = batch * rows * columns
    inside = batch * height.taps_inside() * width.taps_inside()
    lines = batch * height.taps_inside() * columns
    lanes = _LANES.get(view.input(0).dtype.name, 1)
    vectors = ceil_div(channels, lanes)
    counts = (n for part in (pixels, lines, inside) for n in (part, part * vectors))
    written = ceil_div(view.output.elements, lanes)
    return KernelTerms(kernel_name(view), (1, *counts, written))
