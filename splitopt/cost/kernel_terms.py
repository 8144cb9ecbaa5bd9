"""What a kernel's instructions are counted in: its name in the table of fits, and its loops.

Two forms of an op that different code runs have different names: `CONV_2D INT8` and
`CONV_2D grouped INT8`. Estimate = sum of the fit's coefficients times `terms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from splitopt.arena.kernel import OpView
from splitopt.graph.model import Tensor


@dataclass(frozen=True, slots=True)
class KernelTerms:
    """`terms`: how often each part of the kernel runs; the first is 1, for the call itself."""

    name: str
    terms: tuple[float, ...]


def kernel_name(view: OpView, *variant: str, weights: Tensor | None = None) -> str:
    """`CONV_2D grouped INT8`; weights of another type than usual are named, as in `INT8xINT4`."""
    types = _source(view).dtype.name
    if weights is not None and (types, weights.dtype.name) not in _USUAL_WEIGHTS:
        types += f"x{weights.dtype.name}"
    return " ".join([view.op.type, *filter(None, variant), types])


_USUAL_WEIGHTS = {(name, name) for name in ("INT8", "FLOAT32")} | {("INT16", "INT8")}


def _source(view: OpView) -> Tensor:
    """The first activation among the inputs, or the first input of an op on constants."""
    inputs = view.inputs
    return next((tensor for tensor in inputs if tensor.is_activation), inputs[0])


def runs(tensor: Tensor, axis: int) -> int:
    """Contiguous runs of the extents from `axis` on: the product of those before it."""
    return prod(tensor.shape[: axis % len(tensor.shape)]) if tensor.shape else 1
