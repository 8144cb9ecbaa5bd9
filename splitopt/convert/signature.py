"""Inputs and outputs of a converted model in the order that the ONNX model has them in.

Converters reorder both: the ONNX outputs (a, b) may come out as (b, a). The file's signature has
the names: inputs keep theirs, output number i is called `output_i`. Independent of quantisation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as fb

from splitopt.base.errors import ToolError
from splitopt.graph.packed import pack


@dataclass(frozen=True)
class _Order:
    """Positions in the .tflite of the ONNX model's inputs and outputs, in ONNX's order."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def in_order_of(tflite: bytes, input_names: Sequence[str]) -> bytes:
    """A converter's own output, which is trusted, with inputs as `input_names` lists them, outputs
    by number, and its signature alike; as it is where nothing moves. Raises ToolError."""
    order = _read_order(tflite, input_names)
    if (*order.inputs, *order.outputs) == (*range(len(order.inputs)), *range(len(order.outputs))):
        return tflite
    model = fb.ModelT.InitFromObj(fb.Model.GetRootAsModel(tflite, 0))
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    graph.inputs = [int(graph.inputs[at]) for at in order.inputs]
    graph.outputs = [int(graph.outputs[at]) for at in order.outputs]
    signature.inputs.sort(key=lambda entry: graph.inputs.index(entry.tensorIndex))
    signature.outputs.sort(key=lambda entry: graph.outputs.index(entry.tensorIndex))
    return pack(model)


def _read_order(tflite: bytes, input_names: Sequence[str]) -> _Order:
    model = fb.Model.GetRootAsModel(tflite, 0)
    graph = model.Subgraphs(0)
    if graph.InputsLength() != len(input_names):
        raise ToolError(
            f"the converter made a model of {graph.InputsLength()} inputs from one of "
            f"{len(input_names)}: an input that nothing uses, perhaps; remove it"
        )
    if graph.InputsLength() == graph.OutputsLength() == 1:
        return _Order((0,), (0,))
    if model.SignatureDefsLength() != 1:
        raise ToolError("the converter wrote no signature; inputs and outputs cannot be told apart")
    signature = model.SignatureDefs(0)
    made = [signature.Inputs(i) for i in range(signature.InputsLength())]
    fed = {_text(entry.Name()): entry.TensorIndex() for entry in made}
    ends = [signature.Outputs(i) for i in range(signature.OutputsLength())]
    numbered = sorted((_number(_text(entry.Name())), entry.TensorIndex()) for entry in ends)
    inputs = [graph.Inputs(i) for i in range(graph.InputsLength())]
    outputs = [graph.Outputs(i) for i in range(graph.OutputsLength())]
    try:
        return _Order(
            tuple(inputs.index(fed[name]) for name in input_names),
            tuple(outputs.index(tensor) for _, tensor in numbered),
        )
    except (KeyError, ValueError):
        raise ToolError(
            f"the converter's signature names the inputs {sorted(fed)}, want {list(input_names)}"
        ) from None


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "replace")


def _number(name: str) -> int:
    """`output_12` → 12."""
    digits = re.search(r"(\d+)$", name)
    return int(digits[1]) if digits else 0
