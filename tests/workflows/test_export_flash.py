"""What an export says of flash: constants are counted as the file holds them."""

from __future__ import annotations

from builder import Builder

from splitopt.graph.tflite_reader import parse_tflite
from splitopt.workflows.export.flash import constant_bytes


def test_a_buffer_of_several_tensors_counts_once() -> None:
    builder = Builder()
    x, y, z = (builder.typed((1, 64), "INT8") for _ in range(3))
    first, second = (builder.typed((1, 64), "INT8", data=bytes(range(64))) for _ in range(2))
    builder.op("ADD", [x, first], [y])
    builder.op("ADD", [y, second], [z])
    apart = parse_tflite(builder.bytes([x], [z]), name="apart")
    tensors = builder.graph.tensors
    tensors[second].buffer = tensors[first].buffer
    shared = parse_tflite(builder.bytes([x], [z]), name="shared")
    assert (constant_bytes(apart), constant_bytes(shared)) == (128, 64)
