"""Networks of any length, as .tflite files: more ops than public models have."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from bench.layers import Layers

_CHANNELS = (8, 16, 24, 32, 48, 64)
_EXPANSION = 6
_STRIDES = (2, 2, 2, 1, 2, 1)
"""Of MobileNetV2's last six stages, as their channels and blocks behind the first are."""
_WIDTHS = (8, 16, 24, 32, 56, 112)
_REPEATS = (1, 2, 3, 2, 2, 0)


def convolution_chain(ops: int, seed: int = 0) -> bytes:
    """CONV_2D 1x1 and DEPTHWISE_CONV_2D 3x3 in turn, int8, on 16x16 images of 8 to 64 channels."""
    chance = random.Random(seed)
    net = Layers()
    first = at = net.image(1, 16, 16, 8, name="input")
    for number in range(ops):
        at = net.depthwise(at) if number % 2 else net.conv(at, chance.choice(_CHANNELS))
    return net.bytes(first, at)


def mobilenet_v2_like(ops: int, seed: int = 0) -> bytes:
    """Inverted residuals on images of 96x96, as near to this number of ops as they come.

    Stages, strides, padding and head are those of MobileNetV2 with 0.35 of its channels, or some
    more; more ops are more blocks, shared out among the stages as its own are. A block that keeps
    its shape has 4 ops, so up to 2 may be too many or missing; 29 are the fewest.

    Source: Sandler et al., MobileNetV2, 2018, table 2.
    """
    chance = random.Random(seed)
    widths = [width + chance.choice((0, 8)) for width in _WIDTHS]
    net = Layers()
    first = net.image(1, 96, 96, 3, name="input")
    at = net.conv(net.pad(first), 16, 3, 2, valid=True)
    at = net.conv(net.depthwise(at), 8)
    least = 7 + sum(3 + (stride == 2) for stride in _STRIDES)
    blocks = _shared_out(round((ops - least) / 4), _REPEATS)
    for width, stride, repeats in zip(widths, _STRIDES, blocks, strict=True):
        at = _inverted(net, at, width, stride)
        for _ in range(repeats):
            at = net.add(at, _inverted(net, at, width, 1))
    return net.bytes(first, net.dense(net.mean(net.conv(at, 1280)), 10))


def _inverted(net: Layers, source: int, width: int, stride: int) -> int:
    """1x1 to more channels, 3x3 of each, 1x1 back to few."""
    at = net.conv(source, _EXPANSION * net.shape(source)[3])
    at = net.depthwise(net.pad(at), 3, 2, valid=True) if stride == 2 else net.depthwise(at)
    return net.conv(at, width)


def u_net(ops: int, seed: int = 0) -> bytes:
    """Encoder and decoder of four levels on images of 64x64, with exactly this number of ops.

    A level halves rows and columns by MAX_POOL_2D and doubles them by RESIZE_NEAREST_NEIGHBOR or
    TRANSPOSE_CONV; the encoder's result is kept for the decoder's CONCATENATION. More ops are more
    CONV_2D 3x3 in each level. Source: Ronneberger et al., U-Net, 2015, figure 1.
    """
    chance = random.Random(seed)
    widths = [8, *(chance.choice((width, 2 * width)) for width in (8, 16, 24, 32))]
    levels = len(widths) - 1
    convs = _shared_out(ops - 3 * levels - 1, [2] * (2 * levels + 1))
    net, kept = Layers(), []
    first = at = net.image(1, 64, 64, 3, name="input")
    for width, count in zip(widths, convs, strict=False):
        if at != first:
            kept.append(at)
            at = net.max_pool(at)
        at = _convolved(net, at, width, count)
    for width, count in zip(widths[-2::-1], convs[levels + 1 :], strict=True):
        up = net.resize(at) if chance.random() < 0.5 else net.transpose_conv(at, width)
        at = _convolved(net, net.concatenation(up, kept.pop()), width, count)
    return net.bytes(first, net.conv(at, 1))


def _convolved(net: Layers, at: int, width: int, count: int) -> int:
    for _ in range(count):
        at = net.conv(at, width, 3)
    return at


def _shared_out(count: int, weights: Sequence[int]) -> list[int]:
    """A count as whole numbers in these proportions; their sum is the count."""
    total, upto = sum(weights), 0
    marks = [0]
    for weight in weights:
        upto += weight
        marks.append(max(0, count) * upto // total)
    return [stop - start for start, stop in pairwise(marks)]
