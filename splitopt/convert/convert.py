"""ONNX or float .tflite and calibration data → an int8 .tflite that was checked, made once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from splitopt.base.errors import ModelError, ToolError
from splitopt.base.owned_folder import scratch_folder
from splitopt.base.progress import Progress
from splitopt.convert import cache
from splitopt.convert.calibration import Preprocess
from splitopt.convert.content import content_key, is_unchanged, versions
from splitopt.convert.float_tflite import quantise_float, read_float
from splitopt.convert.model_samples import (
    DataFiles,
    InputData,
    ModelSamples,
    load_model_samples,
    require_named,
    sizes_of_samples,
)
from splitopt.convert.names.match import correspond
from splitopt.convert.names.onnx_graph import OnnxNode
from splitopt.convert.names.record import Correspondence
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND, convert
from splitopt.convert.onnx2tf_log import UnmappedError
from splitopt.convert.quality import (
    Quality,
    judge,
    require_same_function,
    run_float_onnx,
    run_float_tflite,
)
from splitopt.convert.source import OnnxModel, OpenAxesError, read_onnx
from splitopt.convert.unsupported_ops import not_run, require_runnable, unmapped
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.arrays import Array


@dataclass(frozen=True)
class ConversionRequest:
    """What to convert and how; `onnx` may be a float .tflite, too.

    `where` is what messages about the calibration data begin with. `input_shapes`: of inputs whose
    axes the file leaves open. `inputs`: data of each input by name, for models of several.
    """

    onnx: Path
    data: Path
    key: str | None
    test_key: str | None
    label_key: str | None
    preprocess: Preprocess
    command: tuple[str, ...]
    time_limit_s: float
    cache: Path
    where: str
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    inputs: Mapping[str, InputData] = field(default_factory=dict)

    @property
    def files(self) -> DataFiles:
        one = InputData(self.key, self.test_key, self.preprocess)
        is_onnx = self.onnx.suffix == ".onnx"
        return DataFiles(self.data, one, self.label_key, self.inputs, self.where, is_onnx)


@dataclass(frozen=True)
class Conversion:
    """A converted model in the cache; `from_cache`: nothing was converted for it.

    `key`: the hash of all that shaped it. `onnx`: the cleaned ONNX model that was converted; None
    for a float .tflite.
    """

    key: str
    model: Path
    log: Path
    record: dict[str, Any]
    quality: Quality
    correspondence: Correspondence | None
    from_cache: bool
    onnx: Path | None = None

    @property
    def renamed(self) -> Mapping[str, str]:
        """Tensor name in the cleaned ONNX model → in the user's, where they differ."""
        return dict(self.record["renamed"])


@dataclass(frozen=True)
class _Made:
    """A fresh conversion, not yet judged; inputs and outputs in one order throughout."""

    tflite: bytes
    log: str
    wall_s: float
    samples: ModelSamples
    reference: list[Array]
    onnx: OnnxModel | None
    facts: dict[str, Any]

    @property
    def nodes(self) -> tuple[OnnxNode, ...]:
        return self.onnx.nodes if self.onnx is not None else ()


def convert_model(request: ConversionRequest, progress: Progress = lambda _: None) -> Conversion:
    """Calibrates and converts an ONNX model to int8, or takes the result from the cache.

    Raises ModelError, UsageError or ToolError; then nothing is left behind.
    """
    key = content_key(request.onnx, request.data, _options(request))
    entry = cache.load(request.cache, key)
    if entry is not None and is_unchanged(entry.record["external"], request.onnx.parent):
        return _conversion(entry, from_cache=True)
    is_float_tflite = request.onnx.suffix == ".tflite"
    made = (_from_float_tflite if is_float_tflite else _from_onnx)(request, progress)
    progress("checking the conversion against the float model")
    record = _record(request, made)
    onnx = None if made.onnx is None else made.onnx.data
    entry = cache.store(request.cache, key, made.tflite, record, made.log, onnx)
    return _conversion(entry, from_cache=False)


def samples_of(
    request: ConversionRequest, conversion: Conversion, graph: ModelGraph
) -> ModelSamples:
    """The request's samples for its int8 model: calibration, held out, labels."""
    shapes = (graph.tensors[tensor].shape for tensor in graph.inputs)
    inputs = [*zip(conversion.record["inputs"], shapes, strict=True)]
    return load_model_samples(request.files, inputs, channels_first=False)


def _options(request: ConversionRequest) -> dict[str, Any]:
    return {
        "keys": [request.key, request.test_key, request.label_key],
        "input_shapes": {name: list(s) for name, s in request.input_shapes.items()},
        "inputs": {name: asdict(data) for name, data in request.inputs.items()},
        **asdict(request.preprocess),
        "command": [] if request.command == DEFAULT_COMMAND else list(request.command),
    }


def _conversion(entry: cache.Entry, *, from_cache: bool) -> Conversion:
    record = dict(entry.record)
    quality, names = Quality(**record["quality"]), record.pop("correspondence")
    return Conversion(
        key=entry.folder.name,
        model=entry.model,
        log=entry.log,
        record=record,
        quality=quality,
        correspondence=None if names is None else Correspondence.from_dict(names),
        from_cache=from_cache,
        onnx=entry.onnx,
    )


def _from_onnx(request: ConversionRequest, progress: Progress) -> _Made:
    require_named(request.files)
    progress("checking the ONNX model")
    try:
        model = read_onnx(request.onnx, request.input_shapes)
    except OpenAxesError as error:
        sizes = sizes_of_samples(request.files, error.inputs)
        raise OpenAxesError(request.onnx, error.inputs, sizes) from error
    names = [value.name for value in model.inputs]
    inputs = [(model.renamed.get(v.name, v.name), v.shape) for v in model.inputs]
    samples = load_model_samples(request.files, inputs, channels_first=True)
    notes = [*model.notes]
    notes += [
        f"the samples of {name!r} were taken for NCHW, as the model has it"
        for name in samples.as_nchw
    ]
    for note in notes[len(model.notes) :]:
        progress(f"note: {note}")
    reference = run_float_onnx(model, samples.held_out, request.time_limit_s)
    progress("converting with onnx2tf (some 10 to 60 s)")
    try:
        made = convert(
            model.data,
            dict(zip(names, samples.calibration, strict=True)),
            command=request.command,
            timeout_s=request.time_limit_s,
            logs=request.cache,
            node_names=model.renamed_nodes,
        )
    except UnmappedError as error:
        raise unmapped(request.onnx, error, model.nodes) from error
    if made.float_tflite:
        fed, limit_s = dict(zip(names, samples.held_out, strict=True)), request.time_limit_s
        require_same_function(made.float_tflite, fed, reference, request.onnx, limit_s)
    return _Made(
        tflite=made.tflite,
        log=made.log,
        wall_s=made.wall_s,
        samples=samples,
        reference=reference,
        onnx=model,
        facts={
            "onnx": {"opset": model.opset, "nodes": len(model.nodes), "notes": notes},
            "renamed": dict(model.renamed),
            "external": dict(model.external),
        },
    )


def _from_float_tflite(request: ConversionRequest, progress: Progress) -> _Made:
    graph = read_float(request.onnx)
    tensors = [graph.tensors[index] for index in graph.inputs]
    inputs = [(tensor.name, tensor.shape) for tensor in tensors]
    samples = load_model_samples(request.files, inputs, channels_first=False)
    progress("quantising with ai-edge-quantizer")
    started = time.monotonic()
    tflite = quantise_float(request.onnx, samples.calibration, timeout_s=request.time_limit_s)
    wall_s = time.monotonic() - started
    reference = run_float_tflite(request.onnx, samples.held_out, request.time_limit_s)
    log = f"ai-edge-quantizer: min/max over {len(samples.calibration[0])} samples\n"
    facts: dict[str, Any] = {"onnx": None, "renamed": {}, "external": {}}
    return _Made(tflite, log, wall_s, samples, reference, None, facts)


def _record(request: ConversionRequest, made: _Made) -> dict[str, Any]:
    """Everything worth knowing of a conversion; raises ModelError where TFLM cannot run it."""
    graph = parse_tflite(made.tflite, name=request.onnx.stem, where=f"{request.onnx} converted")
    samples = made.samples
    names = _correspondence(request, graph, samples, made.onnx)
    require_runnable(graph, request.onnx, made.nodes, names)
    limit_s = request.time_limit_s
    try:
        quality = judge(graph, made.reference, samples.held_out, samples.labels, limit_s)
    except ToolError as error:
        raise not_run(error, graph, request.onnx, made.nodes, names) from error
    pairs = zip(samples.calibration, samples.held_out, strict=True)
    ranges = [(_range(calibration), _range(held_out)) for calibration, held_out in pairs]
    only = ranges[0] if len(ranges) == 1 else (None, None)
    uncovered = (
        warning
        for name, own in zip(samples.names, ranges, strict=True)
        for warning in _uncovered(*own, f" of input {name!r}" if len(ranges) > 1 else "")
    )
    return {
        "schema_version": 1,
        **made.facts,
        "inputs": list(samples.names),
        "calibration_samples": len(samples.calibration[0]),
        "calibration_range": only[0],
        "held_out_range": only[1],
        "preprocess": {
            "mean": list(request.preprocess.mean),
            "std": list(request.preprocess.std),
            "layout": "nchw" if samples.as_nchw == samples.names else request.preprocess.layout,
        },
        "conversion_s": round(made.wall_s, 3),
        "quality": asdict(quality),
        "correspondence": None if names is None else names.to_dict(),
        "warnings": [*quality.warnings, *uncovered],
        "versions": versions(),
    }


def _correspondence(
    request: ConversionRequest, graph: ModelGraph, samples: ModelSamples, onnx: OnnxModel | None
) -> Correspondence | None:
    """None where the two models cannot be run side by side: then plans name ops only.

    Of a model that was rewritten, the cleaned form is compared: it holds what the ops make.
    """
    if onnx is None:
        return None
    fed, names, limit_s = samples.calibration, samples.names, request.time_limit_s
    with scratch_folder("names") as folder:
        path, clean = folder / "int8.tflite", folder / "clean.onnx"
        path.write_bytes(graph.source)
        clean.write_bytes(onnx.data)
        try:
            if not onnx.is_rewritten:
                return correspond(request.onnx, graph, path, fed, limit_s, names)
            plain = {told: name for name, told in onnx.told_tensors.items()}
            names = tuple(plain[name] for name in names)
            found = correspond(clean, graph, path, fed, limit_s, names)
        except (ModelError, ToolError):
            return None
        return found.told(onnx.told_nodes, onnx.told_tensors)


def _range(samples: Array) -> list[float]:
    return [float(samples.min()), float(samples.max())]


def _uncovered(calibration: list[float], held_out: list[float], of: str) -> list[str]:
    """A warning where the data of use leave the calibrated range by more than a twentieth."""
    slack = (calibration[1] - calibration[0]) / 20
    if calibration[0] - slack <= held_out[0] and held_out[1] <= calibration[1] + slack:
        return []
    return [
        f"held-out samples{of} range from {held_out[0]:g} to {held_out[1]:g}, calibration only "
        f"from {calibration[0]:g} to {calibration[1]:g}: what lies outside is clipped"
    ]
