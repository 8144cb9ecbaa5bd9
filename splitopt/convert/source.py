"""An ONNX model, checked and cleaned in a child process before anything else looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from splitopt.base.errors import ModelError, ToolError
from splitopt.runtime.child import run_worker

_WORKER = "splitopt.convert.source_worker"
_TIMEOUT_S = 120.0
_MEMORY_BYTES = 6 << 30
_NEEDED = ("onnx", "onnxsim", "onnxruntime", "onnx2tf", "tensorflow")


@dataclass(frozen=True)
class Value:
    """An input or output of an ONNX model, shape as ONNX has it (images NCHW)."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One node of the cleaned model; its tensors by their plain names."""

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class OnnxModel:
    """A cleaned model. `renamed`: plain tensor name → the name in the user's file.

    `external`: files that held weights, relative to the model's folder → their SHA-256.
    """

    data: bytes
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    opset: int
    nodes: tuple[Node, ...]
    renamed: Mapping[str, str]
    external: Mapping[str, str]
    notes: tuple[str, ...]


def require_onnx_tools() -> None:
    """Raises ToolError where a package that ONNX input needs is absent."""
    absent = [name for name in _NEEDED if find_spec(name) is None]
    if absent:
        raise ToolError(
            f"ONNX input needs {', '.join(absent)}, absent here: pip install 'splitopt[onnx]'"
        )


def read_onnx(path: Path) -> OnnxModel:
    """Raises ModelError for a model that is broken or not planned, ToolError for missing tools."""
    require_onnx_tools()
    if not path.is_file():
        raise ModelError(f"{path}: no such file; want an .onnx model")
    reply = run_worker(
        _WORKER, {"file": str(path.resolve())}, {}, timeout_s=_TIMEOUT_S, memory_bytes=_MEMORY_BYTES
    )
    found = reply.json
    if "refusal" in found:
        raise ModelError(f"{path}: {found['refusal']}")
    notes = []
    if found["batch_was_open"]:
        notes.append("the open batch size was set to 1")
    if found["rewritten"]:
        notes.append(f"{found['rewritten']} HardSigmoid rewritten with RELU6 or HARD_SWISH")
    if not found["simplified"]:
        notes.append("onnxsim could not simplify it")
    return OnnxModel(
        data=reply.arrays["model"].tobytes(),
        inputs=tuple(Value(v["name"], tuple(v["shape"])) for v in found["inputs"]),
        outputs=tuple(Value(v["name"], tuple(v["shape"])) for v in found["outputs"]),
        opset=found["opset"],
        nodes=tuple(
            Node(n["name"], n["type"], tuple(n["inputs"]), tuple(n["outputs"]))
            for n in found["nodes"]
        ),
        renamed=found["renamed"],
        external=found["external"],
        notes=tuple(notes),
    )
