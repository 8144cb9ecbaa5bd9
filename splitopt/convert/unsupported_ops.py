"""Ops of a converted model that TFLM cannot run, each with the ONNX nodes that it may come from.

Converted ops carry no ONNX names. Where the two models could not be compared, the nodes are
guessed from their type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from splitopt.base.errors import ModelError, SplitoptError, ToolError
from splitopt.convert.names.onnx_graph import OnnxNode
from splitopt.convert.names.record import Correspondence
from splitopt.convert.onnx2tf_log import UnmappedError
from splitopt.graph.model import ModelGraph
from splitopt.graph.registered_ops import unregistered_types
from splitopt.graph.schema import CUSTOM_OP

_FLEX = f"{CUSTOM_OP}:Flex"
_MAKERS = {
    "BROADCAST_TO": "Expand",
    "CONV_3D": "Conv",
    "CONV_3D_TRANSPOSE": "ConvTranspose",
    "DENSIFY": "Conv Gemm MatMul",
    "GATHER_ND": "GatherND GatherElements GridSample",
    "GELU": "Gelu Erf",
    "ONE_HOT": "OneHot",
    "POW": "Pow Reciprocal Sqrt",
    "RANGE": "Range",
    "REDUCE_PROD": "ReduceProd",
    "RELU_0_TO_1": "HardSigmoid Clip",
    "RELU_N1_TO_1": "Clip",
    "REVERSE_SEQUENCE": "ReverseSequence LSTM GRU RNN",
    "SCATTER_ND": "ScatterND ScatterElements",
    "SELECT": "Where",
    "SIGN": "Sign",
    "TILE": "Tile Expand",
    "TOPK_V2": "TopK",
    "WHERE": "NonZero",
}
_SHOWN = 3
_REFUSED_BY_TFLM = re.compile(r"Node (\w+) \(number (\d+)\) failed to (prepare|invoke)")


def unregistered(graph: ModelGraph) -> tuple[int, ...]:
    """Ops without a kernel in TFLM; TensorFlow's own, which converters leave in, are among them."""
    types = {*unregistered_types(graph)}
    return tuple(op.index for op in graph.ops if op.type in types or op.type.startswith(_FLEX))


def suspects(op_type: str, nodes: Sequence[OnnxNode]) -> tuple[str, ...]:
    """Up to three ONNX nodes of a type that converters turn into this op."""
    stem = op_type.removeprefix(_FLEX)
    makers = _MAKERS.get(stem, stem.replace("_", "")).upper().split()
    return tuple(node.name for node in nodes if node.type.upper() in makers)[:_SHOWN]


def require_runnable(
    graph: ModelGraph, path: Path, nodes: tuple[OnnxNode, ...], names: Correspondence | None
) -> None:
    """Raises ModelError where TFLM lacks a kernel, or an input or output is not int8."""
    foreign = unregistered(graph)
    if foreign:
        named = [f"{graph.op_name(op)}{_made_of(graph, op, nodes, names)}" for op in foreign[:3]]
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise ModelError(
            f"{path}: converted, {'; '.join(named)}{more} is not registered by TFLM; replace that "
            "before exporting"
        )
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.dtype.name != "INT8":
            raise ModelError(
                f"{path}: converted, its {tensor.name!r} is {tensor.dtype.name}, want INT8; end "
                "the model before the ONNX node that makes it"
            )


def not_run(
    error: ToolError,
    graph: ModelGraph,
    path: Path,
    nodes: tuple[OnnxNode, ...],
    names: Correspondence | None,
) -> SplitoptError:
    """A kernel of TFLM that refuses its op is a fault of the model, and named as in the ONNX."""
    refused = _REFUSED_BY_TFLM.search(str(error))
    if refused is None or int(refused[2]) >= len(graph.ops):
        return error
    op = int(refused[2])
    return ModelError(
        f"{path}: converted, {graph.op_name(op)}{_made_of(graph, op, nodes, names)} is not run by "
        f"TFLM in {graph.tensors[graph.ops[op].outputs[0]].dtype.name} (failed to {refused[3]}); "
        "replace that before exporting"
    )


def unmapped(path: Path, error: UnmappedError, nodes: tuple[OnnxNode, ...]) -> ModelError:
    """The error in the words of the ONNX model."""
    named = []
    for op in error.ops[:3]:
        guessed = suspects(op, nodes)
        named.append(f"{op} (perhaps ONNX node {', '.join(guessed)})" if guessed else op)
    return ModelError(
        f"{path}: TFLite has no op for {'; '.join(named)}, onnx2tf fell back on TensorFlow's own, "
        "which TFLM cannot run; replace that before exporting"
    )


def _made_of(
    graph: ModelGraph, op: int, nodes: tuple[OnnxNode, ...], names: Correspondence | None
) -> str:
    known = names.nodes_of_op(op) if names else ()
    if known:
        return f" (made of ONNX node {', '.join(known)})"
    guessed = suspects(graph.ops[op].type, nodes)
    return f" (perhaps made of ONNX node {', '.join(guessed)})" if guessed else ""
