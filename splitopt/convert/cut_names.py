"""Names of an ONNX model for the cuts of the int8 model that was made from it."""

from __future__ import annotations

from splitopt.convert.names.record import Correspondence
from splitopt.graph.model import ModelGraph


def cut_names(graph: ModelGraph, names: Correspondence | None) -> dict[str, int]:
    """ONNX tensor → the cut right after the op that makes its counterpart.

    Left out are tensors that were matched by their place in the graph only, and those that no op
    makes.
    """
    if names is None:
        return {}
    return {
        match.onnx_tensor: graph.producer[match.tflite_tensor] + 1
        for match in reversed(names.matches)
        if match.evidence == "values" and match.tflite_tensor in graph.producer
    }


def fused_away(names: Correspondence | None) -> dict[str, int]:
    """ONNX tensor → the op that it vanished in: no cut can pass there."""
    if names is None:
        return {}
    return {tensor: op.tflite_op for op in names.ops for tensor in op.inner_tensors}
