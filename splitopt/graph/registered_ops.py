"""Which builtin ops TFLM has a kernel for: a model with any other cannot run there.

Source: micro_mutable_op_resolver.h of TFLM 90b983c2.
"""

from __future__ import annotations

from splitopt.graph.model import ModelGraph
from splitopt.graph.op_signatures import SIGNATURES
from splitopt.graph.schema import CUSTOM_OP

REGISTERED = frozenset(SIGNATURES)


def unregistered_types(graph: ModelGraph) -> tuple[str, ...]:
    """Op types without a kernel in TFLM, in order of appearance; custom ops are the user's own."""
    types = dict.fromkeys(op.type for op in graph.ops)
    return tuple(t for t in types if t not in REGISTERED and not t.startswith(CUSTOM_OP))
