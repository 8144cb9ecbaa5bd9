"""Estimated instructions of Invoke per op, on a Cortex-M55 with CMSIS-NN (Helium) and TFLM.

Each kernel has coefficients of its own, fitted to counts of QEMU on models of one op; `KernelFit`
says how far it is off on shapes that were left out of the fit. A kernel that was not measured, or
whose fit is too far off, has no estimate: never that of another one.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from splitopt.arena.kernel import OpView
from splitopt.cost import elementwise_terms as values
from splitopt.cost import moving_terms as moving
from splitopt.cost import windowed_terms as windowed
from splitopt.cost.kernel_terms import KernelTerms
from splitopt.cost.transposed_terms import transposed_convolution
from splitopt.graph.model import ModelGraph, Op

PER_INVOKE_INSN = 67


@dataclass(frozen=True)
class KernelFit:
    """A kernel's coefficients, in instructions per term, and relative errors on `held_out` models
    that were not among the `fitted` ones."""

    insn: tuple[float, ...]
    fitted: int
    held_out: int
    mean_error: float
    worst_error: float


@cache
def kernel_fits() -> Mapping[str, KernelFit]:
    """The built-in fits by the kernel's name, as `kernel_of` has it."""
    text = (files("splitopt.cost") / "m55_invoke.json").read_text("utf-8")
    found = json.loads(text)["kernels"]
    return {name: KernelFit(tuple(fit.pop("insn")), **fit) for name, fit in found.items()}


def kernel_of(graph: ModelGraph, op: Op) -> KernelTerms | None:
    """The kernel that TFLM runs for an op, and its loops; None for an op whose loops are not
    known."""
    terms = _TERMS.get(op.type)
    if terms is None:
        return None
    try:
        return terms(OpView(graph, op))
    except (LookupError, ValueError, TypeError, ZeroDivisionError, struct.error):
        return None


def invoke_insn(graph: ModelGraph, op: Op) -> int | None:
    """Estimated instructions of one op, dispatch included; None where there is no estimate."""
    kernel = kernel_of(graph, op)
    return None if kernel is None else insn_of(kernel)


def insn_of(kernel: KernelTerms) -> int | None:
    """The same of a kernel that is known."""
    fit = kernel_fits().get(kernel.name)
    if fit is None or len(fit.insn) != len(kernel.terms):
        return None
    return round(sum(a * b for a, b in zip(fit.insn, kernel.terms, strict=True)))


_ONE_BY_ONE = (
    "ABS", "COS", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LEAKY_RELU", "LOG",
    "LOGISTIC", "NEG", "QUANTIZE", "RELU", "RELU6", "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE",
    "TANH",
)  # fmt: skip

_TERMS: Mapping[str, Callable[[OpView], KernelTerms]] = {
    "CONV_2D": windowed.convolution,
    "DEPTHWISE_CONV_2D": windowed.depthwise,
    "TRANSPOSE_CONV": transposed_convolution,
    "FULLY_CONNECTED": windowed.fully_connected,
    "MAX_POOL_2D": windowed.pool,
    "AVERAGE_POOL_2D": windowed.pool,
    "BATCH_MATMUL": values.batch_matmul,
    "SVDF": values.recurrent_filter,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": values.lstm,
    "PRELU": values.per_pixel,
    **dict.fromkeys(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"), values.binary),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX"), values.reduction),
    **dict.fromkeys(("SOFTMAX", "L2_NORMALIZATION", "LOG_SOFTMAX"), values.per_row),
    **dict.fromkeys(_ONE_BY_ONE, values.unary),
    "RESHAPE": moving.copy,
    "PAD": moving.pad,
    "CONCATENATION": moving.concatenation,
    "TRANSPOSE": moving.transpose,
    **dict.fromkeys(("SPLIT", "SPLIT_V"), moving.split),
    **dict.fromkeys(("SLICE", "STRIDED_SLICE"), moving.slices),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), moving.resize),
}
