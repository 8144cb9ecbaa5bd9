"""The worker that holds onnx and onnxruntime: describes a float model, and runs it.

Run as `python -m splitopt.convert.onnx_worker FOLDER`. Three kinds of request:
`describe`: the graph as plain data, see `splitopt.convert.names.onnx_graph`;
`run`: the tensors that `keep` names, inner ones too, for samples with a leading sample axis;
`cut`: the model bytes of `pieces`, each of which names its inputs and outputs.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.convert.onnx_cut import cut_out
from splitopt.convert.onnx_names import name_nodes, unique_names
from splitopt.runtime.worker_process import Array, Task, serve

Made = tuple[dict[str, Any], dict[str, Array]]

_MISSING = "{} is not installed: pip install onnx onnxruntime"


def handle(task: Task) -> Made:
    request = task.request
    task.working_on(f"{request['file']} in onnxruntime")
    path = Path(request["file"])
    if request["kind"] == "describe":
        return describe(_load(path).graph), {}
    if request["kind"] == "cut":
        return {}, _cut(path, request["pieces"])
    return {}, _run(path, request["keep"], task.arrays)


def _cut(path: Path, pieces: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    model = _load(path)
    parts = [cut_out(model, piece["inputs"], piece["outputs"]) for piece in pieces]
    return {
        str(number): np.frombuffer(part.SerializeToString(), np.uint8)
        for number, part in enumerate(parts)
    }


def describe(graph: Any) -> dict[str, Any]:
    """Nodes in file order, each with a name of its own and a digest of what it does."""
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {sparse.values.name for sparse in graph.sparse_initializer}
    return {
        "inputs": [
            {"name": value.name, "shape": _shape(value)}
            for value in graph.input
            if value.name not in constants
        ],
        "outputs": [value.name for value in graph.output],
        "shapes": {
            value.name: _shape(value) for value in (*graph.input, *graph.output, *graph.value_info)
        },
        "nodes": list(_nodes(graph)),
    }


def _nodes(graph: Any) -> Iterator[dict[str, Any]]:
    for node, name in zip(graph.node, unique_names(graph), strict=True):
        yield {
            "name": name,
            "type": node.op_type,
            "inputs": [*node.input, *sorted(_captured(node))],
            "outputs": list(node.output),
            "digest": _digest_of_node(node),
        }


def _captured(node: Any) -> set[str]:
    """Outer tensors that the bodies of If, Loop and Scan read without naming them as inputs."""
    found: set[str] = set()
    for attribute in node.attribute:
        for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            own = {value.name for value in (*body.input, *body.initializer)}
            for inner in body.node:
                found |= ({*inner.input} | _captured(inner)) - own
                own |= {*inner.output}
            found |= {value.name for value in body.output} - own
    return found - {""}


def _digest_of_node(node: Any) -> str:
    attributes = sorted(attribute.SerializeToString() for attribute in node.attribute)
    head = f"{node.domain}/{node.op_type}".encode()
    return hashlib.sha256(b"\0".join([head, *attributes])).hexdigest()


def _shape(value: Any) -> list[int | None]:
    """Sizes that the file fixes; None for one that it leaves open."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]


def _run(path: Path, keep: Sequence[str], feeds: Mapping[str, Array]) -> dict[str, Array]:
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise ToolError(_MISSING.format(error.name)) from error
    model = _load(path)
    name_nodes(model.graph)  # onnxruntime refuses a name that two nodes have
    inner = set(keep) - {value.name for value in (*model.graph.output, *model.graph.input)}
    for name in sorted(inner):
        model.graph.output.add().name = name
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Optimised, it would fuse away the very tensors that are asked for.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    made = [value.name for value in session.get_outputs() if value.name in set(keep)]

    def infer(sample: int) -> dict[str, Array]:
        fed = {name: feed[sample] for name, feed in feeds.items()}
        arrays = dict(zip(made, session.run(made, fed), strict=True))
        return {name: a for name, a in arrays.items() if isinstance(a, np.ndarray)}

    results = [infer(sample) for sample in range(len(next(iter(feeds.values()))))]
    same = [name for name in results[0] if len({result[name].shape for result in results}) == 1]
    return {name: np.stack([result[name] for result in results]) for name in same}


def _load(path: Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ToolError(_MISSING.format(error.name)) from error
    return onnx.load(str(path))


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), handle))
