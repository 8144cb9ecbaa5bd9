"""An ONNX model, checked and cleaned in a child process before anything else looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from splitopt.base.errors import ModelError, ToolError
from splitopt.convert.float_onnx import ask_worker
from splitopt.convert.names.onnx_graph import OnnxNode, OnnxValue
from splitopt.convert.onnx_shapes import Axes, open_text

_TIMEOUT_S = 120.0
_NEEDED = ("onnx", "onnxsim", "onnxruntime", "onnx2tf", "tensorflow")


class OpenAxesError(ModelError):
    """Inputs of a model with open axes (words). `sizes`: what their samples have there."""

    def __init__(
        self, path: Path, inputs: Mapping[str, Axes], sizes: Mapping[str, Sequence[int]]
    ) -> None:
        super().__init__(f"{path}: {open_text(inputs, sizes)}")
        self.inputs = inputs


@dataclass(frozen=True)
class OnnxModel:
    """A cleaned model. `renamed`: plain tensor name → the name in the user's file;
    `renamed_nodes`: the same of nodes, whose names in `nodes` are the user's. `told_nodes`,
    `told_tensors`: what each node and tensor that is in the user's file, too, is called there; a
    rewritten one like the node in whose place it is. `is_rewritten`: whether ops stand for others.

    `external`: files that held weights, relative to the model's folder → their SHA-256.
    """

    data: bytes
    inputs: tuple[OnnxValue, ...]
    outputs: tuple[OnnxValue, ...]
    opset: int
    nodes: tuple[OnnxNode, ...]
    renamed: Mapping[str, str]
    renamed_nodes: Mapping[str, str]
    told_nodes: Mapping[str, str]
    told_tensors: Mapping[str, str]
    is_rewritten: bool
    external: Mapping[str, str]
    notes: tuple[str, ...]


def require_onnx_tools() -> None:
    """Raises ToolError where a package that ONNX input needs is absent."""
    absent = [name for name in _NEEDED if find_spec(name) is None]
    if absent:
        raise ToolError(
            f"ONNX input needs {', '.join(absent)}, absent here: pip install 'splitopt[onnx]'"
        )


def read_onnx(path: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> OnnxModel:
    """Reads an untrusted ONNX file in a worker and makes it fit for conversion.

    `shapes`: of inputs whose axes the file leaves open, batch included, as ONNX has them.

    Raises ModelError for a model that is broken or cannot be planned (OpenAxesError for inputs
    without a fixed size), ToolError for missing tools.
    """
    require_onnx_tools()
    if not path.is_file():
        raise ModelError(f"{path}: no such file; want an .onnx model")
    reply = ask_worker("source_worker", path, _TIMEOUT_S, shapes=dict(shapes or {}))
    found = reply.json
    if found.get("open"):
        raise OpenAxesError(path, found["open"], {})
    if "refusal" in found:
        raise ModelError(f"{path}: {found['refusal']}")
    notes = []
    if found["batch_was_open"]:
        notes.append("the open batch size was set to 1")
    if found["rewritten"]:
        counted = ", ".join(f"{count} {what}" for what, count in found["rewritten"].items())
        notes.append(f"rewritten in operators that TFLM has kernels for: {counted}")
    if not found["simplified"]:
        notes.append("onnxsim could not simplify it")
    return OnnxModel(
        data=reply.arrays["model"].tobytes(),
        inputs=tuple(OnnxValue(v["name"], tuple(v["shape"])) for v in found["inputs"]),
        outputs=tuple(OnnxValue(v["name"], tuple(v["shape"])) for v in found["outputs"]),
        opset=found["opset"],
        nodes=tuple(
            OnnxNode(n["name"], n["type"], tuple(n["inputs"]), tuple(n["outputs"]))
            for n in found["nodes"]
        ),
        renamed=found["renamed"],
        renamed_nodes=found["renamed_nodes"],
        told_nodes=found["told_nodes"],
        told_tensors=found["told_tensors"],
        is_rewritten=bool(found["rewritten"]),
        external=found["external"],
        notes=tuple(notes),
    )
