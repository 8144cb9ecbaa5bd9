"""Kernels of resource variables: their bytes lie in the tail, named by handles.

Source: tensorflow/lite/micro of TFLM 90b983c2: kernels/var_handle.cc, read_variable.cc,
assign_variable.cc, call_once.cc; micro_resource_variable.cc. Measured in the wheel and on QEMU.
"""

from __future__ import annotations

from dataclasses import replace

from splitopt.arena.kernel import KernelMemory, OpView, Rule, measured
from splitopt.graph.model import ModelGraph, Op

RESOURCE_OPS = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})
_TYPES = "RESOURCE INT8 INT16 FLOAT32 INT32"


def resource_rules(pointer_bytes: int, assign_init: tuple[int, ...] = ()) -> dict[str, Rule]:
    """By the width of a pointer: options of VAR_HANDLE are two of them. `assign_init`: data of
    ASSIGN_VARIABLE, which has some where TFLM is built for compressed tensors, as the wheel is."""

    def var_handle(view: OpView) -> KernelMemory:
        params = (2 * pointer_bytes, pointer_bytes)
        return KernelMemory(params, (4,), variable=(_name(view), 0))

    return {
        "VAR_HANDLE": measured(_TYPES, var_handle),
        "READ_VARIABLE": measured(_TYPES, lambda view: KernelMemory(temporaries=view.tensors("0"))),
        "ASSIGN_VARIABLE": measured(
            _TYPES, lambda view: replace(_assign_variable(view), init=assign_init)
        ),
        "CALL_ONCE": measured(_TYPES, lambda _: KernelMemory((4, 4), (8,))),
    }


def _assign_variable(view: OpView) -> KernelMemory:
    """The first kernel that assigns to a variable allocates it, by the size of the value."""
    producer = view.graph.producer[view.input(0).index]
    maker = OpView(view.graph, view.graph.ops[producer])
    return KernelMemory(temporaries=view.tensors("1"), variable=(_name(maker), view.input(1).bytes))


def variable_names(graph: ModelGraph, op: Op) -> tuple[str, ...]:
    """The resource variables that an op of RESOURCE_OPS names; of a CALL_ONCE, those that the
    subgraph it runs names."""
    if op.type == "CALL_ONCE":
        own = graph.called[int(op.options.get("initSubgraphIndex", 1)) - 1]
        names = (_name(OpView(own, one)) for one in own.ops if one.type == "VAR_HANDLE")
        return tuple(dict.fromkeys(names))
    maker = op if op.type == "VAR_HANDLE" else graph.ops[graph.producer[op.inputs[0]]]
    return (_name(OpView(graph, maker)),)


def _name(view: OpView) -> str:
    """MicroResourceVariables tells variables apart by it."""
    name = view.options["sharedName"]
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "")
