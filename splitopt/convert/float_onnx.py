"""A float ONNX model run on samples by onnxruntime, in a child process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from splitopt.convert.calibration import as_onnx_feed
from splitopt.runtime.arrays import Array
from splitopt.runtime.worker_process import run_worker

_WORKER = "splitopt.convert.onnx_worker"
_MEMORY_BYTES = 6 << 30


def run_float(
    path: Path, input_name: str, samples: Array, keep: Sequence[str], timeout_s: float
) -> dict[str, Array]:
    """The tensors `keep`, inner ones too, for samples [N, ...] with channels last.

    Each comes as [N, 1, ...] in ONNX's own layout, [N, 1, C, H, W] for images. Raises ToolError.
    """
    reply = run_worker(
        _WORKER,
        {"kind": "run", "file": str(path.resolve()), "keep": list(keep)},
        {input_name: as_onnx_feed(samples)},
        timeout_s=timeout_s,
        memory_bytes=_MEMORY_BYTES,
    )
    return reply.arrays
