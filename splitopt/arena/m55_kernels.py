"""Rules of the Cortex-M55 kernels: CMSIS-NN where TFLM has one, else TFLM's reference kernels.

Source: allocations that TFLM 90b983c2 with CMSIS-NN 4ab83cc3, release build, made on QEMU, op by
op, form by form, in each element type named.
"""

from __future__ import annotations

from collections.abc import Callable

from splitopt.arena import m55_scratch as scratch
from splitopt.arena.common_kernels import common_rules
from splitopt.arena.kernel import (
    KernelMemory,
    OpView,
    Rule,
    by_type,
    fixed,
    measured,
    shape_bytes,
)
from splitopt.arena.resource_kernels import resource_rules

TFLM_COMMIT, CMSIS_NN_COMMIT = "90b983c2", "4ab83cc3"
"""Of the sources that these rules were measured on."""
KERNELS_MACRO = "KERNELS_OPTIMIZED_FOR_SPEED"
"""TFLM's make defines it (OPTIMIZE_KERNELS_FOR). Without it FULLY_CONNECTED and SVDF take other
bytes: kernels/cmsis_nn/{fully_connected,svdf}.cc."""
WHERE_BYTES_DIFFER = (
    f"look at TFLM's version (want {TFLM_COMMIT}), its kernels (for a Cortex-M55 those of CMSIS-NN "
    f"{CMSIS_NN_COMMIT}), -D{KERNELS_MACRO} (TFLM's make sets it, other builds must), and whether "
    "the region and each store begin on 16 bytes"
)
"""What to check where TFLM uses other bytes than planned."""

_EVAL_TENSOR_BYTES = 12
_INT16_TABLE_BYTES = 2 * 513
_FLOAT_GATE_BYTES, _INTEGER_GATE_BYTES = 4, 2


def _quantised_convolution(
    requested: Callable[[OpView], int] | None,
) -> Callable[[OpView], KernelMemory]:
    def memory(view: OpView) -> KernelMemory:
        size = requested(view) if requested else 0
        return KernelMemory(
            params=(28, 4),
            init=(60,),
            kept=(4 * view.output.shape[3],) * 2,
            temporaries=view.tensors("0 1 o 0 1 2 o"),
            scratch=(size,) if size else (),
        )

    return memory


def _float_convolution(view: OpView) -> KernelMemory:
    return KernelMemory((28, 4), (60,), temporaries=view.tensors("0 1 o 0 1 2 o"))


def _quantised_transpose_conv(
    requested: Callable[[OpView], tuple[int, ...]],
) -> Callable[[OpView], KernelMemory]:
    return lambda view: KernelMemory(
        params=(16, 4),
        init=(76,),
        kept=(4 * view.output.shape[3],) * 2,
        temporaries=view.tensors("o 2 1 2 1 3 o"),
        scratch=requested(view),
    )


def _float_transpose_conv(view: OpView) -> KernelMemory:
    kept = (4 * view.output.shape[3],) * 2
    return KernelMemory((16, 4), (76,), kept, temporaries=view.tensors("o 2 1"))


def _int8_fully_connected(view: OpView) -> KernelMemory:
    """Sums of the weights are kept where weights and bias are constants, else made in scratch at
    each Invoke; a 1x1 convolution, which takes outputs of rank 3 or 4, needs none."""
    weights, outputs = view.input(1), view.output.shape[-1]
    if weights.dtype.name == "INT4":
        return _plain_fully_connected(view)
    per_channel = weights.quantization is not None and len(weights.quantization.scales) > 1
    constants = weights.is_constant and (not view.has_input(2) or view.input(2).is_constant)
    kept: tuple[int, ...] = (4 * outputs,) * 2 if per_channel else ()
    requested: tuple[int, ...] = ()
    if len(view.output.shape) > 2 and weights.shape[-1] % 4 == 0:
        requested = () if per_channel else (8 * outputs,)
    elif constants:
        kept += (4 * outputs,)
    else:
        requested = (4 * outputs,)
    return KernelMemory((5, 1), (72,), kept, view.tensors("0 1 2 o"), requested)


def _plain_fully_connected(view: OpView) -> KernelMemory:
    return KernelMemory((5, 1), (72,), temporaries=view.tensors("0 1 2 o"))


def _int8_svdf(view: OpView) -> KernelMemory:
    batch, filters = view.input(0).shape[0], view.input(1).shape[0]
    units = filters // view.option("rank", 1)
    return KernelMemory(
        params=(8, 4),
        init=(40,),
        kept=(4 * filters,),
        temporaries=view.tensors("* o"),
        scratch=(4 * batch * filters, 4 * batch * units),
    )


def _float_svdf(view: OpView) -> KernelMemory:
    accumulators = 4 * view.input(0).shape[0] * view.input(1).shape[0]
    return KernelMemory((8, 4), (40,), (), view.tensors("* o"), (accumulators,))


def _int16_softmax(view: OpView) -> KernelMemory:
    return KernelMemory((4, 4), (64,), (_INT16_TABLE_BYTES,) * 2, view.tensors("0 o"))


def _softmax(view: OpView) -> KernelMemory:
    return KernelMemory((4, 4), (64,), temporaries=view.tensors("0 o"))


def _concatenation(view: OpView) -> KernelMemory:
    return KernelMemory(params=(8, 4), init=(24,), temporaries=view.tensors("0 o *"))


def _batch_matmul(
    quantised: tuple[int, ...], requested: Callable[[OpView], tuple[int, ...]]
) -> Callable[[OpView], KernelMemory]:
    """A factor that CMSIS-NN wants transposed is copied: its tensor, its shape, its elements."""

    def memory(view: OpView) -> KernelMemory:
        left, right = view.input(0), view.input(1)
        kept: tuple[int, ...] = ()
        for tensor, transposed in ((left, view.option("adjX")), (right, not view.option("adjY"))):
            if transposed:
                kept += (_EVAL_TENSOR_BYTES, shape_bytes(tensor), tensor.bytes)
        return KernelMemory(
            params=(3, 1),
            init=(36,),
            kept=(*kept, shape_bytes(view.output), *quantised),
            temporaries=view.tensors("0 1 o"),
            scratch=requested(view),
        )

    return memory


def _lstm(bias_bytes: int, gates: int, gate_bytes: int) -> Callable[[OpView], KernelMemory]:
    """Integer kernels keep eight effective biases, of the width of the bias; float ones none."""

    def memory(view: OpView) -> KernelMemory:
        batch = view.input(0).shape[1 if view.option("timeMajor") else 0]
        hidden = view.output.shape[-1]
        return KernelMemory(
            params=(16, 4),
            init=(912,),
            kept=(bias_bytes * hidden,) * 8 if bias_bytes else (),
            temporaries=view.tensors("* o"),
            scratch=(gate_bytes * batch * hidden,) * gates,
        )

    return memory


RULES: dict[str, Rule] = {
    **common_rules(enum_bytes=1, pointer_bytes=4),
    **resource_rules(pointer_bytes=4),
    "CONV_2D": measured(
        "INT8 INT4 INT16 FLOAT32",
        by_type(
            0,
            INT8=_quantised_convolution(scratch.convolution_scratch),
            INT16=_quantised_convolution(scratch.int16_convolution_scratch),
            FLOAT32=_float_convolution,
        ),
    ),
    "DEPTHWISE_CONV_2D": measured(
        "INT8 INT4 INT16 FLOAT32",
        by_type(
            0,
            INT8=_quantised_convolution(scratch.depthwise_scratch),
            INT16=_quantised_convolution(None),
            FLOAT32=_float_convolution,
        ),
    ),
    "TRANSPOSE_CONV": measured(
        "INT8 INT16 FLOAT32",
        by_type(
            2,
            INT8=_quantised_transpose_conv(scratch.transpose_conv_scratch),
            INT16=_quantised_transpose_conv(scratch.int16_transpose_conv_scratch),
            FLOAT32=_float_transpose_conv,
        ),
    ),
    "FULLY_CONNECTED": measured(
        "INT8 INT4 INT16 FLOAT32",
        by_type(
            0,
            INT8=_int8_fully_connected,
            INT16=_plain_fully_connected,
            FLOAT32=_plain_fully_connected,
        ),
    ),
    "BATCH_MATMUL": measured(
        "INT8 INT16 FLOAT32",
        by_type(
            0,
            INT8=_batch_matmul((28,), lambda view: (4 * view.output.shape[-1],)),
            INT16=_batch_matmul((28,), lambda _: ()),
            FLOAT32=_batch_matmul((), lambda _: ()),
        ),
    ),
    "SVDF": measured("INT8 INT16 FLOAT32", by_type(0, INT8=_int8_svdf, FLOAT32=_float_svdf)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": measured(
        "INT8 INT16 FLOAT32",
        by_type(
            0,
            INT8=_lstm(4, 3, _INTEGER_GATE_BYTES),
            INT16=_lstm(8, 3, _INTEGER_GATE_BYTES),
            FLOAT32=_lstm(0, 4, _FLOAT_GATE_BYTES),
        ),
    ),
    "SOFTMAX": measured(
        "INT8 INT16 FLOAT32",
        by_type(0, INT8=_softmax, INT16=_int16_softmax, FLOAT32=_softmax),
    ),
    "CONCATENATION": measured("INT8 INT16 FLOAT32 INT32 INT64 BOOL", _concatenation),
    "ADD": fixed("INT8 INT16 FLOAT32 INT32", "0 1 o", params=(2, 1), init=(60,)),
    "SUB": fixed("INT8 INT16 FLOAT32 INT32", "0 1 o", params=(2, 1), init=(52,)),
    "AVERAGE_POOL_2D": fixed("INT8 INT16 FLOAT32", "0 o 0 o", params=(40, 4), init=(36,)),
    "MAX_POOL_2D": fixed("INT8 INT16 FLOAT32", "0 o", params=(40, 4), init=(36,)),
}
