"""Kernels whose requests are the same on every target; measured on both.

`fixed` says how to read an entry: tensors that Prepare looks at, options, data of Init.
"""

from __future__ import annotations

from splitopt.arena.kernel import KernelRule, fixed

COMMON_RULES: dict[str, KernelRule] = {
    "RESHAPE": fixed("0 o", params=(36, 4)),
    "PAD": fixed("0 1 2 o", init=(56,)),
    "PADV2": fixed("0 1 2 o", init=(56,)),
    "LOGISTIC": fixed("0 o", init=(16,)),
    "TANH": fixed("0 0 o", init=(16,)),
    "HARD_SWISH": fixed("0 o", init=(20,)),
    "LEAKY_RELU": fixed("0 o", params=(4, 4), init=(24,)),
    "PRELU": fixed("0 1 o", init=(28,)),
    "RELU": fixed("0 o", init=(28,)),
    "RELU6": fixed("0", init=(8,)),
    "RESIZE_NEAREST_NEIGHBOR": fixed("0 1 o", params=(2, 1)),
    "RESIZE_BILINEAR": fixed("0 1 o", params=(2, 1)),
    "TRANSPOSE": fixed("0 1 o"),
    "SLICE": fixed("0 1 2 o"),
    "STRIDED_SLICE": fixed("0 1 2 3 o", params=(24, 4), init=(84,)),
    "SPLIT": fixed("0", params=(4, 4)),
    "SPLIT_V": fixed("2", params=(4, 4)),
    "QUANTIZE": fixed("0 o", init=(32,)),
    "DEQUANTIZE": fixed("0 o", init=(32,)),
    "EXPAND_DIMS": fixed("0 1 o"),
    "SQUEEZE": fixed("0 o", params=(36, 4)),
    "MAXIMUM": fixed(""),
    "MINIMUM": fixed(""),
}
