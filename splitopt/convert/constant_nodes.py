"""`Constant` nodes of an ONNX model as initializers, where all later steps look for numbers.

Runs in the worker that holds onnx. Exporters and onnxsim write either; a node that is an output of
the model, or holds a sparse tensor or text, stays.
"""

from __future__ import annotations

from typing import Any

_OLDEST_IR = 4  # before, each initializer had to be listed among the inputs
_NUMBERS = {"value_float": "FLOAT", "value_floats": "FLOAT"}
_NUMBERS |= {"value_int": "INT64", "value_ints": "INT64"}


def constants_to_initializers(model: Any) -> None:
    """Changes a model in place; each initializer has the name of what the node made."""
    graph = model.graph
    kept, ends = [], {value.name for value in graph.output}
    for node in graph.node:
        tensor = None if ends & {*node.output} else _tensor(node)
        if tensor is None:
            kept.append(type(node).FromString(node.SerializeToString()))
        else:
            graph.initializer.append(tensor)
    if len(kept) == len(graph.node):
        return
    del graph.node[:]
    graph.node.extend(kept)
    model.ir_version = max(model.ir_version, _OLDEST_IR)


def _tensor(node: Any) -> Any | None:
    """What a Constant node makes; None for another node, or a kind that no initializer has."""
    from onnx import TensorProto, helper

    is_constant = node.op_type == "Constant" and node.domain in ("", "ai.onnx")
    if not is_constant or len(node.output) != 1 or len(node.attribute) != 1:
        return None
    name, own = node.output[0], node.attribute[0]
    if own.name == "value":
        tensor = TensorProto.FromString(own.t.SerializeToString())
        tensor.name = name
        return tensor
    if own.name not in _NUMBERS:
        return None
    values = helper.get_attribute_value(own)
    kind = TensorProto.DataType.Value(_NUMBERS[own.name])
    is_list = own.name.endswith("s")
    shape, flat = ([len(values)], [*values]) if is_list else ([], [values])
    return helper.make_tensor(name, kind, shape, flat)
