"""A float ONNX model in a child process: described, run on samples, cut into parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from splitopt.convert.calibration import as_onnx_feed
from splitopt.convert.names.onnx_graph import OnnxGraph
from splitopt.runtime.arrays import Array
from splitopt.runtime.worker_process import Reply, run_worker

_MEMORY_BYTES = 6 << 30


def ask_worker(
    worker: str,
    file: Path,
    timeout_s: float,
    arrays: Mapping[str, Array] | None = None,
    **body: Any,
) -> Reply:
    """The reply of a worker of this folder about a model file. Raises ToolError."""
    return run_worker(
        f"splitopt.convert.{worker}",
        {"file": str(file.resolve()), **body},
        arrays or {},
        timeout_s=timeout_s,
        memory_bytes=_MEMORY_BYTES,
    )


def describe_onnx(path: Path, timeout_s: float) -> OnnxGraph:
    """The model's nodes, and the shapes that its file states. Raises ToolError."""
    return OnnxGraph.from_dict(ask_worker("onnx_worker", path, timeout_s, kind="describe").json)


def run_float(
    path: Path, samples: Mapping[str, Array], keep: Sequence[str], timeout_s: float
) -> dict[str, Array]:
    """The tensors `keep`, inner ones too, for samples [N, ...] of each input, channels last.

    Each comes as [N, 1, ...] in ONNX's own layout, [N, 1, C, H, W] for images. Raises ToolError.
    """
    feeds = {name: as_onnx_feed(values) for name, values in samples.items()}
    return ask_worker("onnx_worker", path, timeout_s, feeds, kind="run", keep=list(keep)).arrays


def cut_float(
    path: Path, parts: Sequence[tuple[Sequence[str], Sequence[str]]], timeout_s: float
) -> list[bytes]:
    """Parts of the model as models of their own; each is named by its inputs and its outputs.

    Raises ToolError.
    """
    asked = [{"inputs": list(inputs), "outputs": list(outputs)} for inputs, outputs in parts]
    made = ask_worker("onnx_worker", path, timeout_s, kind="cut", pieces=asked).arrays
    return [made[str(number)].tobytes() for number in range(len(parts))]
