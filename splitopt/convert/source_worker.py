"""The worker that reads an ONNX file from a stranger and makes it fit for conversion.

Run as `python -m splitopt.convert.source_worker FOLDER`. The request names the file; the reply
describes the cleaned model, whose bytes come as the array `model`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.errors import ToolError
from splitopt.target.child import Array, Task, serve

OLDEST_OPSET = 7
MAX_FILE_BYTES = 256 * 1024 * 1024


class Refusal(ToolError):
    """What is wrong with the model, as a sentence for its user."""


def handle(task: Task) -> tuple[dict[str, Any], Mapping[str, Array]]:
    path = Path(task.request["file"])
    task.working_on(f"{path}: reading the ONNX model")
    try:
        described, data = clean(path)
    except Refusal as refusal:
        return {"refusal": str(refusal)}, {}
    return described, {"model": np.frombuffer(data, np.uint8)}


def clean(path: Path) -> tuple[dict[str, Any], bytes]:
    """The model checked, batch 1, names plain, simplified. Raises Refusal."""
    model = _load(path)
    _check_operators(model)
    _load_external(model, path)
    batch = _fix_shapes(model)
    _check_whole(model)
    rewritten = _rewrite_hard_sigmoids(model)
    renamed = _plain_names(model)
    model, simplified = _simplify(model)
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    described = {
        "inputs": [_value(v) for v in graph.input if v.name not in constants],
        "outputs": [_value(v) for v in graph.output],
        "opset": _opset(model),
        "renamed": renamed,
        "batch_was_open": batch,
        "simplified": simplified,
        "rewritten": rewritten,
        "nodes": len(graph.node),
    }
    return described, model.SerializeToString()


def _load(path: Path) -> Any:
    import onnx

    if path.stat().st_size > MAX_FILE_BYTES:
        raise Refusal(f"larger than {MAX_FILE_BYTES:,} bytes")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise Refusal("not a whole ONNX file; export it again") from error
    if not model.graph.node or not model.graph.output:
        raise Refusal("holds no graph; not an ONNX model")
    return model


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
            raise Refusal(f"node {node.name!r}: {node.op_type} is control flow, not planned")


def _load_external(model: Any, path: Path) -> None:
    """Weights beside the model, if they are there and inside its folder."""
    from onnx import external_data_helper

    folder = path.resolve().parent
    for tensor in model.graph.initializer:
        if not external_data_helper.uses_external_data(tensor):
            continue
        place = next((e.value for e in tensor.external_data if e.key == "location"), "")
        file = (folder / place).resolve()
        if not file.is_relative_to(folder):
            raise Refusal(f"tensor {tensor.name!r}: its data file {place!r} is outside the folder")
        if not file.is_file():
            raise Refusal(f"tensor {tensor.name!r}: its data file {place!r} is missing")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise Refusal(f"data file {place!r} is larger than {MAX_FILE_BYTES:,} bytes")
    external_data_helper.load_external_data_for_model(model, str(folder))


def _fix_shapes(model: Any) -> bool:
    """Sets an open batch to 1; whether there was one. Raises Refusal for any other open size."""
    constants = {tensor.name for tensor in model.graph.initializer}
    was_open = False
    for value in model.graph.input:
        if value.name in constants:
            continue
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            if axis:
                size = dim.dim_param or "?"
                raise Refusal(
                    f"input {value.name!r}: axis {axis} has no fixed size ({size}); "
                    "export with fixed shapes (only the batch may be open)"
                )
            dim.dim_value, was_open = 1, True
    if was_open:
        for value in model.graph.output:
            dims = value.type.tensor_type.shape.dim
            if dims and not dims[0].HasField("dim_value"):
                dims[0].dim_value = 1
        del model.graph.value_info[:]
    return was_open


def _check_whole(model: Any) -> None:
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:240]
        raise Refusal(f"the ONNX checker refuses it: {reason}") from error


def _rewrite_hard_sigmoids(model: Any) -> int:
    """HardSigmoid = clip(6·(alpha·x + beta), 0, 6) / 6: TFLM has RELU6 but no RELU_0_TO_1."""
    from onnx import helper, numpy_helper

    nodes, count = [], 0
    for node in model.graph.node:
        if node.op_type != "HardSigmoid":
            nodes.append(node)
            continue
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        values = {
            "scale": 6 * given.get("alpha", 0.2), "shift": 6 * given.get("beta", 0.5),
            "low": 0.0, "high": 6.0, "sixth": 1 / 6,
        }  # fmt: skip
        name = f"hard_sigmoid_{count}"
        for key, value in values.items():
            array = np.array(value, dtype=np.float32)
            model.graph.initializer.append(numpy_helper.from_array(array, f"{name}_{key}"))
        steps = (
            ("Mul", [node.input[0], f"{name}_scale"], f"{name}_a"),
            ("Add", [f"{name}_a", f"{name}_shift"], f"{name}_b"),
            ("Clip", [f"{name}_b", f"{name}_low", f"{name}_high"], f"{name}_c"),
            ("Mul", [f"{name}_c", f"{name}_sixth"], node.output[0]),
        )
        nodes += [
            helper.make_node(op, reads, [makes], name=f"{node.name or name}_{k}")
            for k, (op, reads, makes) in enumerate(steps)
        ]
        count += 1
    if count:
        del model.graph.node[:]
        model.graph.node.extend(nodes)
    return count


def _plain_names(model: Any) -> dict[str, str]:
    """Replaces what onnx2tf stumbles over in tensor names; new name → old one, where changed."""
    graph = model.graph
    names = {n for node in graph.node for n in (*node.input, *node.output) if n}
    names |= {v.name for v in (*graph.input, *graph.output, *graph.initializer)}
    taken = {name for name in names if not re.search(r"[^0-9A-Za-z_]", name)}
    new: dict[str, str] = {}
    for name in sorted(names - taken):
        plain = stem = re.sub(r"[^0-9A-Za-z_]", "_", name)
        number = 1
        while plain in taken:
            plain, number = f"{stem}_{number}", number + 1
        taken.add(plain)
        new[name] = plain
    _rename(graph, lambda name: new.get(name, name))
    return {plain: old for old, plain in new.items()}


def _rename(graph: Any, of: Callable[[str], str]) -> None:
    for node in graph.node:
        node.input[:] = [of(name) for name in node.input]
        node.output[:] = [of(name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = of(value.name)


def _simplify(model: Any) -> tuple[Any, bool]:
    """By onnxsim; the model as it was where that cannot."""
    import onnxsim

    try:
        simple, same = onnxsim.simplify(model)
    except Exception:
        return model, False
    return (simple, True) if same and simple.graph.node else (model, False)


def _value(value: Any) -> dict[str, Any]:
    dims = value.type.tensor_type.shape.dim
    return {"name": value.name, "shape": [int(dim.dim_value) for dim in dims]}


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), handle))
