"""Both models on the same samples, every tensor compared.

Samples go through in batches, so that the values of no more than a few are held at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from splitopt.base.errors import ModelError, ToolError
from splitopt.convert.calibration import as_onnx_feed
from splitopt.convert.float_onnx import run_float
from splitopt.convert.names.likeness import Comparison, Likeness
from splitopt.convert.names.onnx_graph import OnnxGraph
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.runtime.arrays import Array, dequantised, quantise
from splitopt.runtime.host import NO_KERNEL, run_litert

_MAX_SAMPLES = 4
_BATCH_BYTES = 256 << 20
_BYTES_PER_ELEMENT = 16  # an int8 element, and about three float32 ones on the ONNX side


def compare_runs(
    onnx_path: Path,
    onnx: OnnxGraph,
    graph: ModelGraph,
    tflite_path: Path,
    samples: Mapping[str, Array],
    timeout_s: float,
) -> dict[int, dict[str, Likeness]]:
    """TFLite tensor → ONNX tensor → likeness, for the inputs and all that ops make.

    `samples`: of each ONNX input by name, in the order of the TFLite model's inputs.

    Raises ModelError for samples that do not fit the models, ToolError where one does not run.
    """
    sources = [graph.tensors[tensor] for tensor in graph.inputs]
    for source, given in zip(sources, samples.values(), strict=True):
        if not len(given):
            raise ModelError(f"{onnx_path}: got no samples to compare the conversion with")
        if [n for n in source.shape if n > 1] != [n for n in given.shape[1:] if n > 1]:
            raise ModelError(
                f"samples of {list(given.shape[1:])} do not fit the model's input "
                f"of {list(source.shape)}"
            )
    count = min(len(given) for given in samples.values())
    made = [graph.tensors[tensor] for op in graph.ops for tensor in op.outputs]
    comparison = Comparison({tensor.index: _step(tensor) for tensor in (*sources, *made)})
    spread = np.linspace(0, count - 1, min(count, _MAX_SAMPLES)).round().astype(int)
    sample_bytes = _BYTES_PER_ELEMENT * sum(tensor.elements for tensor in (*sources, *made))
    size = max(1, _BATCH_BYTES // max(1, sample_bytes))
    for start in range(0, len(spread), size):
        at = spread[start : start + size]
        batch = {name: given[at].astype(np.float32) for name, given in samples.items()}
        feeds = [
            quantise(given.reshape(len(at), *source.shape), source)
            for source, given in zip(sources, batch.values(), strict=True)
        ]
        integers = dict(zip(graph.inputs, feeds, strict=True))
        integers |= _run_int8(tflite_path, feeds, [tensor.index for tensor in made], timeout_s)
        ours = {t: dequantised(values, graph.tensors[t]) for t, values in integers.items()}
        inner = [tensor for tensor in onnx.root if tensor not in samples]
        theirs = run_float(onnx_path, batch, inner, timeout_s)
        theirs |= {name: as_onnx_feed(given) for name, given in batch.items()}
        for sample in range(len(at)):
            comparison.add(
                {tensor: values[sample] for tensor, values in theirs.items()},
                {tensor: values[sample] for tensor, values in ours.items()},
            )
    return comparison.table()


def _run_int8(
    path: Path, feeds: Sequence[Array], tensors: Sequence[int], timeout_s: float
) -> dict[int, Array]:
    """These tensors as integers; where the reference kernels lack an op (DEPTH_TO_SPACE of version
    2), in LiteRT's optimised ones, which differ by a step at most."""
    keep = {str(tensor): tensor for tensor in tensors}
    run = partial(run_litert, path, feeds, keep=keep, repair_bias_axis=True, timeout_s=timeout_s)
    try:
        found = run()
    except ToolError as error:
        if NO_KERNEL not in str(error):
            raise
        found = run(is_optimised=True)
    return {int(key): values for key, values in found.arrays.items()}


def _step(tensor: Tensor) -> float:
    return tensor.quantization.scales[0] if tensor.quantization else 0.0
