"""How good a conversion is: the float model against int8 LiteRT and TFLM, on held-out samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splitopt.base.errors import ModelError, ToolError
from splitopt.base.owned_folder import scratch_folder
from splitopt.convert.float_onnx import run_float
from splitopt.convert.source import OnnxModel
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.runtime.arrays import (
    Array,
    arena_bytes,
    dequantised,
    difference,
    is_constant,
    quantise,
)
from splitopt.runtime.host import NO_KERNEL, Stage, run_litert, run_tflm_chain

MAX_SAMPLES = 64
LOW_SQNR_DB = 10.0
SAME_FUNCTION_DB = 45.0
_FLOAT_SAMPLES = 4


@dataclass(frozen=True)
class Quality:
    """Figures of the held-out samples; top-1 in shares of one, None without labels.

    `sqnr_db`: signal to quantisation noise of the dequantised outputs, of the worst output.
    `worst_litert_lsb`: None where LiteRT's reference kernels lack an op of the model.
    """

    samples: int
    sqnr_db: float
    worst_litert_lsb: float | None
    top1_float: float | None
    top1_int8: float | None
    top1_agreement: float | None
    constant_output: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        found = []
        if self.constant_output:
            found.append(
                "the int8 model gives the same output for every sample: the calibration data do "
                "not look like those of use"
            )
        if self.sqnr_db < LOW_SQNR_DB:
            found.append(
                f"SQNR of {self.sqnr_db:.1f} dB against the float model: calibrate on data that "
                "look like those of use, prepared in the same way"
            )
        if self.top1_float is not None and self.top1_int8 is not None:
            lost = 100 * (self.top1_float - self.top1_int8)
            if lost > 2:
                found.append(f"top-1 falls by {lost:.1f} points from float to int8")
        if self.worst_litert_lsb is not None and self.worst_litert_lsb > 1:
            found.append(
                f"TFLM and LiteRT differ by {self.worst_litert_lsb:g} LSB on the int8 model"
            )
        return tuple(found)


def judge(
    graph: ModelGraph,
    reference: Sequence[Array],
    held_out: Sequence[Array],
    labels: Array | None,
    timeout_s: float,
) -> Quality:
    """Runs the int8 model in both interpreters on `held_out`: float32 [N, ...] for each of its
    inputs, channels last.

    `reference`: what the float model makes of the same samples, in the int8 model's order of
    outputs, each [N, ...]. Raises ToolError.
    """
    count = len(reference[0])
    labels = None if labels is None else labels[:count]
    feeds = [
        quantise(values[:count, np.newaxis], graph.tensors[tensor])
        for values, tensor in zip(held_out, graph.inputs, strict=True)
    ]
    fed = {f"x{number}": feed for number, feed in enumerate(feeds)}
    names = [f"y{number}" for number in range(len(graph.outputs))]
    with scratch_folder("quality") as folder:
        path = folder / "int8.tflite"
        path.write_bytes(graph.source)
        stage = Stage(path, tuple(fed), tuple(names), arena_bytes(graph))
        tflm = run_tflm_chain([stage], fed, timeout_s=timeout_s)
        litert = _in_litert(path, feeds, names, timeout_s)
    results = [graph.tensors[index] for index in graph.outputs]
    got = [dequantised(tflm[name], tensor) for name, tensor in zip(names, results, strict=True)]
    pairs = list(zip(reference, got, strict=True))
    want = [aligned(values, made) for values, made in pairs]
    classes = want[0].reshape(count, -1), got[0].reshape(count, -1)
    ranks = labels is not None and len(want) == 1 and is_class_vector(results[0], labels)
    return Quality(
        samples=count,
        sqnr_db=min(sqnr_db(w, g) for w, g in zip(want, got, strict=True)),
        worst_litert_lsb=None
        if litert is None
        else max(difference(tflm[name], litert[name]) for name in names),
        top1_float=top1(classes[0], labels) if ranks else None,
        top1_int8=top1(classes[1], labels) if ranks else None,
        top1_agreement=agreement(*classes) if ranks else None,
        constant_output=any(is_constant(g) and not is_constant(w) for w, g in pairs),
    )


def _in_litert(
    path: Path, feeds: Sequence[Array], names: Sequence[str], timeout_s: float
) -> Mapping[str, Array] | None:
    """None where its reference kernels lack an op (ELU, CEIL, ROUND) that TFLM has."""
    try:
        return run_litert(path, feeds, names, repair_bias_axis=True, timeout_s=timeout_s).arrays
    except ToolError as error:
        if NO_KERNEL in str(error):
            return None
        raise


def run_float_onnx(model: OnnxModel, held_out: Sequence[Array], timeout_s: float) -> list[Array]:
    """The ONNX model's outputs in onnxruntime, [N, ...] each, for at most MAX_SAMPLES samples."""
    names = [value.name for value in model.outputs]
    with scratch_folder("quality") as folder:
        path = folder / "model.onnx"
        path.write_bytes(model.data)
        pairs = zip(model.inputs, held_out, strict=True)
        samples = {value.name: values[:MAX_SAMPLES] for value, values in pairs}
        made = run_float(path, samples, names, timeout_s)
    return [made[name] for name in names]


def run_float_tflite(path: Path, held_out: Sequence[Array], timeout_s: float) -> list[Array]:
    """The float model's outputs in LiteRT's reference kernels, like `run_float_onnx`."""
    feeds = [np.ascontiguousarray(values[:MAX_SAMPLES, np.newaxis]) for values in held_out]
    names = [f"y{number}" for number in range(len(read_tflite(path).outputs))]
    arrays = run_litert(path, feeds, names, timeout_s=timeout_s).arrays
    return [arrays[name] for name in names]


def require_same_function(
    tflite: bytes,
    samples: Mapping[str, Array],
    reference: Sequence[Array],
    path: Path,
    timeout_s: float,
) -> None:
    """Raises ModelError where a converter's float model computes something else than the ONNX model
    `path`, whose inputs `samples` names, and whose outputs `reference` are. ToolError.

    Such a model has no signature: its inputs are told by the names of their tensors, and each
    output stands for the one that it is most alike.
    """
    graph, count = parse_tflite(tflite, name="float"), min(_FLOAT_SAMPLES, len(reference[0]))
    own = [graph.tensors[tensor].name for tensor in graph.inputs]
    fed = own if len(own) > 1 else [*samples]
    if sorted(fed) != sorted(samples):
        return
    feeds = [np.ascontiguousarray(samples[name][:count, np.newaxis]) for name in fed]
    names = [f"y{number}" for number in range(len(graph.outputs))]
    with scratch_folder("float") as folder:
        file = folder / "float.tflite"
        file.write_bytes(tflite)
        made = _in_litert(file, feeds, names, timeout_s)
    if made is None:
        return
    found = min(_likeness_db(want[:count], [*made.values()]) for want in reference)
    if found < SAME_FUNCTION_DB:
        raise ModelError(
            f"{path}: onnx2tf changed what the model computes: before any quantisation, its model "
            f"is {found:.0f} dB off the ONNX model on {count} samples (rounding: 90 dB and more); "
            "look for a MaxPool with ceil_mode behind no Relu, CumSum, Mod, or a constant that is "
            "broadcast over images, and write that otherwise"
        )


def _likeness_db(want: Array, made: Sequence[Array]) -> float:
    """SQNR of the output that is most alike, among those of as many elements."""
    alike = [values for values in made if values.size == want.size]
    return max((sqnr_db(aligned(want, values), values) for values in alike), default=-np.inf)


def sqnr_db(want: Array, got: Array) -> float:
    """10·log10 of signal power over the power of the difference; 200 where they are equal."""
    signal = float(np.square(want.astype(np.float64)).sum())
    noise = float(np.square(want.astype(np.float64) - got).sum())
    if noise == 0:
        return 200.0
    return float(10 * np.log10(max(signal, 1e-300) / noise))


def aligned(values: Array, like: Array) -> Array:
    """Float values in the layout of the int8 model's: as they are, or with channels last.

    Where the shape leaves both open, the layout that is closer to `like`.
    """
    layouts = [values]
    if values.ndim in (4, 5, 6):  # a sample axis, a batch axis, channels
        layouts.append(np.moveaxis(values, 2, -1))
    fitting = [layout for layout in layouts if layout.shape == like.shape]
    if not fitting:
        return values.reshape(like.shape)
    return max(fitting, key=lambda layout: sqnr_db(layout, like))


def is_class_vector(tensor: Tensor, labels: Array) -> bool:
    """One score for each class, and every label is the number of one."""
    scores = tensor.elements
    return 1 < scores == max(tensor.shape) and 0 <= labels.min() <= labels.max() < scores


def agreement(want: Array, got: Array) -> float:
    return float((want.argmax(axis=1) == got.argmax(axis=1)).mean())


def top1(outputs: Array, labels: Array | None) -> float:
    assert labels is not None
    return float((outputs.argmax(axis=1) == labels).mean())
