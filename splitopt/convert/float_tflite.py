"""A float .tflite and samples of its inputs → a full-integer int8 one, in a child process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from splitopt.base.errors import ModelError, UsageError
from splitopt.convert.float_onnx import ask_worker
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.runtime.arrays import Array

_FLOATS = frozenset({"FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64"})


def read_float(path: Path) -> ModelGraph:
    """Reads a float .tflite model. Raises ModelError for a file that is broken, quantised already,
    or of open batch."""
    graph = read_tflite(path)
    if not any(tensor.dtype.name == "FLOAT32" for tensor in _activations(graph)):
        raise ModelError(f"{path}: quantised already; plan it as it is, without calibration")
    for index in graph.inputs:
        tensor = graph.tensors[index]
        if tensor.dtype.name != "FLOAT32" or tensor.shape[:1] != (1,):
            raise ModelError(
                f"{path}: input {tensor.name!r} is {tensor.dtype.name}{list(tensor.shape)}; want "
                "FLOAT32 with a batch of 1: convert it again from the model it came from"
            )
    return graph


def float_notes(graph: ModelGraph) -> tuple[str, ...]:
    """What calibration data would do for a model that `read_float` takes and that is float
    throughout; nothing of any other."""
    fed = [graph.tensors[index] for index in graph.inputs]
    fits = all(tensor.dtype.name == "FLOAT32" and tensor.shape[:1] == (1,) for tensor in fed)
    if not fits or any(tensor.quantization is not None for tensor in graph.tensors):
        return ()
    held = sum(tensor.bytes for tensor in graph.tensors if tensor.dtype.name == "FLOAT32")
    return (
        f"The model is float: with samples of its {'input' if len(fed) == 1 else 'inputs'} "
        "(calibration: {path: data.npz, key: ARRAY} in the job, or --calibration data.npz:ARRAY) "
        "it is quantised to int8 first, in which weights and activations take a quarter of their "
        f"bytes ({held:,} in all), and checked against the float model.",
    )


def quantise_float(path: Path, calibration: Sequence[Array], *, timeout_s: float = 600.0) -> bytes:
    """The model with int8 inputs, outputs and activations.

    `calibration`: float32 samples [N, ...] for each input, in the model's order and layout. Ranges
    are the smallest and the largest value over all samples.
    Raises UsageError for samples of another shape, ModelError for a model that is not float or
    stays float in part, ToolError where the quantiser is missing, crashes or takes too long.
    """
    graph = read_float(path)
    for index, samples in zip(graph.inputs, calibration, strict=True):
        _check_samples(graph, index, samples, path)
    feeds = {str(i): np.ascontiguousarray(s[:, np.newaxis]) for i, s in enumerate(calibration)}
    tflite = ask_worker("float_worker", path, timeout_s, feeds).arrays["model"].tobytes()
    _check_integer(parse_tflite(tflite, name=path.stem, where=f"{path} quantised"), path)
    return tflite


def _check_samples(graph: ModelGraph, index: int, samples: Array, path: Path) -> None:
    tensor = graph.tensors[index]
    if samples.dtype != np.float32 or samples.shape[1:] != tensor.shape[1:] or not len(samples):
        raise UsageError(
            f"{path}: input {tensor.name!r}: got samples {samples.dtype}{list(samples.shape)}, "
            f"want float32 [N, {', '.join(map(str, tensor.shape[1:]))}]"
        )


def _check_integer(graph: ModelGraph, path: Path) -> None:
    ends = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    left = {t.index for t in _activations(graph) if t.dtype.name in _FLOATS}
    types = dict.fromkeys(op.type for op in graph.ops if left & {*op.touched})
    if types or any(tensor.dtype.name != "INT8" for tensor in ends):
        raise ModelError(
            f"{path}: stays float in part ({', '.join(types) or 'its inputs or outputs'}); "
            "ai-edge-quantizer has no int8 form of it: quantise the model where it was made"
        )


def _activations(graph: ModelGraph) -> list[Tensor]:
    return [tensor for tensor in graph.tensors if not tensor.is_constant]
