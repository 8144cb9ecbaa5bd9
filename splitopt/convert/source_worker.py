"""The worker that reads an untrusted ONNX file and makes it fit for conversion.

Run as `python -m splitopt.convert.source_worker FOLDER`. The request names the file; the reply
describes the cleaned model, whose bytes come as the array `model`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.base.errors import UsageError
from splitopt.base.files import read_file
from splitopt.convert.constant_nodes import constants_to_initializers
from splitopt.convert.onnx_external import MAX_FILE_BYTES, Refusal, load_external
from splitopt.convert.onnx_names import name_nodes, owner_of, plain_nodes, plain_tensors
from splitopt.convert.onnx_shapes import OpenAxes, fix_shapes, inputs_of
from splitopt.convert.rewrite.rewrite import rewrite, unfold_group_norms
from splitopt.convert.unsupported_nodes import refusal
from splitopt.runtime.worker_process import Array, Task, serve

OLDEST_OPSET = 7
Given = Sequence[tuple[str, str, tuple[str, ...]]]
"""Type, name and outputs of each node as the user has it."""


def handle(task: Task) -> tuple[dict[str, Any], Mapping[str, Array]]:
    path = Path(task.request["file"])
    task.working_on(f"{path}: reading the ONNX model")
    try:
        described, data = clean(path, task.request["shapes"])
    except Refusal as refusal:
        opened = dict(refusal.inputs) if isinstance(refusal, OpenAxes) else {}
        return {"refusal": str(refusal), "open": opened}, {}
    return described, {"model": np.frombuffer(data, np.uint8)}


def clean(path: Path, shapes: Mapping[str, Sequence[int]]) -> tuple[dict[str, Any], bytes]:
    """The model checked, of fixed shapes, names plain, simplified. Raises Refusal."""
    model = _without_functions(_load(path))
    _check_operators(model)
    name_nodes(model.graph)
    external = load_external(model, path)
    constants_to_initializers(model)
    batch = fix_shapes(model, shapes)
    group_norms = unfold_group_norms(model, partial(_infer, strict=False))
    _check_whole(model)
    given = [(node.op_type, node.name, tuple(node.output)) for node in model.graph.node]
    tensors = {value.name for value in inputs_of(model.graph)}
    tensors |= {name for node in model.graph.node for name in node.output}
    model, simplified = _simplify(model)
    constants_to_initializers(model)
    rewritten = rewrite(model, _check_whole)
    if group_norms:
        rewritten["GroupNormalization"] = group_norms
    refused = refusal(model, [(kind, name) for kind, name, _ in given])
    if refused is not None:
        raise Refusal(refused)
    renamed, renamed_nodes = plain_tensors(model.graph), plain_nodes(model.graph)
    _check_whole(model)
    graph = model.graph
    described = {
        "inputs": [_value(v) for v in inputs_of(graph)],
        "outputs": [_value(v) for v in graph.output],
        "opset": _opset(model),
        "renamed": renamed,
        "renamed_nodes": renamed_nodes,
        "told_nodes": _told_nodes(graph, renamed_nodes, renamed, given),
        "told_tensors": _told_tensors(graph, renamed, tensors),
        "batch_was_open": batch,
        "simplified": simplified,
        "rewritten": rewritten,
        "external": external,
        "nodes": [
            {
                "name": renamed_nodes.get(node.name, node.name),
                "type": node.op_type,
                "inputs": list(node.input),
                "outputs": list(node.output),
            }
            for node in graph.node
        ],
    }
    _check_ends(described)
    return described, model.SerializeToString()


def _told_nodes(
    graph: Any, renamed: Mapping[str, str], renamed_tensors: Mapping[str, str], given: Given
) -> dict[str, str]:
    """Node of the cleaned model → the user's node that it is, or that it stands for: the one in
    whose place it was made, else the one that makes the same tensor."""
    names, maker = {name for _, name, _ in given}, {out: n for _, n, outs in given for out in outs}
    told = {}
    for node in graph.node:
        owner = owner_of(renamed.get(node.name, node.name), names)
        made = (maker.get(renamed_tensors.get(out, out)) for out in node.output)
        owner = owner or next((name for name in made if name is not None), None)
        if owner is not None:
            told[node.name] = owner
    return told


def _told_tensors(graph: Any, renamed: Mapping[str, str], given: set[str]) -> dict[str, str]:
    """Tensor of the cleaned model → the user's tensor that it is."""
    made = [value.name for value in inputs_of(graph)]
    made += [name for node in graph.node for name in node.output]
    own = {name: renamed.get(name, name) for name in made}
    return {name: told for name, told in own.items() if told in given}


def _load(path: Path) -> Any:
    import onnx

    try:
        data = read_file(path, MAX_FILE_BYTES)
    except UsageError as error:
        raise Refusal(str(error).removeprefix(f"{path}: ")) from error
    try:
        model = onnx.load_from_string(data)
    except Exception as error:
        raise Refusal("not a whole ONNX file; export it again") from error
    if not model.graph.node or not model.graph.output:
        raise Refusal("holds no graph; not an ONNX model")
    return model


def _without_functions(model: Any) -> Any:
    """Newer exporters wrap operators in functions of the model's own."""
    from onnx import inliner

    return inliner.inline_local_functions(model) if model.functions else model


def _opset(model: Any) -> int:
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)


def _check_operators(model: Any) -> None:
    from onnx import defs

    opset, newest = _opset(model), defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise Refusal(f"opset {opset}; want {OLDEST_OPSET} to {newest}: export with opset 17")
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or not defs.has(node.op_type, opset, node.domain):
            raise Refusal(
                f"node {node.name!r}: operator {node.domain or 'ai.onnx'}::{node.op_type} is "
                f"unknown in opset {opset}"
            )
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise Refusal(
                f"node {node.name!r}: {node.op_type} is control flow, which a model for TFLM "
                "cannot hold here; unroll it before export"
            )


def _check_whole(model: Any) -> None:
    """Infers the model's shapes and checks it. Raises Refusal."""
    import onnx

    _infer(model)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise _refused_by_onnx(error) from error


def _infer(model: Any, *, strict: bool = True) -> None:
    """States the shapes of all tensors, as far as they follow; `strict`: or raises Refusal."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=strict, data_prop=True)
    except Exception as error:
        raise _refused_by_onnx(error) from error
    model.graph.CopyFrom(inferred.graph)


def _refused_by_onnx(error: Exception) -> Refusal:
    reason = " ".join(str(error).split())[:240]
    return Refusal(f"the ONNX checker refuses it: {reason}")


def _simplify(model: Any) -> tuple[Any, bool]:
    """By onnxsim; the model as it was where that cannot."""
    import onnxsim

    try:
        simple, same = onnxsim.simplify(model)
    except Exception:
        return model, False
    return (simple, True) if same and simple.graph.node else (model, False)


def _check_ends(described: Mapping[str, Any]) -> None:
    """Raises Refusal for a model without inputs, or with an output whose shape is not known."""
    if not described["inputs"]:
        raise Refusal("has no input; nothing could be fed")
    for value in described["outputs"]:
        if any(size <= 0 for size in value["shape"]):
            raise Refusal(
                f"output {value['name']!r}: its shape depends on the data; export with fixed shapes"
            )


def _value(value: Any) -> dict[str, Any]:
    dims = value.type.tensor_type.shape.dim
    return {"name": value.name, "shape": [int(dim.dim_value) for dim in dims]}


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), handle))
