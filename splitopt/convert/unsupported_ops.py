"""Ops of a converted model that TFLM cannot run, each with the ONNX nodes that it may come from.

Converted ops carry no ONNX names. Where the two models could not be compared, the nodes are
guessed from their type.
"""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.convert.names.onnx_graph import OnnxNode
from splitopt.graph.model import ModelGraph
from splitopt.graph.registered_ops import unregistered_types
from splitopt.graph.schema import CUSTOM_OP

_FLEX = f"{CUSTOM_OP}:Flex"
_MAKERS = {
    "BROADCAST_TO": "Expand",
    "CONV_3D": "Conv",
    "CONV_3D_TRANSPOSE": "ConvTranspose",
    "DENSIFY": "Conv Gemm MatMul",
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


def unregistered(graph: ModelGraph) -> tuple[int, ...]:
    """Ops without a kernel in TFLM; TensorFlow's own, which converters leave in, are among them."""
    types = {*unregistered_types(graph)}
    return tuple(op.index for op in graph.ops if op.type in types or op.type.startswith(_FLEX))


def suspects(op_type: str, nodes: Sequence[OnnxNode]) -> tuple[str, ...]:
    """Up to three ONNX nodes of a type that converters turn into this op."""
    stem = op_type.removeprefix(_FLEX)
    makers = _MAKERS.get(stem, stem.replace("_", "")).upper().split()
    return tuple(node.name for node in nodes if node.type.upper() in makers)[:_SHOWN]
