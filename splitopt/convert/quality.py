"""Is a conversion to be trusted? Float ONNX against int8 LiteRT and TFLM, on held-out samples."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from splitopt.convert.calibration import as_onnx_feed
from splitopt.convert.source import OnnxModel
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.pieces.inputs import Array, quantise
from splitopt.pieces.verify import arena_bytes, difference
from splitopt.target.child import run_worker
from splitopt.target.host import Stage, run_litert, run_tflm_chain

MAX_SAMPLES = 64
LOW_SQNR_DB = 10.0
_FLOAT_WORKER = "splitopt.convert.onnx_worker"
_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True)
class Quality:
    """Figures of the held-out samples; top-1 in shares of one, None without labels.

    `sqnr_db`: signal to quantisation noise of the dequantised outputs, all outputs together.
    """

    samples: int
    sqnr_db: float
    worst_litert_lsb: float
    top1_float: float | None
    top1_int8: float | None
    top1_agreement: float | None

    @property
    def warnings(self) -> tuple[str, ...]:
        found = []
        if self.sqnr_db < LOW_SQNR_DB:
            found.append(
                f"SQNR of {self.sqnr_db:.1f} dB against the float model: calibrate on data that "
                "look like those of use, prepared in the same way"
            )
        if self.top1_float is not None and self.top1_int8 is not None:
            lost = 100 * (self.top1_float - self.top1_int8)
            if lost > 2:
                found.append(f"top-1 falls by {lost:.1f} points from float to int8")
        if self.worst_litert_lsb > 1:
            found.append(
                f"TFLM and LiteRT differ by {self.worst_litert_lsb:g} LSB on the int8 model"
            )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(
    onnx: OnnxModel,
    graph: ModelGraph,
    held_out: Array,
    labels: Array | None,
    timeout_s: float,
) -> Quality:
    """Runs all three. `held_out`: float32 [N, ...], images NHWC. Raises ToolError."""
    images = held_out[:MAX_SAMPLES]
    kept_labels = None if labels is None else labels[:MAX_SAMPLES]
    want = _run_float(onnx, images, timeout_s)
    source, result = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    feed = quantise(images[:, np.newaxis], source)
    with tempfile.TemporaryDirectory(prefix="splitopt-") as name:
        path = Path(name) / "int8.tflite"
        path.write_bytes(graph.source)
        stage = Stage(path, ("x",), ("y",), arena_bytes(graph))
        tflm = run_tflm_chain([stage], {"x": feed}, timeout_s=timeout_s)["y"]
        litert = run_litert(path, [feed], ["y"], repair_bias_axis=True, timeout_s=timeout_s)
    got = _dequantise(tflm, result).reshape(len(images), -1)
    want = _aligned(want, result).reshape(len(images), -1)
    ranks = want.shape[1] > 1 and kept_labels is not None
    return Quality(
        samples=len(images),
        sqnr_db=sqnr_db(want, got),
        worst_litert_lsb=difference(tflm, litert.arrays["y"]),
        top1_float=_top1(want, kept_labels) if ranks else None,
        top1_int8=_top1(got, kept_labels) if ranks else None,
        top1_agreement=float((want.argmax(1) == got.argmax(1)).mean()) if ranks else None,
    )


def sqnr_db(want: Array, got: Array) -> float:
    """10·log10 of signal power over the power of the difference; 200 where they are equal."""
    signal = float(np.square(want.astype(np.float64)).sum())
    noise = float(np.square(want.astype(np.float64) - got).sum())
    if noise == 0:
        return 200.0
    return float(10 * np.log10(max(signal, 1e-300) / noise))


def _run_float(onnx: OnnxModel, images: Array, timeout_s: float) -> Array:
    name = onnx.outputs[0].name
    with tempfile.TemporaryDirectory(prefix="splitopt-") as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(onnx.data)
        request = {"kind": "run", "file": str(path), "keep": [name]}
        feeds = {onnx.inputs[0].name: as_onnx_feed(images)}
        reply = run_worker(
            _FLOAT_WORKER, request, feeds, timeout_s=timeout_s, memory_bytes=_MEMORY_BYTES
        )
    return reply.arrays[name]


def _aligned(values: Array, result: Tensor) -> Array:
    """ONNX's [N, 1, C, H, W] in the order of the int8 model's [1, H, W, C]."""
    if values.ndim == 5 and values.shape[1:] != result.shape:
        return values.transpose(0, 1, 3, 4, 2)
    return values


def _dequantise(values: Array, tensor: Tensor) -> Array:
    if tensor.quantization is None:
        return values.astype(np.float64)
    scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
    return (values.astype(np.float64) - zero_point) * scale


def _top1(outputs: Array, labels: Array | None) -> float:
    assert labels is not None
    return float((outputs.argmax(axis=1) == labels).mean())
