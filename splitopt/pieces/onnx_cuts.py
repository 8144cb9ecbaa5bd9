"""Where the ONNX model can be cut as the int8 graph is: tensors of both that hold the same values.

Works on the cleaned ONNX model, the one that was converted. Knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from splitopt.convert.calibration import WITH_CHANNELS
from splitopt.convert.names.onnx_graph import OnnxGraph
from splitopt.convert.names.record import VALUES, Correspondence, Match
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import boundary_candidates

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Anchors:
    """TFLite tensor → the ONNX tensor at which the ONNX model is cut in its stead."""

    onnx_tensor: Mapping[int, str]

    def names(self, tensors: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self.onnx_tensor[tensor] for tensor in tensors)


def find_anchors(
    graph: ModelGraph, onnx: OnnxGraph, names: Correspondence, renamed: Mapping[str, str]
) -> Anchors:
    """`renamed`: name in the cleaned model → in the user's, which `names` speaks of.

    An inner tensor has an anchor where an ONNX tensor with a batch of one has its values, and
    keeps them in its order once channels are last. Of several, the first that is made.
    """
    plain = {user: name for name, user in renamed.items()}
    position = {name: at for at, name in enumerate((*_inputs(onnx), *onnx.maker))}
    found: dict[int, str] = {}
    ends = {*graph.inputs, *graph.outputs}
    for match in names.matches:
        name = plain.get(match.onnx_tensor, match.onnx_tensor)
        tensor = match.tflite_tensor
        if name not in position or (tensor not in ends and not _keeps_order(match, onnx, name)):
            continue
        if tensor in graph.outputs and name not in onnx.outputs:
            continue
        if tensor not in found or position[name] < position[found[tensor]]:
            found[tensor] = name
    if len(graph.inputs) == len(onnx.inputs) == 1:
        found[graph.inputs[0]] = onnx.inputs[0].name
    if len(graph.outputs) == len(onnx.outputs) == 1:
        found[graph.outputs[0]] = onnx.outputs[0]
    return Anchors(found)


def _keeps_order(match: Match, onnx: OnnxGraph, name: str) -> bool:
    shape = onnx.shapes.get(name, ())
    if match.evidence != VALUES or not shape or shape[0] != 1 or None in shape:
        return False
    sizes = [size or 0 for size in shape]
    is_one_column = len(sizes) not in WITH_CHANNELS or prod(sizes[2:]) == 1 or sizes[1] == 1
    return match.layout.startswith("nhwc") or (
        is_one_column and match.layout in ("same", "reshaped")
    )


def _inputs(onnx: OnnxGraph) -> Iterator[str]:
    yield from (value.name for value in onnx.inputs)


def onnx_segments(graph: ModelGraph, onnx: OnnxGraph, anchors: Anchors) -> Mask:
    """[start, stop] is true where the ONNX model has the same segment, with nodes in it."""
    n = len(graph.ops)
    before = [_nodes_before(cut, graph, onnx, anchors) for cut in range(n + 1)]
    allowed = np.zeros((n + 1, n + 1), dtype=bool)
    ends = [cut for cut in range(n + 1) if before[cut] is not None]
    for start in ends:
        for stop in ends:
            first, last = before[start], before[stop]
            assert first is not None, "an end is a cut that the ONNX model has"
            assert last is not None, "an end is a cut that the ONNX model has"
            allowed[start, stop] = start < stop and first < last
    return allowed


def _nodes_before(
    cut: int, graph: ModelGraph, onnx: OnnxGraph, anchors: Anchors
) -> frozenset[int] | None:
    """The ONNX nodes on the near side of a cut; None where the anchors don't part the model."""
    alive = [
        candidate.tensor
        for candidate in boundary_candidates(graph)
        if (candidate.maker is None or candidate.maker < cut) and candidate.last >= cut
    ]
    made = [t for t in graph.outputs if graph.producer.get(t, -1) < cut]
    if any(tensor not in anchors.onnx_tensor for tensor in (*alive, *made)):
        return None
    kept = {anchors.onnx_tensor[tensor] for tensor in alive}
    before = _ancestors(onnx, {*kept, *(anchors.onnx_tensor[tensor] for tensor in made)})
    for node in onnx.useful - before:
        for tensor in onnx.nodes[node].inputs:
            is_inner = tensor in onnx.maker and onnx.maker[tensor] not in before
            if tensor in onnx.root and tensor not in kept and not is_inner:
                return None
    return before


def _ancestors(onnx: OnnxGraph, tensors: set[str]) -> frozenset[int]:
    found: set[int] = set()
    pending = [tensor for tensor in tensors if tensor in onnx.maker]
    while pending:
        node = onnx.maker[pending.pop()]
        if node not in found:
            found.add(node)
            pending += [t for t in onnx.nodes[node].inputs if t in onnx.maker]
    return frozenset(found)
