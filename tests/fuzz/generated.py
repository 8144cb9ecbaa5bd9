"""Random graphs over all ops: sound for the most part, of a few ops each, one per seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import prod
from typing import Any

from ai_edge_litert import schema_py_generated as fb
from fuzz.sketch import SAME, VALID, Shape, Sketch

from splitopt.runtime.model_builder import ModelBuilder

_MOST_ELEMENTS = 1 << 15

UNARY = (
    "ABS CEIL COS ELU EXP FLOOR HARD_SWISH LEAKY_RELU LOG LOGICAL_NOT LOGISTIC LOG_SOFTMAX NEG "
    "L2_NORMALIZATION RELU RELU6 ROUND RSQRT SIN SOFTMAX SQRT SQUARE TANH ZEROS_LIKE QUANTIZE"
).split()
BINARY = (
    "ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD PRELU LOGICAL_AND "
    "LOGICAL_OR EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL"
).split()
REDUCTIONS = "MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_ALL".split()
COMPARISONS = frozenset("EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL".split())

Maker = Callable[[Sketch, int, Shape], None]


def _windowed(sketch: Sketch, source: int, shape: Shape) -> None:
    chance = sketch.chance
    batch, rows, columns, channels = shape
    kernel = [chance.choice((1, 1, 2, 3, 5)) for _ in range(2)]
    stride, padding = (
        [chance.choice((1, 1, 2, 3)) for _ in range(2)],
        chance.choice((SAME, VALID)),
    )
    name = chance.choice(
        ("CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
    )
    dilation = [1, 1]
    if name.endswith("POOL_2D"):
        options = fb.Pool2DOptionsT()
        options.filterHeight, options.filterWidth = kernel
        inputs, outputs = [source], channels
    elif name == "CONV_2D":
        options, outputs = fb.Conv2DOptionsT(), chance.choice((1, 3, 4, 8))
        groups = chance.choice([g for g in (1, 1, 2, 4) if not channels % g and not outputs % g])
        weights = sketch.weights([outputs, *kernel, channels // groups], outputs, 0)
        inputs = [source, weights, sketch.bias(outputs)]
    else:
        options, multiplier = fb.DepthwiseConv2DOptionsT(), chance.choice((1, 1, 2))
        outputs, options.depthMultiplier = channels * multiplier, multiplier
        inputs = [source, sketch.weights([1, *kernel, outputs], outputs, 3), sketch.bias(outputs)]
    if not name.endswith("POOL_2D"):
        dilation = [chance.choice((1, 1, 1, 2)) for _ in range(2)]
        options.dilationHFactor, options.dilationWFactor = dilation
    options.strideH, options.strideW, options.padding = *stride, padding
    options.fusedActivationFunction = chance.randrange(4)
    extents = sketch.extents((rows, columns), kernel, stride, padding, dilation)
    if min(extents) < 1:
        return
    sketch.op(name, inputs, [batch, *extents, outputs], options)


def _transpose_conv(sketch: Sketch, source: int, shape: Shape) -> None:
    batch, rows, columns, channels = shape
    stride, outputs, options = sketch.chance.choice((1, 2)), 4, fb.TransposeConvOptionsT()
    options.strideH = options.strideW = stride
    options.padding = SAME
    result = [batch, rows * stride, columns * stride, outputs]
    weights = sketch.weights([outputs, 3, 3, channels], outputs, 0)
    sketch.op("TRANSPOSE_CONV", [sketch.numbers(result), weights, source], result, options)


def _resize(sketch: Sketch, source: int, shape: Shape) -> None:
    batch, rows, columns, channels = shape
    name = sketch.chance.choice(("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"))
    kind = fb.ResizeBilinearOptionsT if "BILINEAR" in name else fb.ResizeNearestNeighborOptionsT
    options = kind()
    options.halfPixelCenters = sketch.chance.random() < 0.5
    options.alignCorners = sketch.chance.random() < 0.2
    size = [rows * sketch.chance.choice((1, 2, 3)), columns * 2]
    sketch.op(name, [source, sketch.numbers(size)], [batch, *size, channels], options)


def _pad(sketch: Sketch, source: int, shape: Shape) -> None:
    name = sketch.chance.choice(("PAD", "PADV2", "MIRROR_PAD"))
    most = [min(2, n - 1) if name == "MIRROR_PAD" else 2 for n in shape]
    amounts = [[sketch.chance.randint(0, n), sketch.chance.randint(0, n)] for n in most]
    flat = [amount for pair in amounts for amount in pair]
    inputs = [source, sketch.numbers(flat, [len(shape), 2])]
    if name == "PADV2":
        inputs.append(sketch.constant([1], sketch.dtype))
    options = fb.MirrorPadOptionsT() if name == "MIRROR_PAD" else None
    sketch.op(
        name, inputs, [n + sum(pair) for n, pair in zip(shape, amounts, strict=True)], options
    )


def _dense(sketch: Sketch, source: int, shape: Shape) -> None:
    outputs, options = sketch.chance.choice((1, 5, 8)), fb.FullyConnectedOptionsT()
    options.keepNumDims = len(shape) != 2
    depth = shape[-1]
    weights = sketch.weights([outputs, depth], outputs, 0)
    result = [*shape[:-1], outputs]
    sketch.op("FULLY_CONNECTED", [source, weights, sketch.bias(outputs)], result, options)


def _matmul(sketch: Sketch, source: int, shape: Shape) -> None:
    options = fb.BatchMatMulOptionsT()
    options.adjY = sketch.chance.random() < 0.5
    options.adjX = False
    if len(shape) < 2:
        return
    *batch, _, depth = shape
    other = [*batch, 3, depth] if options.adjY else [*batch, depth, 3]
    right = sketch.constant(other, sketch.dtype)
    sketch.op("BATCH_MATMUL", [source, right], [*shape[:-1], 3], options)


def _unary(sketch: Sketch, source: int, shape: Shape) -> None:
    name = sketch.chance.choice(UNARY)
    options: Any = None
    if name == "SOFTMAX":
        options = fb.SoftmaxOptionsT()
        options.beta = 1.0
    elif name == "LEAKY_RELU":
        options = fb.LeakyReluOptionsT()
        options.alpha = 0.1
    sketch.op(name, [source], shape, options)


def _binary(sketch: Sketch, source: int, shape: Shape) -> None:
    name = sketch.chance.choice(BINARY)
    same = [tensor for tensor, other in sketch.live if other == shape and sketch.is_common(tensor)]
    narrow = [n if sketch.chance.random() < 0.5 else 1 for n in shape]
    other = sketch.chance.choice((*same, sketch.constant(narrow, sketch.dtype)))
    kind = {"ADD": fb.AddOptionsT, "SUB": fb.SubOptionsT, "MUL": fb.MulOptionsT,
            "DIV": fb.DivOptionsT}.get(name)  # fmt: skip
    pair = [source, other] if sketch.chance.random() < 0.8 else [other, source]
    options = None if kind is None else kind()
    sketch.op(name, pair, shape, options, "BOOL" if name in COMPARISONS else None)


def _reduce(sketch: Sketch, source: int, shape: Shape) -> None:
    axes = sorted(sketch.chance.sample(range(len(shape)), sketch.chance.randint(1, len(shape))))
    options = fb.ReducerOptionsT()
    options.keepDims = sketch.chance.random() < 0.5
    kept = [1 if axis in axes else n for axis, n in enumerate(shape)]
    result = kept if options.keepDims else [n for axis, n in enumerate(shape) if axis not in axes]
    name = sketch.chance.choice(REDUCTIONS)
    sketch.op(name, [source, sketch.numbers(axes)], result, options)


def _reshape(sketch: Sketch, source: int, shape: Shape) -> None:
    total = prod(shape)
    depth = sketch.chance.choice([d for d in (1, 2, 4, 8) if not total % d])
    result = sketch.chance.choice(([1, total], [1, total // depth, depth],
                                   [1, total // depth, 1, depth]))  # fmt: skip
    options = fb.ReshapeOptionsT()
    options.newShape = result
    sketch.op("RESHAPE", [source, sketch.numbers(result)], result, options)


def _transpose(sketch: Sketch, source: int, shape: Shape) -> None:
    order = list(range(len(shape)))
    sketch.chance.shuffle(order)
    sketch.op("TRANSPOSE", [source, sketch.numbers(order)], [shape[axis] for axis in order])


def _concatenate(sketch: Sketch, source: int, shape: Shape) -> None:
    axis, options = sketch.chance.randrange(len(shape)), fb.ConcatenationOptionsT()
    options.axis = sketch.chance.choice((axis, axis - len(shape)))
    same = [tensor for tensor, other in sketch.live if other == shape]
    same = [tensor for tensor in same if sketch.is_common(tensor)] or [source]
    inputs = [source, *sketch.chance.choices(same, k=sketch.chance.randint(1, 2))]
    result = [n * len(inputs) if at == axis else n for at, n in enumerate(shape)]
    name = sketch.chance.choice(("CONCATENATION", "CONCATENATION", "PACK", "ADD_N"))
    if name == "PACK":
        packing = fb.PackOptionsT()
        packing.axis, packing.valuesCount = axis, len(inputs)
        sketch.op("PACK", inputs, [*shape[:axis], len(inputs), *shape[axis:]], packing)
    elif name == "ADD_N":
        sketch.op("ADD_N", inputs, shape)
    else:
        sketch.op("CONCATENATION", inputs, result, options)


def _split(sketch: Sketch, source: int, shape: Shape) -> None:
    axis = sketch.chance.randrange(len(shape))
    name = sketch.chance.choice(("SPLIT", "SPLIT_V", "UNPACK"))
    parts = shape[axis] if name == "UNPACK" else 2
    if (name != "UNPACK" and shape[axis] % 2) or not 0 < parts < 12:
        return
    without = [*shape[:axis], *shape[axis + 1 :]]
    half = [n // 2 if at == axis else n for at, n in enumerate(shape)]
    results = [sketch.activation(without if name == "UNPACK" else half) for _ in range(parts)]
    if name == "UNPACK":
        options = fb.UnpackOptionsT()
        options.num, options.axis = parts, axis
        inputs = [source]
    elif name == "SPLIT":
        options = fb.SplitOptionsT()
        options.numSplits = parts
        inputs = [sketch.numbers([axis], []), source]
    else:
        options = fb.SplitVOptionsT()
        options.numSplits = parts
        sizes = sketch.numbers([shape[axis] // 2] * 2)
        inputs = [source, sizes, sketch.numbers([axis], [])]
    sketch.builder.op(name, inputs, results, options)


def _slice(sketch: Sketch, source: int, shape: Shape) -> None:
    begin = [sketch.chance.randrange(n) if n else 0 for n in shape]
    size = [sketch.chance.randint(1, max(1, n - b)) for n, b in zip(shape, begin, strict=True)]
    if sketch.chance.random() < 0.5:
        sketch.op("SLICE", [source, sketch.numbers(begin), sketch.numbers(size)], size)
        return
    end = [b + n for b, n in zip(begin, size, strict=True)]
    inputs = [source, *map(sketch.numbers, (begin, end, [1] * len(shape)))]
    sketch.op("STRIDED_SLICE", inputs, size, fb.StridedSliceOptionsT())


def _gather(sketch: Sketch, source: int, shape: Shape) -> None:
    axis, options = sketch.chance.randrange(len(shape)), fb.GatherOptionsT()
    options.axis = axis
    result = [2 if at == axis else n for at, n in enumerate(shape)]
    sketch.op("GATHER", [source, sketch.numbers([0, max(0, shape[axis] - 1)])], result, options)


def _shapes(sketch: Sketch, source: int, shape: Shape) -> None:
    name = sketch.chance.choice(
        ("EXPAND_DIMS", "SQUEEZE", "SHAPE", "ARG_MAX", "ARG_MIN", "CAST", "DEQUANTIZE",
         "BROADCAST_TO", "REVERSE_V2", "CUMSUM")
    )  # fmt: skip
    axis = sketch.chance.randrange(len(shape))
    at = sketch.numbers([axis])
    if name == "EXPAND_DIMS":
        sketch.op(name, [source, at], [*shape[:axis], 1, *shape[axis:]], fb.ExpandDimsOptionsT())
    elif name == "SQUEEZE":
        options = fb.SqueezeOptionsT()
        options.squeezeDims = [k for k, n in enumerate(shape) if n == 1]
        sketch.op(name, [source], [n for n in shape if n != 1], options)
    elif name == "SHAPE":
        sketch.op(name, [source], [len(shape)], fb.ShapeOptionsT(), "INT32")
    elif name in ("ARG_MAX", "ARG_MIN"):
        kind = fb.ArgMaxOptionsT if name == "ARG_MAX" else fb.ArgMinOptionsT
        options = kind()
        options.outputType = fb.TensorType.INT32
        sketch.op(name, [source, at], [*shape[:axis], *shape[axis + 1 :]], options, "INT32")
    elif name in ("CAST", "DEQUANTIZE"):
        sketch.op(name, [source], shape, None, "FLOAT32")
    elif name == "BROADCAST_TO":
        wider = [3 if n == 1 else n for n in shape]
        sketch.op(name, [source, sketch.numbers(wider)], wider)
    else:
        sketch.op(name, [source, at], shape)


def _blocks(sketch: Sketch, source: int, shape: Shape) -> None:
    batch, rows, columns, channels = shape
    fits_space, fits_depth = not rows % 2 and not columns % 2, not channels % 4
    fits_batch = not batch % 4
    if fits_space and sketch.chance.random() < 0.5:
        options = fb.SpaceToDepthOptionsT()
        options.blockSize = 2
        sketch.op("SPACE_TO_DEPTH", [source], [batch, rows // 2, columns // 2, channels * 4],
                  options)  # fmt: skip
    elif fits_depth and sketch.chance.random() < 0.5:
        options = fb.DepthToSpaceOptionsT()
        options.blockSize = 2
        sketch.op("DEPTH_TO_SPACE", [source], [batch, rows * 2, columns * 2, channels // 4],
                  options)  # fmt: skip
    elif fits_space or fits_batch:
        name = "SPACE_TO_BATCH_ND" if fits_space else "BATCH_TO_SPACE_ND"
        inputs = [source, sketch.numbers([2, 2]), sketch.numbers([0] * 4, [2, 2])]
        result = ([batch * 4, rows // 2, columns // 2, channels] if fits_space
                  else [batch // 4, rows * 2, columns * 2, channels])  # fmt: skip
        sketch.op(name, inputs, result)


def _recurrent(sketch: Sketch, source: int, shape: Shape) -> None:
    """SVDF on [batch, depth], its state a variable."""
    if len(shape) != 2:
        return
    batch, depth = shape
    units, rank, memory, options = 2, 1, 3, fb.SVDFOptionsT()
    options.rank = rank
    state = sketch.builder.tensor([batch, memory * units], "INT8", scales=(0.1,))
    sketch.builder.graph.tensors[state].isVariable = True
    inputs = [source, sketch.constant([units, depth], "INT8"),
              sketch.constant([units, memory], "INT8"), -1, state]  # fmt: skip
    sketch.op("SVDF", inputs, [batch, units], options)


ON_MAPS: tuple[Maker, ...] = (_windowed,) * 5 + (_transpose_conv, _resize, _resize, _blocks, _pad)
ON_ANY: tuple[Maker, ...] = (
    _pad, _dense, _matmul, _unary, _unary, _binary, _binary, _binary, _reduce, _reshape,
    _transpose, _concatenate, _split, _slice, _gather, _shapes, _recurrent,
)  # fmt: skip


def generated(seed: int) -> ModelBuilder:
    """A model of up to a dozen ops; its last tensors are the outputs. Few models are refused."""
    chance = random.Random(seed)
    dtype = chance.choices(("INT8", "INT16", "FLOAT32", "UINT8", "INT32"), (16, 2, 3, 1, 1))[0]
    sketch = Sketch(chance, dtype, zero_point=chance.choice((0, 3, -128)))
    size = chance.choice((4, 6, 8, 9, 16))
    first = [1, size, chance.choice((1, 4, size)), chance.choice((1, 2, 4, 8))]
    inputs = [sketch.activation(first) for _ in range(chance.choice((1, 1, 1, 2)))]
    for _ in range(chance.choice((1, 2, 4, 8, 12))):
        common = [it for it in sketch.live if sketch.is_common(it[0])]
        source, shape = chance.choice((common if chance.random() < 0.9 else sketch.live)[-3:])
        makers = ON_MAPS + ON_ANY if len(shape) == 4 else ON_ANY
        if shape and all(shape) and prod(shape) <= _MOST_ELEMENTS:
            chance.choice(makers)(sketch, source, shape)
    graph = sketch.builder.graph
    made = [int(tensor) for op in graph.operators for tensor in op.outputs]
    read = {int(tensor) for op in graph.operators for tensor in op.inputs}
    graph.inputs = inputs
    graph.outputs = [tensor for tensor in made if tensor not in read]
    return sketch.builder
