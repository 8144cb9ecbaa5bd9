"""Rules of the Cortex-M55 kernels (CMSIS-NN where TFLM has one): int8, measured op by op.

Source: measured allocations of TFLM 90b983c2 with CMSIS-NN 4ab83cc3, release build.
"""

from __future__ import annotations

from splitopt.arena import m55_scratch as scratch
from splitopt.arena.common_kernels import COMMON_RULES
from splitopt.arena.kernel import KernelMemory, KernelRule, OpView, fixed


def _convolution(view: OpView) -> KernelMemory:
    requested = (
        scratch.depthwise_scratch(view)
        if view.op.type == "DEPTHWISE_CONV_2D"
        else scratch.convolution_scratch(view)
    )
    return KernelMemory(
        params=(28, 4),
        init=(60,),
        kept=(4 * view.output.shape[3],) * 2,
        temporaries=view.tensors("0 1 o 0 1 2 o"),
        scratch=(requested,) if requested else (),
    )


def _transpose_conv(view: OpView) -> KernelMemory:
    return KernelMemory(
        params=(16, 4),
        init=(76,),
        kept=(4 * view.output.shape[3],) * 2,
        temporaries=view.tensors("o 2 1 2 1 3 o"),
        scratch=scratch.transpose_conv_scratch(view),
    )


def _fully_connected(view: OpView) -> KernelMemory:
    weights, outputs = view.input(1), view.output.shape[-1]
    per_channel = weights.quantization is not None and len(weights.quantization.scales) > 1
    as_convolution = len(view.output.shape) > 2 and weights.shape[-1] % 4 == 0
    kept = (4 * outputs,) * 2 if per_channel else ()
    sums = () if as_convolution else (4 * outputs,)
    return KernelMemory(
        params=(5, 1),
        init=(72,),
        kept=kept + sums,
        temporaries=view.tensors("0 1 2 o"),
        scratch=scratch.fully_connected_scratch(view),
    )


def _svdf(view: OpView) -> KernelMemory:
    filters, units = view.input(1).shape[0], view.input(1).shape[0] // view.option("rank", 1)
    batch = view.input(0).shape[0]
    return KernelMemory(
        params=(8, 4),
        init=(40,),
        kept=(4 * filters,),
        temporaries=view.tensors("* o"),
        scratch=(4 * batch * filters, 4 * batch * units),
    )


def _mean(view: OpView) -> KernelMemory:
    axes = view.input(1).elements
    rank = len(view.input(0).shape)
    return KernelMemory(
        params=(1, 1),
        init=(44,),
        temporaries=view.tensors("0 o 1 0 1 o"),
        scratch=(4 * view.output.elements, 4 * rank, 4 * axes),
    )


def _reduce_max(view: OpView) -> KernelMemory:
    axes, rank = view.input(1).elements, len(view.input(0).shape)
    return KernelMemory(
        params=(1, 1),
        init=(44,),
        temporaries=view.tensors("0 1 o 0 o 1"),
        scratch=(4 * rank, 4 * axes),
    )


def _concatenation(view: OpView) -> KernelMemory:
    return KernelMemory(params=(8, 4), init=(24,), temporaries=view.tensors("0 o *"))


def _batch_matmul(view: OpView) -> KernelMemory:
    left, right = view.input(0), view.input(1)
    kept: tuple[int, ...] = ()
    for tensor, transposed in ((left, view.option("adjX")), (right, not view.option("adjY"))):
        if transposed:
            kept += (12, 4 + 4 * len(tensor.shape), tensor.bytes)
    return KernelMemory(
        params=(3, 1),
        init=(36,),
        kept=(*kept, 4 + 4 * len(view.output.shape), 28),
        temporaries=view.tensors("0 1 o"),
        scratch=(4 * view.output.shape[-1],),
        estimate="BATCH_MATMUL was measured on three shapes only",
    )


def _lstm(view: OpView) -> KernelMemory:
    batch, hidden = view.input(0).shape[0], view.output.shape[-1]
    return KernelMemory(
        params=(16, 4),
        init=(912,),
        kept=(4 * hidden,) * 8,
        temporaries=view.tensors("* o"),
        scratch=(2 * batch * hidden,) * 3,
        estimate="UNIDIRECTIONAL_SEQUENCE_LSTM was measured on two models only",
    )


RULES: dict[str, KernelRule] = {
    **COMMON_RULES,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _fully_connected,
    "SVDF": _svdf,
    "MEAN": _mean,
    "SUM": _mean,
    "REDUCE_MAX": _reduce_max,
    "CONCATENATION": _concatenation,
    "BATCH_MATMUL": _batch_matmul,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    "ADD": fixed("0 1 o", params=(2, 1), init=(60,)),
    "SUB": fixed("0 1 o", params=(2, 1), init=(52,)),
    "MUL": fixed("0 1 o", params=(1, 1), init=(36,)),
    "AVERAGE_POOL_2D": fixed("0 o 0 o", params=(40, 4), init=(36,)),
    "MAX_POOL_2D": fixed("0 o", params=(40, 4), init=(36,)),
    "SOFTMAX": fixed("0 o", params=(4, 4), init=(64,)),
}
