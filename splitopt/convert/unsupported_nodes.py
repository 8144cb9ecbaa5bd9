"""ONNX nodes that certainly end in what TFLM cannot run, named before a minute of conversion.

Each entry was tried: a small model with the node was converted by onnx2tf 1.28 and full-integer
quantisation. What kernels run stands in `arena/kernel_types.py` and `graph/registered_ops.py`, with
the sources in TFLM; operators that onnx2tf lacks are those without a file in its folder `ops`. What
rewriting takes care of (`convert/rewrite/`) is gone before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from splitopt.convert.rewrite.editor import Editor, Node, attribute

_SHOWN = 3
_LOOP = "becomes control flow, which a model for TFLM cannot hold here"
_UNROLL = "unroll it over its time steps before export"
_KERAS = (
    f"{_UNROLL}, or convert an LSTM of Keras to .tflite, which keeps it as one op that TFLM has "
    "(UNIDIRECTIONAL_SEQUENCE_LSTM)"
)
_TENSORFLOW = "has no op in TFLite: onnx2tf leaves TensorFlow's own in, which TFLM cannot run"
_WRITE = "write it in other operators before export"
_TABLE = "use another activation, or one that a table or a polynomial of Mul and Add stands for"
_OUTSIDE = "end the model before it and do that in the application"
_RANK_OF_3D = 5


def _no_kernel(op: str) -> str:
    return f"becomes {op}, for which TFLM has no int8 kernel"


_REFUSED: Mapping[str, tuple[str, str]] = {
    "LSTM": (_LOOP, _KERAS),
    **dict.fromkeys(("GRU", "RNN"), (_LOOP, _UNROLL)),
    **dict.fromkeys(
        ("Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh"),
        (_TENSORFLOW, _TABLE),
    ),
    "Resize": (f"of mode cubic {_TENSORFLOW}", "use mode linear or nearest"),
    **dict.fromkeys(("Exp", "Softplus"), (_no_kernel("EXP"), _TABLE)),
    "Log": (_no_kernel("LOG"), _TABLE),
    "Sqrt": (
        f"{_no_kernel('SQRT')} but under a division, as RSQRT",
        "divide by it, or leave the root to the application",
    ),
    "ReduceLogSumExp": (_no_kernel("EXP"), _WRITE),
    "ReduceLogSum": (_no_kernel("LOG"), _WRITE),
    "ReduceL2": (_no_kernel("SQRT"), "use LpNormalization, or ReduceSumSquare where it will do"),
    "Shrink": (_no_kernel("SELECT"), "use Relu, LeakyRelu or Elu"),
    **dict.fromkeys(("ThresholdedRelu", "Sign"), (_no_kernel("SIGN"), "use Relu or Clip")),
    "Tile": (_no_kernel("TILE"), "use Concat of the same tensor"),
    "Pow": (_no_kernel("POW"), "use Mul, or a whole constant as exponent"),
    "LRN": (_no_kernel("LOCAL_RESPONSE_NORMALIZATION"), "use BatchNormalization"),
    "ReduceProd": (_no_kernel("REDUCE_PROD"), "use Mul of slices"),
    "OneHot": (_no_kernel("ONE_HOT"), "use Gather of an identity matrix"),
    **dict.fromkeys(
        ("ArgMax", "ArgMin", "Hardmax"),
        ("becomes ARG_MAX or ARG_MIN of INT64, which TFLM's kernel does not make", _OUTSIDE),
    ),
    "TopK": (_no_kernel("TOPK_V2"), _OUTSIDE),
    "NonMaxSuppression": (_no_kernel("NON_MAX_SUPPRESSION_V4"), _OUTSIDE),
    **dict.fromkeys(
        ("Conv", "ConvTranspose"),
        ("over three axes becomes CONV_3D, which TFLM does not register", "use one or two axes"),
    ),
}


def refusal(model: Any, given: Sequence[tuple[str, str]]) -> str | None:
    """A sentence on the first nodes of an ONNX model that cannot become ops of TFLM.

    What is computed from constants alone is left out: converters fold it. `given`: type and name of
    the nodes as the user knows them; simplification may have made new ones of these.
    """
    editor, found = Editor(model), list[tuple[str, str]]()
    constants = {tensor.name for tensor in editor.graph.initializer}
    fed = {value.name for value in editor.graph.input} - constants
    for node in editor.graph.node:
        if fed.isdisjoint(node.input):
            continue
        fed |= {name for name in node.output if name}
        if not _is_in_onnx2tf(node.op_type) or _is_refused(editor, node):
            known = (node.op_type, node.name) in given
            same = (
                [(node.op_type, node.name)] if known else [g for g in given if g[0] == node.op_type]
            )
            found += same or [(node.op_type, node.name)]
    return "; ".join(_said([*dict.fromkeys(found)])) if found else None


def _is_refused(editor: Editor, node: Node) -> bool:
    is_fine = _FINE.get(node.op_type)
    return node.op_type in _REFUSED and (is_fine is None or not is_fine(editor, node))


def _is_in_onnx2tf(op_type: str) -> bool:
    """Whether the installed onnx2tf has a file for it; looks without importing TensorFlow."""
    spec = find_spec("onnx2tf")
    if spec is None or spec.origin is None:
        return True
    return (Path(spec.origin).parent / "ops" / f"{op_type}.py").is_file()


def _said(found: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Nodes of one type are named together."""
    types = dict.fromkeys(op_type for op_type, _ in found)
    for op_type in [*types][:_SHOWN]:
        names = [name for of, name in found if of == op_type]
        why, way_out = _REFUSED.get(op_type, ("is unknown to onnx2tf", _WRITE))
        shown = ", ".join(map(repr, names[:_SHOWN]))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"node {shown}{more} {op_type} {why}; {way_out}"


def _pow_is_whole(editor: Editor, node: Node) -> bool:
    """A whole exponent becomes MUL, -1/2 RSQRT."""
    exponent = editor.constant(node.input[1])
    values = [] if exponent is None else exponent.reshape(-1).tolist()
    whole = all(float(value).is_integer() or value == -0.5 for value in values)
    return bool(values) and whole


def _repeats_nothing(editor: Editor, node: Node) -> bool:
    repeats = editor.constant(node.input[1])
    return repeats is not None and bool((repeats == 1).all())


def _is_under_a_division(editor: Editor, node: Node) -> bool:
    out = node.output[0]
    readers = [own for own in editor.graph.node if out in own.input]
    divided = all(own.op_type == "Div" and own.input[0] != out for own in readers)
    return bool(readers) and divided and out not in {v.name for v in editor.graph.output}


def _is_flat(editor: Editor, node: Node) -> bool:
    return len(editor.shape(node.input[1])) != _RANK_OF_3D


_FINE: Mapping[str, Callable[[Editor, Node], bool]] = {
    "Pow": _pow_is_whole,
    "Tile": _repeats_nothing,
    "Sqrt": _is_under_a_division,
    "Resize": lambda _, node: attribute(node, "mode", b"nearest") != b"cubic",
    **dict.fromkeys(("Conv", "ConvTranspose"), _is_flat),
}
