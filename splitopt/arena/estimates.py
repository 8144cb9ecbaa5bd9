"""What is said of kernels without a measured rule: a guess, marked as one.

Ops left: custom ones, whose kernels are the user's own; control flow, which splitopt does not run;
and builtin ops that lack the tensors their kernel wants.
"""

from __future__ import annotations

from splitopt.arena.kernel import KernelMemory, OpView
from splitopt.graph.schema import CUSTOM_OP

_DATA_BYTES = 64


def estimate(view: OpView, reason: str) -> KernelMemory:
    """Options, data and a look at every tensor, as most kernels of TFLM ask for; of a custom op
    also scratch of twice the bytes that it reads and makes."""
    touched = view.op.touched
    moved = sum(t.bytes for t in (view.graph.tensors[i] for i in touched) if not t.is_constant)
    return KernelMemory(
        params=(16, 4),
        init=(_DATA_BYTES,),
        temporaries=touched,
        scratch=(2 * moved,) if view.op.type.startswith(CUSTOM_OP) else (),
        estimate=reason,
    )
