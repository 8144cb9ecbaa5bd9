"""Parts of an ONNX model as models of their own; runs in the worker that holds onnx.

onnx2tf gives a model's inputs channels last, its outputs as ONNX has them: a Transpose at each
output keeps them channels last, too, so that pieces meet in one layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from splitopt.base.errors import ModelError
from splitopt.convert.calibration import WITH_CHANNELS


def cut_out(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The nodes that make `outputs` from `inputs`, with what they need, as a model.

    `model` carries the shapes of its inner tensors. Raises ModelError where an output needs an
    input of the model that is not among `inputs`.
    """
    from onnx import helper

    graph = model.graph
    values = {v.name: v for v in (*graph.input, *graph.output, *graph.value_info)}
    nodes = _between(graph, inputs, outputs)
    read = {name for node in nodes for name in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name in read]
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    ends, transposes = [], []
    for name in outputs:
        end, transpose = _channels_last(values[name], taken)
        ends.append(end)
        transposes += transpose
    part = helper.make_graph(
        [*nodes, *transposes],
        "piece",
        [values[name] for name in inputs],
        ends,
        initializers,
        value_info=[values[name] for node in nodes for name in node.output if name in values],
    )
    piece = helper.make_model(part, opset_imports=list(model.opset_import))
    piece.ir_version = model.ir_version
    return piece


def _between(graph: Any, inputs: Iterable[str], outputs: Iterable[str]) -> list[Any]:
    """The nodes on the paths from `inputs` to `outputs`, in file order."""
    maker: Mapping[str, int] = {
        name: at for at, node in enumerate(graph.node) for name in node.output
    }
    constants = {tensor.name for tensor in graph.initializer}
    found: set[int] = set()
    met = {*inputs, *constants, ""}
    pending = [name for name in outputs if name not in met]
    while pending:
        name = pending.pop()
        if name in met:
            continue
        met.add(name)
        if name not in maker:
            raise ModelError(f"{name!r} is an input of the model that the piece is not given")
        found.add(maker[name])
        pending += graph.node[maker[name]].input
    return [graph.node[at] for at in sorted(found)]


def _channels_last(value: Any, taken: set[str]) -> tuple[Any, list[Any]]:
    """The output as it leaves the piece, and the Transpose that makes it, where it has channels."""
    from onnx import helper

    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    rank = len(shape)
    if rank not in WITH_CHANNELS:
        return value, []
    order = [0, *range(2, rank), 1]
    name = f"{value.name}_channels_last"
    while name in taken:
        name += "_"
    taken.add(name)
    node = helper.make_node("Transpose", [value.name], [name], name=name, perm=order)
    kind = value.type.tensor_type.elem_type
    return helper.make_tensor_value_info(name, kind, [shape[axis] for axis in order]), [node]
