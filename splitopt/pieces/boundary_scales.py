"""Scale, zero point, shape and layout of each boundary tensor, as both of its pieces see it.

Pieces of one int8 model agree by construction. Pieces that were converted one by one may not: then
the reader gets a QUANTIZE op of its own in front, a requantisation step that stock TFLM runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from splitopt.graph.model import ModelGraph, Quantization, Tensor
from splitopt.graph.segments import Segment

CHANNELS_LAST = "nhwc"
_WITH_CHANNELS = (3, 4, 5)


@dataclass(frozen=True)
class Side:
    """One piece's end of a boundary: real = scale · (integer - zero point)."""

    piece: int
    scale: float
    zero_point: int
    shape: tuple[int, ...]
    layout: str


@dataclass(frozen=True)
class Agreement:
    """One boundary tensor, from the piece that makes it to a piece that reads it as input
    `position`.

    `requantise`: both sides use different scales, so the reader starts with a QUANTIZE op. `insn`:
    the estimated instructions of that op, per inference.
    """

    tensor: int
    position: int
    writer: Side
    reader: Side
    requantise: bool
    insn: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def agreements(segments: Sequence[Segment], pieces: Sequence[ModelGraph]) -> Iterator[Agreement]:
    """Each boundary tensor with the piece that makes it and a piece that reads it.

    Inputs and outputs of a piece stand as its segment's do. An input of the model is fed as the
    first piece that reads it wants it, which so counts as its writer.
    """
    made: dict[int, Side] = {}
    for k, (segment, piece) in enumerate(zip(segments, pieces, strict=True)):
        for position, tensor in enumerate(segment.inputs):
            reader = _side(k, piece.tensors[piece.inputs[position]])
            writer = made.setdefault(tensor, reader)
            if writer is not reader:
                differ = not _same_meaning(writer, reader)
                yield Agreement(tensor, position, writer, reader, requantise=differ)
        for position, tensor in enumerate(segment.outputs):
            made[tensor] = _side(k, piece.tensors[piece.outputs[position]])


def _side(piece: int, tensor: Tensor) -> Side:
    scale, zero_point = _affine(tensor.quantization)
    layout = CHANNELS_LAST if len(tensor.shape) in _WITH_CHANNELS else "as is"
    return Side(piece, scale, zero_point, tensor.shape, layout)


def _affine(quantization: Quantization | None) -> tuple[float, int]:
    if quantization is None or not quantization.scales:
        return 1.0, 0
    return quantization.scales[0], quantization.zero_points[0]


def _same_meaning(writer: Side, reader: Side) -> bool:
    """Whether every int8 the one writes is the nearest int8 to its value on the other side."""
    written = np.arange(-128, 128)
    real = (written - writer.zero_point) * writer.scale
    read = np.clip(np.round(real / reader.scale) + reader.zero_point, -128, 127)
    return bool((read == written).all())
