"""Where the ONNX model can be cut as the int8 graph is: tensors of both that hold the same values.

Works on the cleaned ONNX model, the one that was converted. Independent of plans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import prod

import numpy as np
import numpy.typing as npt

from splitopt.convert.calibration import WITH_CHANNELS
from splitopt.convert.names.onnx_graph import OnnxGraph
from splitopt.convert.names.record import VALUES, Correspondence, Match
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import boundary_candidates

Mask = npt.NDArray[np.bool_]


def cut_tensors(
    graph: ModelGraph,
    onnx: OnnxGraph,
    names: Correspondence,
    renamed: Mapping[str, str],
    inputs: Sequence[str],
) -> dict[int, str]:
    """TFLite tensor → the ONNX tensor at which the ONNX model can be cut in its stead.

    An inner tensor has one where an ONNX tensor with a batch of one has its values, and keeps
    them in its order once channels are last. Of several, the first that is made.
    `renamed`: name in the cleaned model → in the user's, which `names` speaks of, and `inputs`, of
    those of the graph.
    """
    plain = {user: name for name, user in renamed.items()}
    made = (*(value.name for value in onnx.inputs), *onnx.maker)
    position = {name: at for at, name in enumerate(made)}
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
    for tensor, name in zip(graph.inputs, inputs, strict=True):
        found[tensor] = plain.get(name, name)
    if len(graph.outputs) == len(onnx.outputs) == 1:
        found[graph.outputs[0]] = onnx.outputs[0]
    return found


def _keeps_order(match: Match, onnx: OnnxGraph, name: str) -> bool:
    shape = onnx.shapes.get(name, ())
    if match.evidence != VALUES or not shape or shape[0] != 1 or None in shape:
        return False
    sizes = [size or 0 for size in shape]
    is_one_column = len(sizes) not in WITH_CHANNELS or prod(sizes[2:]) == 1 or sizes[1] == 1
    return match.layout.startswith("nhwc") or (
        is_one_column and match.layout in ("same", "reshaped")
    )


def onnx_segments(graph: ModelGraph, onnx: OnnxGraph, onnx_tensor: Mapping[int, str]) -> Mask:
    """[start, stop] is true where the ONNX model has the same segment, with nodes in it.

    `onnx_tensor`: what `cut_tensors` found.
    """
    n = len(graph.ops)
    before = [_nodes_before(cut, graph, onnx, onnx_tensor) for cut in range(n + 1)]
    allowed = np.zeros((n + 1, n + 1), dtype=bool)
    for (start, first), (stop, last) in combinations(enumerate(before), 2):
        allowed[start, stop] = first is not None and last is not None and first < last
    return allowed


def _nodes_before(
    cut: int, graph: ModelGraph, onnx: OnnxGraph, onnx_tensor: Mapping[int, str]
) -> frozenset[int] | None:
    """The ONNX nodes before a cut; None where the ONNX model cannot be cut there."""
    alive = [
        candidate.tensor
        for candidate in boundary_candidates(graph)
        if (candidate.maker is None or candidate.maker < cut) and candidate.last >= cut
    ]
    made = [t for t in graph.outputs if graph.producer.get(t, -1) < cut]
    if any(tensor not in onnx_tensor for tensor in (*alive, *made)):
        return None
    kept = {onnx_tensor[tensor] for tensor in alive}
    before = onnx.ancestors({*kept, *(onnx_tensor[tensor] for tensor in made)})
    for node in onnx.useful - before:
        for tensor in onnx.nodes[node].inputs:
            is_inner = tensor in onnx.maker and onnx.maker[tensor] not in before
            if tensor in onnx.root and tensor not in kept and not is_inner:
                return None
    return before
