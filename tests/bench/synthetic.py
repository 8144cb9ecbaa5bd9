"""Chains of convolutions of any length, as .tflite files: more ops than public models have."""

from __future__ import annotations

import random

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder


def convolution_chain(ops: int, seed: int = 0) -> bytes:
    """CONV_2D 1x1 and DEPTHWISE_CONV_2D 3x3 in turn, int8, on 16x16 images of 8 to 64 channels."""
    chance = random.Random(seed)
    builder = ModelBuilder()
    channels = 8
    first = at = builder.tensor([1, 16, 16, channels], name="input", scales=[0.02])
    for number in range(ops):
        depthwise = number % 2 == 1
        made = channels if depthwise else chance.choice([8, 16, 24, 32, 48, 64])
        at = _convolution(builder, at, channels, made, depthwise=depthwise)
        channels = made
    return builder.bytes([first], [at])


def _convolution(
    builder: ModelBuilder, source: int, channels: int, made: int, *, depthwise: bool
) -> int:
    shape, axis = ([1, 3, 3, made], 3) if depthwise else ([made, 1, 1, channels], 0)
    name, scales = f"op{len(builder.graph.operators)}", [0.02] * made
    ones, zeros = np.ones(shape, np.int8).tobytes(), np.zeros(made, np.int32).tobytes()
    weights = builder.tensor(shape, name=f"{name}/w", scales=scales, axis=axis, data=ones)
    bias = builder.tensor([made], "INT32", name=f"{name}/b", scales=scales, data=zeros)
    result = builder.tensor([1, 16, 16, made], name=name, scales=[0.02])
    options = fb.DepthwiseConv2DOptionsT() if depthwise else fb.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH = fb.Padding.SAME, 1, 1
    if depthwise:
        options.depthMultiplier = 1
    op_type = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    builder.op(op_type, [source, weights, bias], [result], options)
    return result
