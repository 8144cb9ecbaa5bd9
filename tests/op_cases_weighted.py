"""Cases of ops with weights or state, in the forms that their rules tell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from op_models import Case, Ops, Value, constant, indices, variable

WINDOW = {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
_VALID = 1


def weighted(o: Ops) -> Iterator[Case]:
    for kind in (o.weight, "INT4") if o.dtype == "INT8" else (o.weight,):
        yield from _convolutions(o, kind)
        yield from _depthwise(o, kind)
        yield from _dense(o, kind)
    yield from _upsamplings(o)


def _convolutions(o: Ops, kind: str) -> Iterator[Case]:
    def case(form: str, image: Value, filters: tuple[int, ...], out: Value, **more: Any) -> Case:
        count = filters[0]
        inputs = [image, constant(kind, *filters, scales=count), o.biases(count, count)]
        options = {**WINDOW, **more}
        return o.case("CONV_2D", inputs, [out], "Conv2DOptions", f"{kind} {form}", **options)

    yield case("3x3", o.act(1, 9, 7, 3), (5, 3, 3, 3), o.act(1, 9, 7, 5))
    yield case("1x1", o.act(1, 9, 7, 8), (5, 1, 1, 8), o.act(1, 9, 7, 5))
    yield case("1x1 of stride 2", o.act(1, 8, 6, 6), (5, 1, 1, 6), o.act(1, 4, 3, 5),
               strideW=2, strideH=2)  # fmt: skip
    yield case("1x5 on a row", o.act(1, 1, 20, 4), (6, 1, 5, 4), o.act(1, 1, 20, 6))
    yield case("1x5 on a row, valid", o.act(1, 1, 20, 4), (6, 1, 5, 4), o.act(1, 1, 16, 6),
               padding=_VALID)  # fmt: skip
    yield case("1x5 on a row of stride 2", o.act(1, 1, 20, 4), (6, 1, 5, 4), o.act(1, 1, 10, 6),
               strideW=2)  # fmt: skip
    yield case("5x1 on a column", o.act(1, 20, 1, 4), (6, 5, 1, 4), o.act(1, 20, 1, 6))
    yield case("5x5 valid", o.act(1, 9, 9, 5), (4, 5, 5, 5), o.act(1, 5, 5, 4), padding=_VALID)
    yield case("3x3 of stride 2", o.act(1, 9, 8, 7), (4, 3, 3, 7), o.act(1, 5, 4, 4),
               strideW=2, strideH=2)  # fmt: skip
    yield case("3x3 dilated", o.act(1, 9, 9, 4), (4, 3, 3, 4), o.act(1, 9, 9, 4),
               dilationWFactor=2, dilationHFactor=2)  # fmt: skip
    yield case("3x3 of two images", o.act(2, 6, 6, 3), (4, 3, 3, 3), o.act(2, 6, 6, 4))
    if kind != "INT4":
        yield case("grouped", o.act(1, 9, 7, 4), (6, 3, 3, 2), o.act(1, 9, 7, 6))
        yield case("grouped 1x1", o.act(1, 5, 5, 8), (4, 1, 1, 2), o.act(1, 5, 5, 4))
    bare = [o.act(1, 9, 7, 4), constant(kind, 6, 3, 3, 4)]
    form = f"{kind} without bias, of one scale"
    yield o.case("CONV_2D", bare, [o.act(1, 9, 7, 6)], "Conv2DOptions", form, **WINDOW)


def _depthwise(o: Ops, kind: str) -> Iterator[Case]:
    def case(form: str, image: Value, taps: tuple[int, int], out: Value, **more: Any) -> Case:
        count = out.shape[3]
        filters = constant(kind, 1, *taps, count, scales=count, axis=3)
        table = "DepthwiseConv2DOptions"
        options = {**WINDOW, "depthMultiplier": count // image.shape[3], **more}
        inputs = [image, filters, o.biases(count, count)]
        return o.case("DEPTHWISE_CONV_2D", inputs, [out], table, f"{kind} {form}", **options)

    yield case("3x3", o.act(1, 9, 7, 3), (3, 3), o.act(1, 9, 7, 3))
    yield case("3x3 of 130 channels", o.act(1, 3, 3, 130), (3, 3), o.act(1, 3, 3, 130))
    yield case("1x5", o.act(1, 1, 16, 8), (1, 5), o.act(1, 1, 16, 8))
    yield case("3x3 of multiplier 2", o.act(1, 9, 7, 3), (3, 3), o.act(1, 9, 7, 6))
    if kind != "INT4":
        yield case("3x3 of one channel", o.act(1, 9, 8, 1), (3, 3), o.act(1, 9, 8, 8))
        yield case("10x8 of one channel", o.act(1, 12, 9, 1), (10, 8), o.act(1, 6, 5, 8),
                   strideW=2, strideH=2)  # fmt: skip
        yield case("1x1 of one channel", o.act(1, 5, 5, 1), (1, 1), o.act(1, 5, 5, 4))
    yield case("3x3 dilated", o.act(1, 9, 7, 4), (3, 3), o.act(1, 9, 7, 4),
               dilationWFactor=2, dilationHFactor=2)  # fmt: skip
    yield case("3x3 of two images", o.act(2, 6, 6, 4), (3, 3), o.act(2, 6, 6, 4))
    bare = [o.act(1, 9, 7, 4), constant(kind, 1, 3, 3, 4)]
    form, table = f"{kind} without bias, of one scale", "DepthwiseConv2DOptions"
    options = {**WINDOW, "depthMultiplier": 1}
    yield o.case("DEPTHWISE_CONV_2D", bare, [o.act(1, 9, 7, 4)], table, form, **options)


def _dense(o: Ops, kind: str) -> Iterator[Case]:
    def case(form: str, inputs: list[Value | None], out: Value) -> Case:
        table, name = "FullyConnectedOptions", f"{kind} {form}"
        return o.case("FULLY_CONNECTED", inputs, [out], table, name)

    yield case("of rank 2", [o.act(2, 6), constant(kind, 5, 6), o.biases(5)], o.act(2, 5))
    yield case("without bias", [o.act(1, 8), constant(kind, 5, 8), None], o.act(1, 5))
    image = o.act(1, 2, 2, 3)
    yield case("of an image", [image, constant(kind, 5, 12), o.biases(5)], o.act(1, 5))
    for depth, rank in product((6, 8), (3, 4)):
        shape = (1, 3) if rank == 3 else (1, 2, 3)
        inputs = [o.act(*shape, depth), constant(kind, 5, depth), o.biases(5)]
        yield case(f"of rank {rank} and depth {depth}", inputs, o.act(*shape, 5))
    if kind == "INT4":
        return
    summed = Value((5,), o.bias, (0.25,) if o.dtype != "FLOAT32" else ())
    yield case("with a moving bias", [o.act(2, 8), constant(kind, 5, 8), summed], o.act(2, 5))
    if o.dtype != "INT16":
        yield from _moving_weights(o, case)
    if o.dtype == "FLOAT32":
        return
    inputs = [o.act(2, 8), constant(kind, 5, 8, scales=5), o.biases(5, 5)]
    yield case("per channel", inputs, o.act(2, 5))
    for depth in (6, 8):
        inputs = [o.act(1, 2, depth), constant(kind, 5, depth, scales=5), None]
        yield case(f"per channel, of rank 3 and depth {depth}", inputs, o.act(1, 2, 5))


def _moving_weights(
    o: Ops, case: Callable[[str, list[Value | None], Value], Case]
) -> Iterator[Case]:
    moving = o.act(5, 8)
    yield case("of activations", [o.act(2, 8), moving, None], o.act(2, 5))
    yield case("of activations with bias", [o.act(2, 8), moving, o.biases(5)], o.act(2, 5))
    yield case("of activations of rank 3", [o.act(1, 2, 8), moving, None], o.act(1, 2, 5))
    yield case("of activations of rank 3 and depth 6", [o.act(1, 2, 6), o.act(5, 6), None],
               o.act(1, 2, 5))  # fmt: skip


def _upsamplings(o: Ops) -> Iterator[Case]:
    options = {"strideW": 2, "strideH": 2}
    for bias in ("INT64", "INT16") if o.dtype == "INT16" else (o.bias,):
        biases = constant(bias, 5, scales=5, scale=0.25)
        filters = constant(o.weight, 5, 2, 2, 3, scales=5)
        upsampled = [indices(1, 8, 8, 5), filters, o.act(1, 4, 4, 3), biases]
        outputs, table, form = [o.act(1, 8, 8, 5)], "TransposeConvOptions", f"with {bias} bias"
        yield o.case("TRANSPOSE_CONV", upsampled, outputs, table, form, **options)
    for channels, taps, stride in ((20, 3, 2), (16, 3, 2), (17, 2, 3), (4, 5, 1)):
        size = 4 * stride
        filters = constant(o.weight, 5, taps, taps, channels, scales=5)
        image, biases = o.act(1, 4, 4, channels), o.biases(5, 5)
        upsampled = [indices(1, size, size, 5), filters, image, biases]
        form = f"{taps}x{taps} of {channels} channels, stride {stride}"
        options = {"strideW": stride, "strideH": stride}
        outputs, table = [o.act(1, size, size, 5)], "TransposeConvOptions"
        yield o.case("TRANSPOSE_CONV", upsampled, outputs, table, form, **options)


def stateful(o: Ops) -> Iterator[Case]:
    if o.dtype != "INT16":
        for state in ("INT8", "INT16") if o.dtype == "INT8" else ("FLOAT32",):
            features, time = constant(o.weight, 4, 3), constant(state, 4, 5)
            rest = [features, time, o.biases(2), variable(state, 2, 20)]
            form, outputs = f"with {state} state", [o.act(2, 2)]
            yield o.case("SVDF", [o.act(2, 3), *rest], outputs, "SVDFOptions", form, rank=2)
        rest = [constant(o.weight, 6, 3), constant(o.state, 6, 5), o.biases(6)]
        inputs = [o.act(1, 3), *rest, variable(o.state, 1, 30)]
        yield o.case("SVDF", inputs, [o.act(1, 6)], "SVDFOptions", "of rank 1", rank=1)
    op, table = "UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTMOptions"
    for batch, hidden, major in ((2, 6, False), (2, 6, True), (1, 20, False), (3, 5, False)):
        gates = [constant(o.weight, hidden, 3)] * 4 + [constant(o.weight, hidden, hidden)] * 4
        states = [variable(o.dtype, batch, hidden), variable(o.state, batch, hidden, scale=2**-11)]
        rest = [*gates, *[None] * 3, *[o.biases(hidden)] * 4, *[None] * 2, *states, *[None] * 4]
        ends = (4, batch) if major else (batch, 4)
        options: dict[str, Any] = {"fusedActivationFunction": 4, "timeMajor": major}
        form = f"of {hidden} units, batch {batch}{', time major' if major else ''}"
        inputs, outputs = [o.act(*ends, 3), *rest], [o.act(*ends, hidden)]
        yield o.case(op, inputs, outputs, table, form, **options)


def products(o: Ops) -> Iterator[Case]:
    for adj_x, adj_y in product((False, True), repeat=2):
        left = (5, 3) if adj_x else (3, 5)
        right = (4, 5) if adj_y else (5, 4)
        options = {"adjX": adj_x, "adjY": adj_y}
        for rank, batch in ((2, ()), (3, (2,)), (4, (2, 3))):
            inputs, outputs = [o.act(*batch, *left), o.act(*batch, *right)], [o.act(*batch, 3, 4)]
            form = f"of rank {rank}, x{adj_x:d} y{adj_y:d}"
            yield o.case("BATCH_MATMUL", inputs, outputs, "BatchMatMulOptions", form, **options)
        outputs, form = [o.act(2, 3, 4)], f"by a constant, x{adj_x:d} y{adj_y:d}"
        inputs = [o.act(2, *left), constant(o.dtype, *right)]
        yield o.case("BATCH_MATMUL", inputs, outputs, "BatchMatMulOptions", form, **options)
