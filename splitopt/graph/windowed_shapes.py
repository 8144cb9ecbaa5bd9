"""What convolutions and pools make of their inputs' shapes; see `shape_rules`."""

from __future__ import annotations

from splitopt.base.units import ceil_div
from splitopt.graph.op_view import Operands, Shape

Shapes = tuple[Shape, ...]
_SAME, _VALID = 0, 1


def _windows(op: Operands, image: Shape, kernel: tuple[int, int], channels: int) -> Shapes:
    """Source: tensorflow/lite/kernels/padding.h, ComputeOutSize."""
    sizes = []
    for position, suffix in enumerate("HW"):
        stride = op.option(f"stride{suffix}")
        dilation = int(op.op.options.get(f"dilation{suffix}Factor", 1))
        op.want(stride > 0, f"stride{suffix} {stride}, want 1 or more")
        op.want(dilation > 0, f"dilation{suffix}Factor {dilation}, want 1 or more")
        op.want(kernel[position] > 0, f"a filter of {kernel[0]} x {kernel[1]}")
        padding = op.option("padding")
        op.want(padding in (_SAME, _VALID), f"padding {padding}, want SAME or VALID")
        reach = (kernel[position] - 1) * dilation + 1
        size = image[1 + position] + (0 if padding == _SAME else 1 - reach)
        sizes.append(ceil_div(size, stride))
    return ((image[0], *sizes, channels),)


def check_weights(op: Operands, position: int, axis: int, bias: int) -> None:
    """One scale, or one for each channel; as many biases as channels."""
    weights, offsets = op.input(position), op.input(bias)
    assert weights is not None
    channels = weights.shape[axis]
    if weights.quantization is not None and weights.dtype.name != "FLOAT32":
        scales = len(weights.quantization.scales)
        op.want(scales in (1, channels), f"{scales} scales for {channels} channels of weights")
    if offsets is not None:
        op.want(offsets.elements == channels, f"{offsets.elements} biases for {channels} channels")


def convolution(op: Operands) -> Shapes:
    image, filter_ = op.shape(0), op.shape(1)
    op.want(
        filter_[3] > 0 and image[3] % filter_[3] == 0,
        f"its filter reads {filter_[3]} channels, its image has {image[3]}",
    )
    groups = image[3] // filter_[3]
    op.want(
        groups > 0 and filter_[0] % groups == 0,
        f"{filter_[0]} filters in {groups} groups of channels",
    )
    check_weights(op, 1, axis=0, bias=2)
    return _windows(op, image, (filter_[1], filter_[2]), filter_[0])


def depthwise(op: Operands) -> Shapes:
    image, filter_ = op.shape(0), op.shape(1)
    op.want(
        image[3] > 0 and filter_[0] == 1 and filter_[3] % image[3] == 0,
        f"a filter of {list(filter_)} on {image[3]} channels",
    )
    check_weights(op, 1, axis=3, bias=2)
    return _windows(op, image, (filter_[1], filter_[2]), filter_[3])


def transpose_convolution(op: Operands) -> Shapes | None:
    filter_, image, wanted = op.shape(1), op.shape(2), op.integers(0)
    op.want(
        filter_[3] == image[3],
        f"its filter reads {filter_[3]} channels, its image has {image[3]}",
    )
    check_weights(op, 1, axis=0, bias=3)
    _windows(op, image, (filter_[1], filter_[2]), filter_[0])
    if wanted is None or len(wanted) != len(image):
        return None
    return ((image[0], *wanted[1:3], filter_[0]),)


def pool(op: Operands) -> Shapes:
    image = op.shape(0)
    return _windows(op, image, (op.option("filterHeight"), op.option("filterWidth")), image[3])
