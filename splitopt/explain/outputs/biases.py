"""Do a piece's biases fit the scales around them? They do not where a scale was edited by hand.

A bias is stored in input scale times weight scale (the quantisation specification of TFLite).
"""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.bundle.open import Piece
from splitopt.graph.model import ModelGraph, Op

_WITH_BIAS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_TOLERANCE = 0.02  # what TFLite's kernels accept, in kernel_util.cc


@dataclass(frozen=True)
class OddBias:
    """An op whose bias was made for an input scale `factor` times smaller than the file's."""

    op: str
    input_position: int | None
    factor: float

    def __str__(self) -> str:
        where = "its input" if self.input_position is None else f"input {self.input_position}"
        return (
            f"the bias of {self.op} fits an input scale {self.factor:.4g} times smaller than the "
            f"file has for {where}: the scale was changed after the conversion, the bias was not"
        )


def odd_bias(piece: Piece) -> OddBias | None:
    """The first op of the piece whose bias does not fit, if any."""
    graph = piece.graph
    for op in graph.ops:
        factor = _factor(graph, op)
        if factor is not None and abs(factor - 1) > _TOLERANCE:
            ends = {tensor: position for position, tensor in enumerate(graph.inputs)}
            return OddBias(graph.op_name(op.index), ends.get(op.inputs[0]), factor)
    return None


def _factor(graph: ModelGraph, op: Op) -> float | None:
    """Input scale times weight scale over bias scale; None where there is nothing to compare."""
    if op.type not in _WITH_BIAS or len(op.inputs) < 3 or min(op.inputs[:3]) < 0:
        return None
    source, weights, bias = (graph.tensors[t].quantization for t in op.inputs[:3])
    if source is None or weights is None or bias is None or not bias.scales[0]:
        return None
    return source.scales[0] * weights.scales[0] / bias.scales[0]
