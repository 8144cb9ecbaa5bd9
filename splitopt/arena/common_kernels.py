"""Kernels that ask for the same on every target, but for the sizes of enumerations and pointers in
their structures; measured on both, in each element type named.

An entry of `fixed` reads: element types, tensors that Prepare looks at, then options (size,
alignment), data of Init, data kept by Prepare.
"""

from __future__ import annotations

from splitopt.arena.abi import Block
from splitopt.arena.kernel import (
    KernelMemory,
    KernelRule,
    OpView,
    Rule,
    by_type,
    fixed,
    measured,
    shape_bytes,
)
from splitopt.base.units import align_up

_ANY = "INT8 INT16 FLOAT32 INT32 INT64 BOOL UINT8"
_REAL = "FLOAT32"
_SMALL = "INT8 FLOAT32"
_NEURAL = "INT8 INT16 FLOAT32"
_NUMBERS = "INT8 INT16 FLOAT32 INT32"
_COMPARED = "INT8 FLOAT32 INT32 INT64 BOOL"


def _sum(view: OpView) -> KernelMemory:
    sums = () if view.input(0).dtype.name == "FLOAT32" else (4 * view.output.elements,)
    looked_at = view.tensors("0 o 1") + _rescaled(view)
    return KernelMemory((1, 1), (44,), (), looked_at, sums + _iterators(view))


def _extreme(view: OpView) -> KernelMemory:
    looked_at = _rescaled(view) + view.tensors("0 o 1")
    return KernelMemory((1, 1), (44,), (), looked_at, _iterators(view))


def _all(view: OpView) -> KernelMemory:
    return KernelMemory((1, 1), (44,), (), view.tensors("0 o 1 0 1"), _iterators(view))


def _rescaled(view: OpView) -> tuple[int, ...]:
    """What a reduction looks at to find its multiplier."""
    return view.tensors("0 1 o" if view.input(0).dtype.name == "INT8" else "0 1")


def _iterators(view: OpView) -> tuple[int, int]:
    """Scratch of any reduction: a position in the input, and its axes."""
    return 4 * len(view.input(0).shape), 4 * view.input(1).elements


def _writes_shape(
    types: str, pattern: str, params: Block | None = None, kept: tuple[int, ...] = ()
) -> Rule:
    """A kernel of `fixed` that keeps a copy of its output's shape, to be written."""

    def rule(view: OpView) -> KernelMemory:
        return KernelMemory(
            params, kept=(shape_bytes(view.output), *kept), temporaries=view.tensors(pattern)
        )

    return measured(types, rule)


_ELEMENTWISE: dict[str, Rule] = {
    "COS": fixed(_REAL, "0 o"),
    "SIN": fixed(_REAL, "0 o"),
    "SQRT": fixed(_REAL, "0 o"),
    "SQUARE": fixed(_REAL, "0 o"),
    "LOG": fixed(_REAL, "0 o"),
    "EXP": fixed(_REAL, "0 o"),
    "CEIL": fixed(_REAL, "0 o"),
    "ROUND": fixed(_REAL, "0 o"),
    "FLOOR": fixed(_REAL, ""),
    "NEG": fixed(_REAL, ""),
    "ABS": fixed(_NEURAL, "0 o", init=(28,)),
    "RSQRT": fixed(_NEURAL, "0 o", init=(28,)),
    "ZEROS_LIKE": fixed("INT8 FLOAT32 INT32 INT64", "0 o"),
    "LOGICAL_NOT": fixed("BOOL", "0 o"),
    "LOGICAL_AND": fixed("BOOL", ""),
    "LOGICAL_OR": fixed("BOOL", ""),
    "MAXIMUM": fixed("INT8 INT16 FLOAT32 INT32 INT64", ""),
    "MINIMUM": fixed("INT8 INT16 FLOAT32 INT32 INT64", ""),
    "FLOOR_DIV": fixed(_REAL, "0 1 o"),
    "FLOOR_MOD": fixed(_REAL, "0 1 o"),
    "SQUARED_DIFFERENCE": fixed(_NUMBERS, "0 1 o", init=(112,)),
    "SELECT_V2": fixed("INT8 INT16 FLOAT32 BOOL", "0 1 2 o", init=(1,)),
    **dict.fromkeys(
        ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER_EQUAL"),
        fixed(_COMPARED, "0 1", init=(32,)),
    ),
    "GREATER": fixed(f"{_COMPARED} INT16", "0 1", init=(32,)),
}

_ACTIVATIONS: dict[str, Rule] = {
    "LOGISTIC": fixed(_NEURAL, "0 o", init=(16,)),
    "TANH": fixed(_NEURAL, "0 0 o", init=(16,)),
    "HARD_SWISH": fixed(_SMALL, "0 o", init=(20,)),
    "LEAKY_RELU": fixed(_NEURAL, "0 o", params=(4, 4), init=(24,)),
    "PRELU": fixed(_SMALL, "0 1 o", init=(28,)),
    "ELU": fixed(_SMALL, "0 o", init=(256,)),
    "RELU": fixed(_NEURAL, "0 o", init=(28,)),
    "RELU6": fixed(_NEURAL, "0", init=(8,)),
}

_REDUCTIONS: dict[str, Rule] = {
    "MEAN": measured(_NEURAL, _sum),
    "SUM": measured(_NEURAL, _sum),
    "REDUCE_MAX": measured(_SMALL, _extreme),
    "REDUCE_MIN": measured(_SMALL, _extreme),
    "REDUCE_ALL": measured("BOOL", _all),
}

_MOVERS: dict[str, Rule] = {
    "RESHAPE": fixed(_ANY, "0 o", params=(36, 4)),
    "SQUEEZE": fixed(_ANY, "0 o", params=(36, 4)),
    "EXPAND_DIMS": fixed(_NEURAL, "0 1 o"),
    "TRANSPOSE": fixed(_NEURAL, "0 1 o"),
    "REVERSE_V2": fixed(_ANY, "0 1 o"),
    "BROADCAST_TO": fixed(_ANY, "0 1 o"),
    "BROADCAST_ARGS": fixed("INT32", "0 1 o"),
    "FILL": fixed(_ANY, "0 1 o"),
    "PAD": fixed(_NUMBERS, "0 1 2 o", init=(56,)),
    "PADV2": fixed(_NUMBERS, "0 1 2 o", init=(56,)),
    "RESIZE_NEAREST_NEIGHBOR": fixed(_NEURAL, "0 1 o", params=(2, 1)),
    "RESIZE_BILINEAR": fixed(_SMALL, "0 1 o", params=(2, 1)),
    "SLICE": fixed(f"{_NUMBERS} BOOL", "0 1 2 o"),
    "STRIDED_SLICE": fixed(f"{_NUMBERS} BOOL", "0 1 2 3 o", params=(24, 4), init=(84,)),
    "SPLIT": fixed(_NUMBERS, "0", params=(4, 4)),
    "SPLIT_V": fixed(_NUMBERS, "2", params=(4, 4)),
    "PACK": fixed(f"{_NUMBERS} INT64", "", params=(8, 4)),
    "UNPACK": fixed(_NUMBERS, "", params=(8, 4)),
    "GATHER": _writes_shape(_SMALL, "0 1 o", params=(8, 4)),
    "GATHER_ND": _writes_shape(_SMALL, "0 1 o"),
    "DYNAMIC_UPDATE_SLICE": fixed(_NUMBERS, "0 1 2 o"),
    "EMBEDDING_LOOKUP": _writes_shape(_SMALL, "0 1 o", kept=(8,)),
    "SPACE_TO_DEPTH": _writes_shape(_SMALL, "0 o", params=(4, 4)),
    "DEPTH_TO_SPACE": _writes_shape(_SMALL, "0 o", params=(4, 4)),
    "SPACE_TO_BATCH_ND": fixed(_SMALL, "0 o", init=(4,)),
    "BATCH_TO_SPACE_ND": fixed(_SMALL, "0 o"),
    "QUANTIZE": fixed("INT8 INT16 FLOAT32 INT32 UINT8", "0 o", init=(32,)),
    "DEQUANTIZE": fixed("INT8 INT16 UINT8 FLOAT32", "0 o", init=(32,)),
}

_KEPT_BY_TYPE: dict[str, Rule] = {
    "CUMSUM": measured(
        _SMALL,
        by_type(
            0,
            INT8=lambda view: KernelMemory((2, 1), (), (36,), view.tensors("0 1 o")),
            FLOAT32=lambda view: KernelMemory((2, 1), temporaries=view.tensors("0 1 o")),
        ),
    ),
    "L2_POOL_2D": _writes_shape(_REAL, "0 o", params=(40, 4)),
}


def common_rules(enum_bytes: int, pointer_bytes: int) -> dict[str, Rule]:
    """The rules of an ABI whose compiler gives these sizes to enumerations and to pointers."""
    return {
        **_ELEMENTWISE,
        **_ACTIVATIONS,
        **_REDUCTIONS,
        **_MOVERS,
        **_KEPT_BY_TYPE,
        **_with_enumerations((enum_bytes, enum_bytes)),
        **_with_pointers(pointer_bytes),
    }


def _with_enumerations(one: Block) -> dict[str, Rule]:
    """Kernels whose options are one enumeration, or two."""

    def mirror_pad(view: OpView) -> KernelMemory:
        counts = 4 * len(view.input(0).shape)
        return KernelMemory(one, (20,), (), view.tensors("0 1 o"), (counts, counts))

    return {
        "MUL": fixed(_NUMBERS, "0 1 o", params=one, init=(36,)),
        "DIV": fixed("INT8 FLOAT32 INT32", "0 1 o", params=one, init=(28,)),
        "ARG_MAX": fixed("INT8 FLOAT32 INT32", "", params=one),
        "ARG_MIN": fixed("INT8 FLOAT32 INT32", "", params=one),
        "L2_NORMALIZATION": fixed(_SMALL, "0 o", params=one, init=(4,)),
        "SHAPE": fixed(_ANY, "", params=one),
        "MIRROR_PAD": measured(_SMALL, mirror_pad),
        "CAST": fixed(f"{_NUMBERS} BOOL", "0 o", params=(2 * one[0], one[1])),
    }


def _with_pointers(pointer_bytes: int) -> dict[str, Rule]:
    """Kernels that keep pointers, or sizes as wide as one."""

    def add_n(kept: tuple[int, ...]) -> KernelRule:
        return lambda view: KernelMemory(
            kept=kept,
            temporaries=view.tensors("0 o *")[:-1],
            scratch=(pointer_bytes * len(view.inputs),),
        )

    def log_softmax(kept: tuple[int, ...]) -> KernelRule:
        return lambda view: KernelMemory(kept=kept, temporaries=view.tensors("0 o"))

    sizes = align_up(5 * 4, pointer_bytes) + 2 * pointer_bytes
    return {
        "ADD_N": measured(_SMALL, by_type(0, INT8=add_n((40,)), FLOAT32=add_n(()))),
        "LOG_SOFTMAX": measured(
            _SMALL, by_type(0, INT8=log_softmax((sizes,)), FLOAT32=log_softmax(()))
        ),
    }
