"""Models of one op each, on any element types: small, sound in all but the types.

A shape per operand; a number in place of one is an int32 constant of that value, a tuple of numbers
in a list a constant vector. Types are given as the letters of `splitopt.arena.kernel_types`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.runtime.model_builder import ModelBuilder

TYPES = {
    "f": "FLOAT32", "b": "INT8", "4": "INT4", "h": "INT16", "i": "INT32", "q": "INT64",
    "z": "BOOL", "B": "UINT8", "I": "UINT32", "e": "FLOAT16", "d": "FLOAT64",
}  # fmt: skip
_DTYPES = {
    "f": "<f4", "b": "i1", "4": "i1", "h": "<i2", "i": "<i4", "q": "<i8", "z": "i1", "B": "u1",
    "I": "<u4", "e": "<f2", "d": "<f8",
}  # fmt: skip
_QUANTISED = "b4hB"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Const:
    """A constant operand with these values; `shape` where it is no vector, `scale` of integers
    that are quantised whatever their width."""

    values: Sequence[float]
    shape: Shape | None = None
    scale: float | None = None


@dataclass(frozen=True)
class State:
    """A variable."""

    shape: Shape


Operand = Shape | Const | State


@dataclass(frozen=True)
class SingleOp:
    """Operands and options of one op; `output_scale`: of int8 and of int16, with zero points."""

    inputs: Sequence[Operand]
    outputs: Sequence[Shape]
    options: Any = None
    fields: dict[str, Any] = field(default_factory=dict)
    narrow_output: tuple[float, int] = (0.5, 0)
    wide_output: tuple[float, int] = (0.5, 0)


def model_of(name: str, op: SingleOp, form: str) -> bytes:
    """The op on the types of `form`, such as `bb>b`; `-` is an absent operand."""
    builder = ModelBuilder()
    given, made = form.split(">")
    assert len(given) <= len(op.inputs), (name, form)
    inputs = [
        -1 if letter == "-" else _operand(builder, operand, letter)
        for operand, letter in zip(op.inputs, given, strict=False)
    ]
    outputs = []
    for shape, letter in zip(op.outputs, made, strict=True):
        scale, zero = op.wide_output if letter == "h" else op.narrow_output
        scales = [scale] if letter in _QUANTISED or (name, letter) == ("QUANTIZE", "i") else []
        outputs.append(builder.tensor(shape, TYPES[letter], scales=scales, zero_point=zero))
    options = None if op.options is None else op.options()
    for key, value in op.fields.items():
        setattr(options, key, value)
    builder.op(name, inputs, outputs, options)
    feeds = [
        tensor
        for tensor, operand in zip(inputs, op.inputs, strict=False)
        if isinstance(operand, tuple) and tensor != -1
    ]
    idle = [] if feeds else [builder.tensor([1], "FLOAT32")]
    return builder.bytes([*feeds, *idle], outputs)


def _operand(builder: ModelBuilder, operand: Operand, letter: str) -> int:
    scales = [0.5] if letter in _QUANTISED else []
    if isinstance(operand, State):
        tensor = builder.tensor(operand.shape, TYPES[letter], scales=scales)
        builder.graph.tensors[tensor].isVariable = True
        return tensor
    if isinstance(operand, tuple):
        return builder.tensor(operand, TYPES[letter], scales=scales)
    if operand.scale is not None and letter != "f":
        scales = [operand.scale]
    shape = (len(operand.values),) if operand.shape is None else operand.shape
    count = int(np.prod(shape))
    values = np.resize(np.asarray(operand.values), count).astype(_DTYPES[letter])
    return builder.tensor(shape, TYPES[letter], scales=scales, data=values.tobytes())


_MAP, _ROW = (1, 4, 4, 2), (1, 4)
_HALF = (1, 2, 2, 2)


def _scalar(value: int) -> Const:
    return Const([value], ())


def _windowed(options: Any, *inputs: Operand, **fields: Any) -> SingleOp:
    return SingleOp(inputs, [_MAP], options, {"strideH": 1, "strideW": 1, **fields})


_BIAS = Const([0], (2,), 0.25)
_CONV = (_MAP, Const([1], (2, 1, 1, 2)), _BIAS)
_GATES = [Const([1], (4, 4))] * 8
_UNARY = SingleOp([_ROW], [_ROW])
_BINARY = SingleOp([_ROW, _ROW], [_ROW])
_ONES = Const([1], _ROW)
_REDUCED = SingleOp([_ROW, Const([1])], [(1,)], fb.ReducerOptionsT)
_PAIR = (Const([1, 1]), Const([0, 0, 0, 0], (2, 2)))


def _binary(options: Any) -> SingleOp:
    return SingleOp([_ROW, _ROW], [_ROW], options)


SINGLE_OPS: dict[str, SingleOp] = {
    **dict.fromkeys(
        "ABS CAST CEIL COS DEQUANTIZE EXP FLOOR HARD_SWISH LOG LOGICAL_NOT NEG QUANTIZE RELU "
        "RELU6 ROUND RSQRT SIN SQRT SQUARE ELU ZEROS_LIKE".split(),
        _UNARY,
    ),
    "TANH": SingleOp([_ROW], [_ROW], narrow_output=(1 / 128, 0), wide_output=(1 / 32768, 0)),
    "LOGISTIC": SingleOp([_ROW], [_ROW], narrow_output=(1 / 256, -128), wide_output=(1 / 32768, 0)),
    "SOFTMAX": SingleOp(
        [_ROW], [_ROW], fb.SoftmaxOptionsT, {"beta": 1.0}, (1 / 256, -128), (1 / 32768, 0)
    ),
    "LOG_SOFTMAX": SingleOp([_ROW], [_ROW], narrow_output=(16 / 256, 127)),
    "L2_NORMALIZATION": SingleOp([_ROW], [_ROW], fb.L2NormOptionsT, {}, (1 / 128, 0)),
    "LEAKY_RELU": SingleOp([_ROW], [_ROW], fb.LeakyReluOptionsT, {"alpha": 0.1}),
    "SQUEEZE": SingleOp([_ROW], [(4,)], fb.SqueezeOptionsT, {"squeezeDims": [0]}),
    "ADD": _binary(fb.AddOptionsT),
    "SUB": _binary(fb.SubOptionsT),
    "MUL": _binary(fb.MulOptionsT),
    "DIV": SingleOp([_ROW, _ONES], [_ROW], fb.DivOptionsT),
    "FLOOR_DIV": SingleOp([_ROW, _ONES], [_ROW]),
    "FLOOR_MOD": SingleOp([_ROW, _ONES], [_ROW]),
    **dict.fromkeys(
        "ADD_N EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND "
        "LOGICAL_OR MAXIMUM MINIMUM NOT_EQUAL SQUARED_DIFFERENCE PRELU".split(),
        _BINARY,
    ),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL"), _REDUCED),
    "ARG_MAX": SingleOp([_ROW, _scalar(1)], [(1,)], fb.ArgMaxOptionsT),
    "ARG_MIN": SingleOp([_ROW, _scalar(1)], [(1,)], fb.ArgMinOptionsT),
    "CUMSUM": SingleOp([_ROW, _scalar(1)], [_ROW], fb.CumsumOptionsT),
    **dict.fromkeys(
        ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"),
        _windowed(fb.Pool2DOptionsT, _MAP, filterHeight=1, filterWidth=1),
    ),
    "CONV_2D": _windowed(fb.Conv2DOptionsT, *_CONV),
    "DEPTHWISE_CONV_2D": _windowed(
        fb.DepthwiseConv2DOptionsT,
        *(_MAP, Const([1], (1, 1, 1, 2)), _BIAS),
        depthMultiplier=1,
    ),
    "TRANSPOSE_CONV": _windowed(
        fb.TransposeConvOptionsT, Const(_MAP), Const([1], (2, 1, 1, 2)), _MAP, _BIAS
    ),
    "FULLY_CONNECTED": SingleOp(
        [_ROW, Const([1], (3, 4)), Const([0], (3,), 0.25)], [(1, 3)], fb.FullyConnectedOptionsT
    ),
    "BATCH_MATMUL": SingleOp([(2, 3), (3, 4)], [(2, 4)], fb.BatchMatMulOptionsT),
    "BATCH_TO_SPACE_ND": SingleOp([_MAP, *_PAIR], [_MAP]),
    "SPACE_TO_BATCH_ND": SingleOp([_MAP, *_PAIR], [_MAP]),
    "BROADCAST_ARGS": SingleOp([(2,), (2,)], [(2,)]),
    "BROADCAST_TO": SingleOp([(1, 1), Const([1, 4])], [_ROW]),
    "CONCATENATION": SingleOp([_ROW, _ROW], [(1, 8)], fb.ConcatenationOptionsT, {"axis": 1}),
    "DEPTH_TO_SPACE": SingleOp(
        [(1, 2, 2, 4)], [(1, 4, 4, 1)], fb.DepthToSpaceOptionsT, {"blockSize": 2}
    ),
    "SPACE_TO_DEPTH": SingleOp(
        [(1, 4, 4, 1)], [(1, 2, 2, 4)], fb.SpaceToDepthOptionsT, {"blockSize": 2}
    ),
    "DYNAMIC_UPDATE_SLICE": SingleOp([_ROW, (1, 2), Const([0, 0])], [_ROW]),
    "EMBEDDING_LOOKUP": SingleOp([Const([0]), Const([1], (2, 4))], [_ROW]),
    "EXPAND_DIMS": SingleOp([_ROW, _scalar(0)], [(1, 1, 4)]),
    "FILL": SingleOp([Const([1, 4]), _scalar(1)], [_ROW]),
    "GATHER": SingleOp([_ROW, Const([0])], [_ROW], fb.GatherOptionsT),
    "GATHER_ND": SingleOp([_ROW, Const([0], (1, 1))], [_ROW]),
    "MIRROR_PAD": SingleOp(
        [_ROW, Const([0, 0, 1, 1], (2, 2))], [(1, 6)], fb.MirrorPadOptionsT
    ),
    "PAD": SingleOp([_ROW, Const([0, 0, 1, 1], (2, 2))], [(1, 6)]),
    "PADV2": SingleOp([_ROW, Const([0, 0, 1, 1], (2, 2)), Const([0])], [(1, 6)]),
    "PACK": SingleOp([_ROW, _ROW], [(2, 1, 4)], fb.PackOptionsT, {"valuesCount": 2}),
    "UNPACK": SingleOp([(2, 4)], [(4,), (4,)], fb.UnpackOptionsT, {"num": 2}),
    "RESHAPE": SingleOp([_ROW, Const([4])], [(4,)], fb.ReshapeOptionsT, {"newShape": [4]}),
    "RESIZE_BILINEAR": SingleOp([_HALF, Const([4, 4])], [_MAP], fb.ResizeBilinearOptionsT),
    "RESIZE_NEAREST_NEIGHBOR": SingleOp(
        [_HALF, Const([4, 4])], [_MAP], fb.ResizeNearestNeighborOptionsT
    ),
    "REVERSE_V2": SingleOp([_ROW, Const([1])], [_ROW]),
    "SELECT_V2": SingleOp([_ROW, _ROW, _ROW], [_ROW]),
    "SHAPE": SingleOp([_ROW], [(2,)]),
    "SLICE": SingleOp([_ROW, Const([0, 1]), Const([1, 2])], [(1, 2)]),
    "STRIDED_SLICE": SingleOp(
        [_ROW, Const([0, 1]), Const([1, 3]), Const([1, 1])], [(1, 2)], fb.StridedSliceOptionsT
    ),
    "SPLIT": SingleOp([_scalar(1), _ROW], [(1, 2)] * 2, fb.SplitOptionsT, {"numSplits": 2}),
    "SPLIT_V": SingleOp(
        [_ROW, Const([1, 3]), _scalar(1)], [(1, 1), (1, 3)], fb.SplitVOptionsT, {"numSplits": 2}
    ),
    "SVDF": SingleOp(
        [_ROW, Const([1], (2, 4)), Const([1], (2, 3)), _BIAS, State((1, 6))],
        [(1, 2)],
        fb.SVDFOptionsT,
        {"rank": 1},
    ),
    "TRANSPOSE": SingleOp([_ROW, Const([1, 0])], [(4, 1)]),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": SingleOp(
        [
            (1, 3, 4), *_GATES, *[Const([0])] * 3, *[Const([0], (4,))] * 4, *[Const([0])] * 2,
            State((1, 4)), State((1, 4)), *[Const([0])] * 4,
        ],
        [(1, 3, 4)],
        fb.UnidirectionalSequenceLSTMOptionsT,
        {"fusedActivationFunction": fb.ActivationFunctionType.TANH},
    ),
}  # fmt: skip
