"""Recorded shapes against what ops make of their inputs, as LiteRT infers them itself."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from builder import Builder
from single_ops import Const, Operand, Shape, SingleOp, model_of

from splitopt.base.errors import ModelError
from splitopt.graph.shape_inference import inferred_shapes
from splitopt.graph.tflite_reader import parse_tflite

_CASES = 25
Draw = random.Random
Made = tuple[str, list[Operand], Any, dict[str, Any], int]


def _image(draw: Draw, channels: int = 2) -> Shape:
    return (draw.randint(1, 2), draw.randint(3, 9), draw.randint(3, 9), channels)


def _shape(draw: Draw, rank: int | None = None) -> Shape:
    return tuple(draw.randint(1, 4) for _ in range(rank or draw.randint(1, 4)))


def _window(draw: Draw) -> dict[str, int]:
    return {
        "padding": draw.randint(0, 1), "strideH": draw.randint(1, 3), "strideW": draw.randint(1, 3)
    }  # fmt: skip


def _dilated(draw: Draw) -> dict[str, int]:
    dilations = {"dilationHFactor": draw.randint(1, 2), "dilationWFactor": draw.randint(1, 2)}
    return {**_window(draw), **dilations}


def _floats(*shape: int) -> Const:
    return Const([0.5], shape)


def _words(values: Sequence[int], *shape: int) -> Const:
    return Const(values, shape or (len(values),))


def convolution(draw: Draw) -> Made:
    filter_ = _floats(3, draw.randint(1, 2), draw.randint(1, 2), 2)
    return "CONV_2D", [_image(draw), filter_, _floats(3)], fb.Conv2DOptionsT, _dilated(draw), 1


def depthwise(draw: Draw) -> Made:
    times = draw.randint(1, 2)
    inputs = [_image(draw), _floats(1, 2, draw.randint(1, 2), 2 * times), _floats(2 * times)]
    fields = {**_dilated(draw), "depthMultiplier": times}
    return "DEPTHWISE_CONV_2D", inputs, fb.DepthwiseConv2DOptionsT, fields, 1


def pool(draw: Draw) -> Made:
    kind = draw.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"])
    size = {"filterHeight": draw.randint(1, 3), "filterWidth": draw.randint(1, 3)}
    return kind, [_image(draw)], fb.Pool2DOptionsT, {**_window(draw), **size}, 1


def dense(draw: Draw) -> Made:
    depth = draw.randint(1, 5)
    inputs = [(draw.randint(1, 3), depth), _floats(4, depth), _floats(4)]
    return "FULLY_CONNECTED", inputs, fb.FullyConnectedOptionsT, {}, 1


def matrices(draw: Draw) -> Made:
    x, y, (rows, depth, columns) = draw.random() < 0.5, draw.random() < 0.5, _shape(draw, 3)
    left = (2, depth, rows) if x else (2, rows, depth)
    right = (draw.choice([1, 2]), *((columns, depth) if y else (depth, columns)))
    return "BATCH_MATMUL", [left, right], fb.BatchMatMulOptionsT, {"adjX": x, "adjY": y}, 1


def to_batch(draw: Draw) -> Made:
    block = [draw.randint(1, 3), draw.randint(1, 3)]
    image = _image(draw)
    above = [draw.randint(0, 2), draw.randint(0, 2)]
    below = [-(image[1 + k] + above[k]) % block[k] for k in (0, 1)]
    ends = [above[0], below[0], above[1], below[1]]
    return "SPACE_TO_BATCH_ND", [image, _words(block), _words(ends, 2, 2)], None, {}, 1


def to_space(draw: Draw) -> Made:
    block = [draw.randint(1, 3), draw.randint(1, 3)]
    image = (prod(block) * draw.randint(1, 2), draw.randint(3, 4), draw.randint(3, 4), 2)
    crops = [draw.randint(0, 1) for _ in range(4)]
    return "BATCH_TO_SPACE_ND", [image, _words(block), _words(crops, 2, 2)], None, {}, 1


def to_depth(draw: Draw) -> Made:
    block = draw.randint(1, 3)
    image = (1, block * draw.randint(1, 3), block * draw.randint(1, 3), 2)
    return "SPACE_TO_DEPTH", [image], fb.SpaceToDepthOptionsT, {"blockSize": block}, 1


def from_depth(draw: Draw) -> Made:
    block = draw.randint(1, 3)
    image = (1, *_shape(draw, 2), block * block * draw.randint(1, 3))
    return "DEPTH_TO_SPACE", [image], fb.DepthToSpaceOptionsT, {"blockSize": block}, 1


def addition(draw: Draw) -> Made:
    shape = _shape(draw, 3)
    thin = tuple(draw.choice([1, extent]) for extent in shape)
    return "ADD", [shape, thin[draw.randint(0, 1) :]], fb.AddOptionsT, {}, 1


def joined(draw: Draw) -> Made:
    shape = list(_shape(draw))
    axis = draw.randrange(len(shape))
    inputs = [(*shape[:axis], draw.randint(1, 3), *shape[axis + 1 :]) for _ in range(3)]
    fields = {"axis": axis - draw.choice([0, len(shape)])}
    return "CONCATENATION", [*inputs], fb.ConcatenationOptionsT, fields, 1


def stacked(draw: Draw) -> Made:
    shape, count = _shape(draw, 3), draw.randint(1, 3)
    fields = {"axis": draw.randint(-4, 3), "valuesCount": count}
    return "PACK", [shape] * count, fb.PackOptionsT, fields, 1


def unstacked(draw: Draw) -> Made:
    shape = _shape(draw, 3)
    axis = draw.randrange(3)
    return "UNPACK", [shape], fb.UnpackOptionsT, {"axis": axis, "num": shape[axis]}, shape[axis]


def halves(draw: Draw) -> Made:
    axis, count = draw.randrange(3), draw.randint(1, 3)
    shape = [*_shape(draw, 3)]
    shape[axis] *= count
    inputs: list[Operand] = [Const([axis], ()), tuple(shape)]
    return "SPLIT", inputs, fb.SplitOptionsT, {"numSplits": count}, count


def parts(draw: Draw) -> Made:
    sizes = [draw.randint(1, 3) for _ in range(3)]
    shape = (2, sum(sizes), 3)
    if draw.random() < 0.5:
        sizes[draw.randrange(3)] = -1
    inputs: list[Operand] = [shape, _words(sizes), Const([1], ())]
    return "SPLIT_V", inputs, fb.SplitVOptionsT, {"numSplits": 3}, 3


def mean(draw: Draw) -> Made:
    shape = _shape(draw, 3)
    axes = draw.sample(range(3), draw.randint(1, 2))
    keeps = {"keepDims": draw.random() < 0.5}
    return "MEAN", [shape, _words(axes)], fb.ReducerOptionsT, keeps, 1


def padded(draw: Draw) -> Made:
    shape = _shape(draw)
    ends = [draw.randint(0, 3) for _ in range(2 * len(shape))]
    return "PAD", [shape, _words(ends, len(shape), 2)], None, {}, 1


def transposed(draw: Draw) -> Made:
    shape = _shape(draw)
    perm = draw.sample(range(len(shape)), len(shape))
    return "TRANSPOSE", [shape, _words(perm)], None, {}, 1


def resized(draw: Draw) -> Made:
    size = _words([draw.randint(1, 9), draw.randint(1, 9)])
    return "RESIZE_BILINEAR", [_image(draw), size], fb.ResizeBilinearOptionsT, {}, 1


def strided(draw: Draw) -> Made:
    shape = (5, 6, 3)
    strides = [draw.choice([1, 2, -1]) for _ in shape]
    begin = [draw.randint(-e, e - 1) for e in shape]
    end = [draw.randint(-e - 1, e + 1) for e in shape]
    masks = {mask: draw.randrange(8) for mask in ("beginMask", "endMask")}
    shrink = {"shrinkAxisMask": draw.choice([0, 0, 1, 2])}
    for axis in range(3):
        if shrink["shrinkAxisMask"] >> axis & 1:
            strides[axis] = 1
    inputs: list[Operand] = [shape, _words(begin), _words(end), _words(strides)]
    return "STRIDED_SLICE", inputs, fb.StridedSliceOptionsT, {**masks, **shrink}, 1


def gathered(draw: Draw) -> Made:
    shape = _shape(draw, 3)
    index = _words([0, 0], *draw.choice([(2,), (1, 2)]))
    return "GATHER", [shape, index], fb.GatherOptionsT, {"axis": draw.randrange(3)}, 1


def expanded(draw: Draw) -> Made:
    return "EXPAND_DIMS", [_shape(draw, 2), Const([draw.randint(-3, 2)], ())], None, {}, 1


def _conv(channels: int = 2, biases: int = 3, **fields: int) -> SingleOp:
    inputs = [(1, 4, 4, channels), _floats(3, 1, 1, 2), _floats(biases)]
    return SingleOp(
        inputs, [(1, 4, 4, 3)], fb.Conv2DOptionsT, {"strideH": 1, "strideW": 1, **fields}
    )


GENERATORS: tuple[Callable[[Draw], Made], ...] = (
    convolution, depthwise, pool, dense, matrices, to_batch, to_space, to_depth, from_depth,
    addition, joined, stacked, unstacked, halves, parts, mean, padded, transposed, resized, strided,
    gathered, expanded,
)  # fmt: skip


def _form(name: str, inputs: Sequence[Operand], outputs: int) -> str:
    """Float data, int32 indices."""
    floats = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    letters = [
        "i" if isinstance(operand, Const) and name not in floats else "f" for operand in inputs
    ]
    return f"{''.join(letters)}>{'f' * outputs}"


def _by_litert(data: bytes) -> list[Shape]:
    interpreter = Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    return [tuple(map(int, out["shape"])) for out in interpreter.get_output_details()]


def _doubled(shape: Shape) -> Shape:
    return (*shape[:-1], 2 * shape[-1]) if shape else (2,)


def _wide(shape: Shape) -> Shape:
    return tuple(extent for extent in shape if extent != 1)


@pytest.mark.parametrize("make", GENERATORS, ids=lambda make: make.__name__)
def test_shapes_are_inferred_as_litert_infers_them(make: Callable[[Draw], Made]) -> None:
    draw, judged = random.Random(make.__name__), 0
    for _ in range(_CASES):
        name, inputs, options, fields, outputs = make(draw)
        op = SingleOp(inputs, [(1,)] * outputs, options, fields)
        made = _by_litert(model_of(name, op, _form(name, inputs, outputs)))
        if 0 in map(prod, made):
            continue
        judged += 1
        true = SingleOp(inputs, made, options, fields)
        graph = parse_tflite(model_of(name, true, _form(name, inputs, outputs)), name="m")
        inferred = inferred_shapes(graph, graph.ops[0])
        assert inferred is not None
        assert [*map(_wide, inferred)] == [*map(_wide, made)], (inputs, fields)
        wrong = SingleOp(inputs, [*map(_doubled, made)], options, fields)
        with pytest.raises(ModelError, match=f"op 0 {name} holds {2 * prod(made[0])} elements"):
            parse_tflite(model_of(name, wrong, _form(name, inputs, outputs)), name="m")
    assert judged > _CASES // 3


def test_a_slice_is_as_large_as_numpy_makes_it() -> None:
    draw = random.Random(0)
    for _ in range(_CASES):
        shape = _shape(draw)
        begin = [draw.randrange(extent) for extent in shape]
        size = [
            draw.choice([-1, draw.randint(1, e - b)]) for e, b in zip(shape, begin, strict=True)
        ]
        cut = tuple(slice(b, b + s if s > 0 else None) for b, s in zip(begin, size, strict=True))
        made = np.empty(shape)[cut].shape
        inputs: list[Operand] = [shape, _words(begin), _words(size)]
        parse_tflite(model_of("SLICE", SingleOp(inputs, [made]), "fii>f"), name="m")
        with pytest.raises(ModelError, match="op 0 SLICE holds"):
            parse_tflite(model_of("SLICE", SingleOp(inputs, [_doubled(made)]), "fii>f"), name="m")


def test_a_batch_left_open_at_conversion_is_named_with_both_counts() -> None:
    """[1, 68, 8] in blocks of 2 is [2, 34, 8]; the converter wrote the batch down as 1."""
    builder = Builder()
    source, made = builder.tensor((1, 68, 8)), builder.tensor((1, 34, 8))
    block = builder.typed((1,), "INT32", data=b"\2\0\0\0")
    ends = builder.typed((1, 2), "INT32", data=bytes(8))
    builder.op("SPACE_TO_BATCH_ND", [source, block, ends], [made])
    says = "op 0 SPACE_TO_BATCH_ND holds 272 elements, its input and block make 544; "
    with pytest.raises(ModelError, match=says + "the recorded shape cannot be true, convert the m"):
        parse_tflite(builder.bytes([source], [made]), name="m")
    builder.graph.tensors[source].shapeSignature = [-1, 68, 8]
    open_ = (
        r"converted with an unknown batch size \(shape_signature -1\), convert again with batch 1"
    )
    with pytest.raises(ModelError, match=says + open_):
        parse_tflite(builder.bytes([source], [made]), name="m")


WRONG: dict[str, tuple[str, SingleOp, str]] = {
    "stride": ("CONV_2D", _conv(strideH=0), "strideH 0, want 1 or more"),
    "dilation": ("CONV_2D", _conv(dilationWFactor=0), "dilationWFactor 0, want 1 or more"),
    "padding": ("CONV_2D", _conv(padding=7), "padding 7, want SAME or VALID"),
    "channels": ("CONV_2D", _conv(channels=3), "its filter reads 2 channels, its image has 3"),
    "biases": ("CONV_2D", _conv(biases=4), "4 biases for 3 channels"),
    "filter": (
        "MAX_POOL_2D",
        SingleOp([(1, 4, 4, 2)], [(1, 4, 4, 2)], fb.Pool2DOptionsT, {"strideH": 1, "strideW": 1}),
        "a filter of 0 x 0",
    ),
    "perm": (
        "TRANSPOSE",
        SingleOp([(2, 3), Const([1, 1])], [(3, 2)]),
        "[1, 1] is no permutation of 2 axes",
    ),
    "axis": (
        "CONCATENATION",
        SingleOp([(2, 3), (2, 3)], [(2, 6)], fb.ConcatenationOptionsT, {"axis": 5}),
        "axis 5, of a tensor of rank 2",
    ),
    "block": (
        "SPACE_TO_BATCH_ND",
        SingleOp([(1, 4, 4, 1), Const([2, 0]), Const([0] * 4, (2, 2))], [(1, 4, 4, 1)]),
        "a block of [2, 0]",
    ),
    "blockSize": (
        "DEPTH_TO_SPACE",
        SingleOp([(1, 2, 2, 4)], [(1, 2, 2, 4)], fb.DepthToSpaceOptionsT, {"blockSize": 0}),
        "blockSize 0, want 1 or more",
    ),
    "strides": (
        "STRIDED_SLICE",
        SingleOp([(4,), Const([0]), Const([4]), Const([0])], [(4,)], fb.StridedSliceOptionsT),
        "strides [0], want none of 0",
    ),
    "do not broadcast": (
        "ADD",
        SingleOp([(2, 3), (2, 4)], [(2, 4)], fb.AddOptionsT),
        "shapes [2, 3], [2, 4] do not broadcast",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_attributes_that_kernels_divide_by_or_index_with_are_sound(name: str) -> None:
    kind, op, says = WRONG[name]
    form = _form(kind, op.inputs, len(op.outputs))
    with pytest.raises(ModelError, match=re.escape(f"op 0 {kind}: {says}")):
        parse_tflite(model_of(kind, op, form), name="m")
