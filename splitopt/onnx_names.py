"""A plan in the names of the user's own ONNX model."""

from __future__ import annotations

from typing import Any

from splitopt.convert.correspondence import Correspondence
from splitopt.graph.model import ModelGraph
from splitopt.plan import PlannedSegment


def cut_names(graph: ModelGraph, names: Correspondence | None) -> dict[str, int]:
    """ONNX tensor → the cut right after the op that makes its counterpart.

    Tensors whose place alone speaks for them are left out, and so are those no op makes.
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


def nodes_of(segment: PlannedSegment, names: Correspondence) -> list[str]:
    """ONNX nodes that a piece computes, by op."""
    ops = range(segment.start, segment.stop)
    return [node for op in ops for node in names.nodes_of_op(op)]


def add_onnx_names(
    document: dict[str, Any], segments: tuple[PlannedSegment, ...], names: Correspondence
) -> dict[str, Any]:
    """The plan document with `onnx_nodes` per segment and `onnx_tensor` per boundary tensor."""
    named = [
        {**entry, "onnx_nodes": nodes_of(segment, names)}
        for entry, segment in zip(document["segments"], segments, strict=True)
    ]
    boundary = [
        {**entry, "onnx_tensor": names.onnx_tensor_of(entry["tensor"])}
        for entry in document["layout"]["boundary"]
    ]
    layout = {**document["layout"], "boundary": boundary}
    return {**document, "segments": named, "layout": layout}
