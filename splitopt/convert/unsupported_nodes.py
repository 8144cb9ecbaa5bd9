"""ONNX nodes that certainly end in what TFLM cannot run, named before a minute of conversion.

Each entry was tried: a small model with the node was converted by onnx2tf 1.28 and full-integer
quantisation. Operators that only sometimes fail are not here (a Sqrt under a division becomes
RSQRT, which TFLM has): these are named after the conversion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SHOWN = 3
_LOOP = "becomes control flow, which a model for TFLM cannot hold here"
_UNROLL = "unroll it over its time steps before export"
_TENSORFLOW = "has no op in TFLite: onnx2tf leaves TensorFlow's own in, which TFLM cannot run"
_WRITE = "write it in other operators before export"
_TABLE = "use another activation, or one that a table or a polynomial of Mul and Add stands for"


def _no_kernel(op: str) -> str:
    return f"becomes {op}, for which TFLM has no int8 kernel"


_REFUSED: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("GRU", "LSTM", "RNN"), (_LOOP, _UNROLL)),
    **dict.fromkeys(
        ("Erf", "Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh"),
        (_TENSORFLOW, _TABLE),
    ),
    "Gelu": (_no_kernel("GELU"), "use HardSwish or Relu, or x * Sigmoid(1.702 * x)"),
    **dict.fromkeys(("Softplus", "Celu", "Mish"), (_no_kernel("EXP"), _TABLE)),
    "ReduceLogSumExp": (_no_kernel("EXP"), _WRITE),
    **dict.fromkeys(("Selu", "Shrink"), (_no_kernel("SELECT"), "use Relu, LeakyRelu or Elu")),
    "ThresholdedRelu": (_no_kernel("SIGN"), "use Relu"),
    "Tile": (_no_kernel("TILE"), "use Concat of the same tensor"),
    "Pow": (_no_kernel("POW"), "use Mul, or a whole constant as exponent"),
    "LRN": (_no_kernel("LOCAL_RESPONSE_NORMALIZATION"), "use BatchNormalization"),
    "ReduceProd": (_no_kernel("REDUCE_PROD"), "use Mul of slices"),
    "OneHot": (_no_kernel("ONE_HOT"), "use Gather of an identity matrix"),
}


def refusal(graph: Any) -> str | None:
    """A sentence on the first nodes of an ONNX graph that cannot become ops of TFLM.

    What is computed from constants alone is left out: converters fold it.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    fed = {value.name for value in graph.input} - constants.keys()
    found: list[tuple[str, str]] = []
    for node in graph.node:
        if fed.isdisjoint(node.input):
            continue
        fed |= {name for name in node.output if name}
        if node.op_type in _REFUSED and not _is_harmless(node, constants):
            named = node.name or next(name for name in node.output if name)
            found.append((node.op_type, named))
    return "; ".join(_said(found)) if found else None


def _said(found: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Nodes of one type are named together."""
    types = dict.fromkeys(op_type for op_type, _ in found)
    for op_type in [*types][:_SHOWN]:
        names = [name for of, name in found if of == op_type]
        why, way_out = _REFUSED[op_type]
        shown = ", ".join(map(repr, names[:_SHOWN]))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"node {shown}{more} {op_type} {why}; {way_out}"


def _is_harmless(node: Any, constants: Mapping[str, Any]) -> bool:
    """A Pow of a whole exponent becomes MUL, of -1/2 RSQRT; a Tile that repeats nothing goes."""
    if node.op_type not in ("Pow", "Tile"):
        return False
    second = constants.get(node.input[1])
    if second is None:
        return False
    from onnx import numpy_helper

    values = numpy_helper.to_array(second).reshape(-1).tolist()
    if node.op_type == "Tile":
        return all(value == 1 for value in values)
    return all(float(value).is_integer() or value == -0.5 for value in values)
