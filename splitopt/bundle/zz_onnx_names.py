"""A plan in the names of the user's own ONNX model."""

from __future__ import annotations

from typing import Any

from splitopt.convert.names.record import Correspondence
from splitopt.planning.split_plan import PlannedSegment


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
