"""Rules of TFLM's reference kernels on x86-64, as the tflite-micro wheel runs them.

Source: Init and Prepare of the kernels of TFLM 90b983c2, checked against the allocations that the
wheel (TFLM 8f6596d) reports, op by op, in int8, int16 and float32; FULLY_CONNECTED's options are
wider there. The wheel is built with tensor compression, whose indices widen some kernels' data;
compressed models are not covered.
"""

from __future__ import annotations

from splitopt.arena.common_kernels import common_rules
from splitopt.arena.kernel import (
    KernelMemory,
    KernelRule,
    OpView,
    Rule,
    fixed,
    measured,
    shape_bytes,
)
from splitopt.arena.resource_kernels import resource_rules
from splitopt.graph.model import Tensor

_EVAL_TENSOR_BYTES = 24
_INT16_TABLE_BYTES = 2 * 513
_LSTM_HIDDEN_STATE, _LSTM_CELL_STATE = 18, 19


def _is_float(view: OpView) -> bool:
    return view.output.dtype.name == "FLOAT32"


def _unpacked(weights: Tensor) -> tuple[int, ...]:
    """Scratch for weights of four bits, which kernels unpack to a byte each."""
    return (weights.elements,) if weights.dtype.name == "INT4" else ()


def _convolution(channel_axis: int) -> KernelRule:
    def rule(view: OpView) -> KernelMemory:
        weights = view.input(1)
        return KernelMemory(
            params=(28, 4),
            init=(80,),
            kept=(4 * weights.shape[channel_axis],) * 2,
            temporaries=view.tensors("o 0 1 0 1 2 o"),
            scratch=_unpacked(weights),
        )

    return rule


def _transpose_conv(view: OpView) -> KernelMemory:
    accumulator_bytes = {"INT8": 4, "INT16": 8}.get(view.input(2).dtype.name, 0)
    scratch: tuple[int, ...] = ()
    if accumulator_bytes:
        scratch += (accumulator_bytes * view.output.elements,)
    if view.has_input(3) and view.input(3).dtype.name == "INT16":
        scratch += (8 * view.input(3).elements,)
    return KernelMemory(
        params=(20, 4),
        init=(88,),
        kept=(4 * view.input(1).shape[0],) * 2,
        temporaries=view.tensors("o 2 1" if _is_float(view) else "o 2 1 2 1 3 o"),
        scratch=scratch,
    )


def _fully_connected(view: OpView) -> KernelMemory:
    weights = view.input(1)
    channels = len(weights.quantization.scales) if weights.quantization else 0
    per_channel = channels > 1 and not _is_float(view)
    return KernelMemory(
        params=(32, 8),
        init=(72,),
        kept=(4 * channels,) * 2 if per_channel else (),
        temporaries=view.tensors("0 1 2 o"),
        scratch=_unpacked(weights),
    )


def _svdf(view: OpView) -> KernelMemory:
    batch, filters = view.input(0).shape[0], view.input(1).shape[0]
    units = filters // view.option("rank", 1)
    scratch = (4 * batch * filters,)
    return KernelMemory(
        params=(12, 4),
        init=(36,),
        temporaries=view.tensors("0 1 2 3 4 o"),
        scratch=scratch if _is_float(view) else (*scratch, 4 * batch * units),
    )


def _softmax(view: OpView) -> KernelMemory:
    tables = (_INT16_TABLE_BYTES,) * 2 if view.input(0).dtype.name == "INT16" else ()
    return KernelMemory(params=(4, 4), init=(80,), kept=tables, temporaries=view.tensors("0 o"))


def _concatenation(view: OpView) -> KernelMemory:
    return KernelMemory(params=(8, 4), init=(80,), temporaries=view.tensors("0 o *"))


def _batch_matmul(view: OpView) -> KernelMemory:
    left, right = view.input(0), view.input(1)
    kept: tuple[int, ...] = () if _is_float(view) else (28,)
    for tensor, transposed in ((left, view.option("adjX")), (right, not view.option("adjY"))):
        if transposed:
            kept += (_EVAL_TENSOR_BYTES, shape_bytes(tensor), tensor.bytes)
    return KernelMemory(
        params=(3, 1),
        init=(32,),
        kept=(*kept, shape_bytes(view.output)),
        temporaries=view.tensors("0 1 o"),
    )


def _lstm(view: OpView) -> KernelMemory:
    batch = view.input(0).shape[1 if view.option("timeMajor") else 0]
    units = view.input(_LSTM_HIDDEN_STATE).shape[1]
    gate_bytes = view.input(_LSTM_CELL_STATE).dtype.bytes_of(batch * units)
    return KernelMemory(
        params=(16, 4),
        init=(688,),
        temporaries=view.tensors("* o"),
        scratch=(gate_bytes,) * 4,
    )


RULES: dict[str, Rule] = {
    **common_rules(enum_bytes=4, pointer_bytes=8),
    **resource_rules(pointer_bytes=8, assign_init=(4,)),
    "CONV_2D": measured("INT8 INT4 INT16 FLOAT32", _convolution(channel_axis=0)),
    "DEPTHWISE_CONV_2D": measured("INT8 INT4 INT16 FLOAT32", _convolution(channel_axis=3)),
    "TRANSPOSE_CONV": measured("INT8 INT16 FLOAT32", _transpose_conv),
    "FULLY_CONNECTED": measured("INT8 INT4 INT16 FLOAT32", _fully_connected),
    "SVDF": measured("INT8 INT16 FLOAT32", _svdf),
    "SOFTMAX": measured("INT8 INT16 FLOAT32", _softmax),
    "CONCATENATION": measured("INT8 INT16 FLOAT32 INT32 INT64 BOOL", _concatenation),
    "BATCH_MATMUL": measured("INT8 INT16 FLOAT32", _batch_matmul),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": measured("INT8 INT16 FLOAT32", _lstm),
    "ADD": fixed("INT8 INT16 FLOAT32 INT32", "0 1 o", params=(8, 4), init=(60,)),
    "SUB": fixed("INT8 INT16 FLOAT32 INT32", "0 1 o", params=(8, 4), init=(52,)),
    "AVERAGE_POOL_2D": fixed("INT8 INT16 FLOAT32", "0 o", params=(40, 4), init=(32,)),
    "MAX_POOL_2D": fixed("INT8 INT16 FLOAT32", "0 o", params=(40, 4), init=(32,)),
}
