"""Models of one op for kernels besides those of int8 networks' common ops: grouped and transposed
convolutions, recurrent ops, RESIZE, and float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from splitopt.workflows.calibrate.one_op import OneOp

_PLAIN = {"strideW": 1, "strideH": 1}
_UNDILATED = {"dilationWFactor": 1, "dilationHFactor": 1}


def kernel_models() -> Iterator[tuple[str, OneOp]]:
    """(shape in words, model)."""
    for family in (_grouped, _transposed, _filters, _lstms, _products, _resizes, _floats):
        yield from family()


def _grouped() -> Iterator[tuple[str, OneOp]]:
    for side, inner, outer, groups, kernel in (
        (8, 8, 8, 2, 3), (8, 16, 16, 4, 3), (10, 32, 48, 2, 3), (7, 12, 24, 3, 5), (9, 16, 8, 4, 1),
    ):  # fmt: skip
        weights = f"INT8 {outer}x{kernel}x{kernel}x{inner // groups} weights/0"
        inputs = f"INT8 1x{side}x{side}x{inner}", weights, f"INT32 {outer} bias/0"
        label = f"{side}x{side}x{inner} to {outer}, {kernel}x{kernel}, {groups} groups"
        out = (f"INT8 1x{side}x{side}x{outer}",)
        yield label, OneOp("CONV_2D", inputs, out, "Conv2DOptions", {**_PLAIN, **_UNDILATED})


def _transposed() -> Iterator[tuple[str, OneOp]]:
    for side, inner, outer, kernel in (
        (4, 8, 8, 2), (5, 8, 12, 3), (6, 16, 8, 4), (8, 4, 16, 3), (5, 24, 16, 2), (6, 32, 12, 3),
        (4, 40, 8, 4), (8, 20, 10, 3), (7, 12, 10, 2), (10, 8, 12, 3), (12, 6, 6, 4),
        (4, 16, 20, 3),
    ):  # fmt: skip
        twice = 2 * side
        weights = f"INT8 {outer}x{kernel}x{kernel}x{inner} weights/0"
        shape = f"INT32 4 = 1 {twice} {twice} {outer}"
        inputs = shape, weights, f"INT8 1x{side}x{side}x{inner}", f"INT32 {outer} bias/0"
        out, options = (f"INT8 1x{twice}x{twice}x{outer}",), {"strideW": 2, "strideH": 2}
        label = f"{side}x{side}x{inner} to {outer}, {kernel}x{kernel}, stride 2"
        yield label, OneOp("TRANSPOSE_CONV", inputs, out, "TransposeConvOptions", options)


def _filters() -> Iterator[tuple[str, OneOp]]:
    for depth, units, memory in ((16, 8, 10), (40, 16, 8), (64, 32, 12), (24, 20, 4)):
        inputs = (
            f"INT8 1x{depth}", f"INT8 {units}x{depth} weights", f"INT16 {units}x{memory} weights",
            f"INT32 {units} bias", f"INT16 1x{units * memory} variable",
        )  # fmt: skip
        options = {"rank": 1, "fusedActivationFunction": 1}
        label = f"{depth} to {units}, memory {memory}"
        yield label, OneOp("SVDF", inputs, (f"INT8 1x{units}",), "SVDFOptions", options)


def _lstms() -> Iterator[tuple[str, OneOp]]:
    for steps, depth, units in ((4, 8, 16), (6, 16, 12), (8, 20, 24), (3, 40, 32), (10, 12, 7)):
        inputs = (
            f"INT8 1x{steps}x{depth}",
            *[f"INT8 {units}x{depth} weights"] * 4, *[f"INT8 {units}x{units} weights"] * 4,
            *["-"] * 3, *[f"INT32 {units} bias"] * 4, *["-"] * 2,
            f"INT8 1x{units} variable", f"INT16 1x{units} variable", *["-"] * 4,
        )  # fmt: skip
        out, name = (f"INT8 1x{steps}x{units}",), "UNIDIRECTIONAL_SEQUENCE_LSTM"
        options: dict[str, Any] = {"fusedActivationFunction": 4, "cellClip": 10.0}
        label = f"{steps} steps of {depth} to {units}"
        yield label, OneOp(name, inputs, out, "UnidirectionalSequenceLSTMOptions", options)


def _products() -> Iterator[tuple[str, OneOp]]:
    for batch, rows, depth, columns in (
        (1, 6, 16, 10),
        (2, 8, 32, 12),
        (1, 12, 40, 21),
        (3, 5, 9, 16),
    ):
        inputs = f"INT8 {batch}x{rows}x{depth}", f"INT8 {batch}x{columns}x{depth}"
        label, out = f"{batch}x{rows}x{depth} by {columns}", (f"INT8 {batch}x{rows}x{columns}",)
        yield label, OneOp("BATCH_MATMUL", inputs, out, "BatchMatMulOptions", {"adjY": True})


def _resizes() -> Iterator[tuple[str, OneOp]]:
    for op_type, kind in (
        ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    ):
        for side, channels in ((4, 8), (6, 16), (5, 4), (8, 24)):
            twice = 2 * side
            inputs = f"INT8 1x{side}x{side}x{channels}", f"INT32 2 = {twice} {twice}"
            label, out = f"{side}x{side}x{channels}, twice", (f"INT8 1x{twice}x{twice}x{channels}",)
            yield label, OneOp(op_type, inputs, out, kind)


def _floats() -> Iterator[tuple[str, OneOp]]:
    for side, inner, outer, kernel in ((8, 8, 8, 1), (8, 4, 12, 3), (6, 16, 8, 3), (10, 3, 6, 5)):
        image, out = f"FLOAT32 1x{side}x{side}x{inner}", f"FLOAT32 1x{side}x{side}x{outer}"
        weights = f"FLOAT32 {outer}x{kernel}x{kernel}x{inner} weights"
        inputs, options = (image, weights, f"FLOAT32 {outer} bias"), {**_PLAIN, **_UNDILATED}
        label = f"{side}x{side}x{inner} to {outer}, {kernel}x{kernel}, float32"
        yield label, OneOp("CONV_2D", inputs, (out,), "Conv2DOptions", options)
        weights = f"FLOAT32 1x{kernel}x{kernel}x{inner} weights"
        inputs, label = (image, weights, f"FLOAT32 {inner} bias"), f"{label[:9]}, depthwise float32"
        options = {**options, "depthMultiplier": 1}
        kind = "DepthwiseConv2DOptions"
        yield label, OneOp("DEPTHWISE_CONV_2D", inputs, (image,), kind, options)
    for depth, outer in ((16, 8), (64, 10), (100, 33)):
        row, weights = f"FLOAT32 1x{depth}", f"FLOAT32 {outer}x{depth} weights"
        inputs, out = (row, weights, f"FLOAT32 {outer} bias"), f"FLOAT32 1x{outer}"
        label = f"{depth} to {outer}, float32"
        yield label, OneOp("FULLY_CONNECTED", inputs, (out,), "FullyConnectedOptions")
    for side in (4, 8, 12):
        shape = f"FLOAT32 1x{side}x{side}x8"
        yield f"{side}x{side}x8, float32", OneOp("ADD", (shape, shape), (shape,), "AddOptions")
        yield f"{side}x{side}x8, float32", OneOp("RELU", (shape,), (shape,))
        options = {**_PLAIN, "filterWidth": 3, "filterHeight": 3}
        for op_type in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
            yield f"{shape}, 3x3", OneOp(op_type, (shape,), (shape,), "Pool2DOptions", options)
        row = f"FLOAT32 1x{4 * side}"
        yield row, OneOp("SOFTMAX", (row,), (row,), "SoftmaxOptions", {"beta": 1.0})
