"""Both models on the same samples, every tensor compared.

Samples go through in batches, so that the values of no more than a few are held at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from splitopt.base.errors import ModelError, ToolError
from splitopt.convert.names.onnx_graph import OnnxGraph, OnnxInput
from splitopt.convert.names.zz_correspondence_likeness import Comparison
from splitopt.convert.names.zz_correspondence_search import Table
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.runtime.arrays import dequantised, quantise
from splitopt.runtime.host import run_litert
from splitopt.runtime.worker_process import Array, Reply, run_worker

_WORKER = "splitopt.convert.onnx_worker"
_MEMORY_BYTES = 4 << 30
_MAX_SAMPLES = 4
_BATCH_BYTES = 256 << 20
_BYTES_PER_ELEMENT = 16  # an int8 element, and about three float32 ones on the ONNX side


def describe_onnx(path: Path, deadline_s: float) -> OnnxGraph:
    """`deadline_s` is on the clock of `time.monotonic`, here and below."""
    return OnnxGraph.from_dict(_ask(path, {"kind": "describe"}, {}, deadline_s).json)


def compare_runs(
    onnx_path: Path,
    onnx: OnnxGraph,
    graph: ModelGraph,
    tflite_path: Path,
    samples: npt.NDArray[Any],
    deadline_s: float,
) -> Table:
    """TFLite tensor → ONNX tensor → likeness, for the input and all that ops make."""
    if not len(samples):
        raise ModelError(f"{onnx_path}: got no samples to compare the conversion with")
    spread = np.linspace(0, len(samples) - 1, min(len(samples), _MAX_SAMPLES)).round().astype(int)
    kept = [graph.inputs[0], *(tensor for op in graph.ops for tensor in op.outputs)]
    comparison = Comparison({tensor: _step(graph.tensors[tensor]) for tensor in kept})
    for batch in _batches(samples[spread], sum(graph.tensors[tensor].elements for tensor in kept)):
        feed = fed(batch, graph.tensors[graph.inputs[0]])
        ours = _run_tflite(graph, tflite_path, feed, kept, deadline_s)
        theirs = _run_onnx(onnx_path, onnx, batch, deadline_s)
        for sample in range(len(batch)):
            comparison.add(
                {name: values[sample] for name, values in theirs.items()},
                {tensor: values[sample] for tensor, values in ours.items()},
            )
    return comparison.table()


def _batches(samples: Array, elements: int) -> Iterator[Array]:
    size = max(1, _BATCH_BYTES // max(1, elements * _BYTES_PER_ELEMENT))
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def _run_tflite(
    graph: ModelGraph, path: Path, feed: Array, kept: list[int], deadline_s: float
) -> dict[int, Array]:
    keep = {str(tensor): tensor for tensor in kept[1:]}
    run = run_litert(
        path, [feed], keep=keep, repair_bias_axis=True, timeout_s=_left_s(path, deadline_s)
    )
    made = {int(name): values for name, values in run.arrays.items()} | {kept[0]: feed}
    return {tensor: dequantised(made[tensor], graph.tensors[tensor]) for tensor in kept}


def _run_onnx(path: Path, onnx: OnnxGraph, batch: Array, deadline_s: float) -> dict[str, Array]:
    [model_input] = onnx.inputs
    feed = laid_out(batch.astype(np.float32), model_input)
    request = {"kind": "run", "keep": [name for name in onnx.root if name != model_input.name]}
    made = _ask(path, request, {model_input.name: feed}, deadline_s).arrays
    return {model_input.name: feed, **made}


def _ask(path: Path, request: dict[str, Any], arrays: dict[str, Array], deadline_s: float) -> Reply:
    return run_worker(
        _WORKER,
        {"file": str(path.resolve()), **request},
        arrays,
        timeout_s=_left_s(path, deadline_s),
        memory_bytes=_MEMORY_BYTES,
    )


def _left_s(path: Path, deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise ToolError(f"{path}: the time limit for comparing the conversion is over")
    return left_s


def laid_out(batch: Array, model_input: OnnxInput) -> Array:
    """Channels-last samples [N, ...] as feeds [N, 1, ...] in the layout of the ONNX input."""
    feeds = batch[:, None]
    candidates = [np.moveaxis(feeds, -1, 2), feeds] if batch.ndim > 2 else [feeds]
    for feed in candidates:
        if _fits(feed.shape[1:], model_input.shape):
            return np.ascontiguousarray(feed)
    want = " x ".join("any" if size is None else str(size) for size in model_input.shape)
    raise ModelError(
        f"samples of {list(batch.shape[1:])}, channels last, do not fit the ONNX input "
        f"'{model_input.name}' of {want}"
    )


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(want in (None, size) for size, want in pairs)


def fed(batch: Array, tensor: Tensor) -> Array:
    """Real samples [N, ...] as feeds [N, *shape] of the int8 model's input."""
    if not _holds(tensor, batch):
        raise ModelError(
            f"samples of {list(batch.shape[1:])} do not fit the model's input "
            f"of {list(tensor.shape)}"
        )
    return quantise(batch.reshape(len(batch), *tensor.shape), tensor)


def _holds(tensor: Tensor, batch: Array) -> bool:
    """The same axes, but for a batch axis and axes of one element."""
    return [n for n in tensor.shape if n > 1] == [n for n in batch.shape[1:] if n > 1]


def _step(tensor: Tensor) -> float:
    return tensor.quantization.scales[0] if tensor.quantization else 0.0
