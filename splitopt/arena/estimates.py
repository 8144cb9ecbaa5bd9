"""Upper estimates for kernels and element types without a measured rule.

Which kernels ask for scratch at all, and for what, was read in TFLM 90b983c2 (kernels/*.cc and
kernels/cmsis_nn/*.cc: the calls of RequestScratchBufferInArena); the sizes here are at least
theirs for int8, int4, int16 and float32. All others ask for none. Custom kernels are unknown: they
get twice the bytes of what they read and make.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from splitopt.arena.kernel import KernelMemory, OpView
from splitopt.graph.schema import CUSTOM_OP

_LOOKUP_TABLE_BYTES = 1040
_REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL", "REDUCE_PROD"})
_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
_SMALL_REQUESTS = frozenset({"ADD_N", "MIRROR_PAD", "AVERAGE_POOL_2D", "FULLY_CONNECTED"})
_WIDE_STATE = frozenset({"SVDF", "BATCH_MATMUL", "UNIDIRECTIONAL_SEQUENCE_LSTM"})


def upper_estimate(view: OpView, reason: str) -> KernelMemory:
    """An upper bound of what any kernel of TFLM asks for on such an op."""
    shapes = [tensor.shape for tensor in (*view.inputs, view.output) if tensor.shape]
    widest = max((extent for shape in shapes for extent in (shape[0], shape[-1])), default=1)
    return KernelMemory(
        params=(64, 4),
        init=(256,),
        kept=(8 * widest, _LOOKUP_TABLE_BYTES, _LOOKUP_TABLE_BYTES),
        temporaries=view.op.touched * 2,
        scratch=_scratch(view),
        estimate=reason,
    )


def widened(known: KernelMemory, upper: KernelMemory) -> KernelMemory:
    """A rule of other element types, raised to the estimate where that is larger."""
    return replace(
        known,
        kept=(*known.kept, *upper.kept),
        scratch=(*(2 * size for size in known.scratch), *upper.scratch),
        temporaries=max(known.temporaries, upper.temporaries, key=len),
        estimate=upper.estimate,
    )


def _scratch(view: OpView) -> tuple[int, ...]:
    kind, result = view.op.type, view.output
    if kind.startswith(CUSTOM_OP):
        return (2 * (_activation_bytes(view) + result.bytes),)
    if kind in _REDUCTIONS:
        return 8 * result.elements, 64, 64
    if kind in _CONVOLUTIONS:
        return _convolution_scratch(view)
    if kind in _SMALL_REQUESTS:
        widest = max((tensor.shape[-1] for tensor in view.inputs if tensor.shape), default=1)
        return (8 * widest + _unpacked_bytes(view) + 64,)
    if kind in _WIDE_STATE:
        return (8 * max(result.elements, _widest_row(view)),) * 3
    return ()


def _convolution_scratch(view: OpView) -> tuple[int, ...]:
    """im2col of four columns in 16 bits, or a transposed convolution's 64-bit accumulators."""
    filter_shape = next((t.shape for t in view.inputs if t.is_constant and len(t.shape) == 4), ())
    channels = view.inputs[-1].shape[-1] if view.op.type == "TRANSPOSE_CONV" else 0
    columns = max(prod(filter_shape[1:]), channels)
    accumulators = 8 * view.output.elements if view.op.type == "TRANSPOSE_CONV" else 0
    return (8 * (columns + 16) + 64 + accumulators + _unpacked_bytes(view),)


def _unpacked_bytes(view: OpView) -> int:
    """Weights of 4 bits are unpacked to 8."""
    return sum(t.elements for t in view.inputs if t.is_constant and t.dtype.bits < 8)


def _activation_bytes(view: OpView) -> int:
    return sum(tensor.bytes for tensor in view.inputs if not tensor.is_constant)


def _widest_row(view: OpView) -> int:
    return max(
        (t.elements // t.shape[-1] for t in view.inputs if t.shape and t.shape[-1]), default=1
    )
