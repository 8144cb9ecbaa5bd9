"""Ops whose operands are missing, too many, or of another rank than their kernels read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from builder import Builder

from splitopt.base.errors import ModelError
from splitopt.graph.tflite_reader import parse_tflite

_IMAGE, _VECTOR = (1, 4, 4, 2), (1, 4)
_WORDS = b"\x01\0\0\0" * 8


def refused(name: str, inputs: Sequence[Sequence[int] | None], outputs: int = 1) -> str:
    """What the reader says of one op on activations and int32 constants of these shapes.

    The first input of more than one element is the model's; `None` is absent; the others are
    constants.
    """
    builder = Builder()
    source = builder.tensor(_VECTOR)
    given, moving = [], False
    for shape in inputs:
        if shape is None:
            given.append(-1)
        elif not moving and len(shape) > 1:
            moving = True
            builder.graph.tensors[source].shape = list(shape)
            given.append(source)
        else:
            given.append(builder.typed(shape, "INT32", data=_WORDS * 8))
    made = [builder.tensor(_IMAGE) for _ in range(outputs)]
    builder.op(name, given, made)
    with pytest.raises(ModelError) as caught:
        parse_tflite(builder.bytes([source], made), name="m")
    return str(caught.value)


CRASHED = {
    "resize": (("RESIZE_BILINEAR", [_IMAGE]), "RESIZE_BILINEAR has 1 input, want 2"),
    "nearest": (("RESIZE_NEAREST_NEIGHBOR", [_IMAGE]), "has 1 input, want 2"),
    "transposed": (("TRANSPOSE_CONV", [_IMAGE]), "TRANSPOSE_CONV has 1 input, want 3 to 4"),
    "transposed rank": (
        ("TRANSPOSE_CONV", [(4,), _VECTOR, _IMAGE]),
        "TRANSPOSE_CONV: its filter has the shape [1, 4], want a rank of 4",
    ),
    "svdf": (("SVDF", [_VECTOR, _VECTOR]), "SVDF has 2 inputs, want 5"),
    "log softmax": (("LOG_SOFTMAX", []), "LOG_SOFTMAX has 0 inputs, want 1"),
    "or": (("LOGICAL_OR", [_VECTOR]), "LOGICAL_OR has 1 input, want 2"),
    "pad": (("PAD", [_IMAGE]), "PAD has 1 input, want 2 to 3"),
    "pad rank": (
        ("PAD", [_IMAGE, (8,)]),
        "PAD: its padding has the shape [8], want a rank of 2",
    ),
    "unpack": (("UNPACK", []), "UNPACK has 0 inputs, want 1"),
    "convolution": (("CONV_2D", [_IMAGE]), "CONV_2D has 1 input, want 2 to 3"),
    "image": (("CONV_2D", [_VECTOR, _IMAGE]), "its image has the shape [1, 4], want a rank of 4"),
    "absent": (("CONV_2D", [_IMAGE, None]), "its input 1 (filter) is absent"),
    "too many": (("RELU", [_VECTOR, (4,)]), "RELU has 2 inputs, want 1"),
    "two results": (("RELU", [_VECTOR], 2), "RELU has 2 outputs, want 1"),
    "none": (("CONCATENATION", []), "CONCATENATION has 0 inputs, want 1 or more"),
}


@pytest.mark.parametrize("name", CRASHED)
def test_operands_that_kernels_read_are_there(name: str) -> None:
    call, says = CRASHED[name]
    assert says in refused(*call)


def test_size_and_axis_must_be_constant() -> None:
    builder = Builder()
    image, size, out = builder.tensor(_IMAGE), builder.typed((2,), "INT32"), builder.tensor(_IMAGE)
    builder.op("RESIZE_BILINEAR", [image, size], [out])
    with pytest.raises(ModelError, match="its size is not constant, as TFLM wants it"):
        parse_tflite(builder.bytes([image, size], [out]), name="m")
