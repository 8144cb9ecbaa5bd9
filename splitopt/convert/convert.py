"""ONNX or float .tflite and calibration data → an int8 .tflite that was checked, made once."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from splitopt.base.errors import ModelError, SplitoptError, ToolError
from splitopt.base.owned_folder import scratch_folder
from splitopt.base.progress import Progress
from splitopt.convert import cache
from splitopt.convert.calibration import Preprocess, Samples, load_samples
from splitopt.convert.content import content_key, is_unchanged, versions
from splitopt.convert.float_tflite import quantise_float, read_float
from splitopt.convert.names.match import correspond
from splitopt.convert.names.onnx_graph import OnnxNode
from splitopt.convert.names.record import Correspondence
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND, convert
from splitopt.convert.onnx2tf_log import UnmappedError
from splitopt.convert.quality import Quality, judge, run_float_onnx, run_float_tflite
from splitopt.convert.source import read_onnx
from splitopt.convert.unsupported_ops import suspects, unregistered
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.runtime.arrays import Array

_REFUSED_BY_TFLM = re.compile(r"Node (\w+) \(number (\d+)\) failed to (prepare|invoke)")


@dataclass(frozen=True)
class ConversionRequest:
    """What to convert and how; `onnx` may be a float .tflite, too.

    `where` is what messages about the calibration data begin with. `input_shapes`: of inputs whose
    axes the file leaves open.
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
    """A fresh conversion, not yet judged. `reference`: the float outputs, in int8's order."""

    tflite: bytes
    log: str
    wall_s: float
    samples: Samples
    reference: list[Array]
    onnx: bytes | None
    nodes: tuple[OnnxNode, ...]
    facts: dict[str, Any]


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
    entry = cache.store(request.cache, key, made.tflite, record, made.log, made.onnx)
    return _conversion(entry, from_cache=False)


def samples_of(request: ConversionRequest, graph: ModelGraph) -> Samples:
    """The request's samples for its int8 model: calibration, held out, labels."""
    return _samples(request, graph.tensors[graph.inputs[0]].shape, channels_first=False)


def _options(request: ConversionRequest) -> dict[str, Any]:
    return {
        "keys": [request.key, request.test_key, request.label_key],
        "input_shapes": {name: list(s) for name, s in request.input_shapes.items()},
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
    progress("checking the ONNX model")
    model = read_onnx(request.onnx, request.input_shapes)
    _require_one_input(request.onnx, [value.name for value in model.inputs])
    [source] = model.inputs
    samples = _samples(request, source.shape, channels_first=True)
    reference = run_float_onnx(model, samples.held_out, request.time_limit_s)
    progress("converting with onnx2tf (some 10 to 60 s)")
    try:
        made = convert(
            model.data,
            {source.name: samples.calibration},
            command=request.command,
            timeout_s=request.time_limit_s,
            logs=request.cache,
            node_names=model.renamed_nodes,
        )
    except UnmappedError as error:
        raise _unmapped(request.onnx, error, model.nodes) from error
    places = made.order([source.name]).outputs
    return _Made(
        tflite=made.tflite,
        log=made.log,
        wall_s=made.wall_s,
        samples=samples,
        reference=[reference[places.index(position)] for position in range(len(places))],
        onnx=model.data,
        nodes=model.nodes,
        facts={
            "onnx": {"opset": model.opset, "nodes": len(model.nodes), "notes": [*model.notes]},
            "renamed": dict(model.renamed),
            "external": dict(model.external),
        },
    )


def _from_float_tflite(request: ConversionRequest, progress: Progress) -> _Made:
    graph = read_float(request.onnx)
    _require_one_input(request.onnx, [graph.tensors[index].name for index in graph.inputs])
    samples = _samples(request, graph.tensors[graph.inputs[0]].shape, channels_first=False)
    progress("quantising with ai-edge-quantizer")
    started = time.monotonic()
    tflite = quantise_float(request.onnx, [samples.calibration], timeout_s=request.time_limit_s)
    wall_s = time.monotonic() - started
    reference = run_float_tflite(request.onnx, samples.held_out, request.time_limit_s)
    log = f"ai-edge-quantizer: min/max over {len(samples.calibration)} samples\n"
    facts: dict[str, Any] = {"onnx": None, "renamed": {}, "external": {}}
    return _Made(tflite, log, wall_s, samples, reference, None, (), facts)


def _require_one_input(path: Path, names: list[str]) -> None:
    if len(names) != 1:
        raise ModelError(
            f"{path}: {len(names)} inputs ({', '.join(names)}); calibration knows models of one"
        )


def _samples(
    request: ConversionRequest, shape: tuple[int | None, ...], *, channels_first: bool
) -> Samples:
    keys = request.key, request.test_key, request.label_key
    prepared = request.preprocess, shape, request.where
    return load_samples(request.data, *keys, *prepared, channels_first=channels_first)


def _record(request: ConversionRequest, made: _Made) -> dict[str, Any]:
    """Everything worth knowing of a conversion; raises ModelError where TFLM cannot run it."""
    graph = parse_tflite(made.tflite, name=request.onnx.stem, where=f"{request.onnx} converted")
    samples = made.samples
    names = _correspondence(request, graph, samples) if made.onnx is not None else None
    _check_runs(graph, request.onnx, made.nodes, names)
    limit_s = request.time_limit_s
    try:
        quality = judge(graph, made.reference, samples.held_out, samples.labels, limit_s)
    except ToolError as error:
        raise _not_run(error, graph, request.onnx, made.nodes, names) from error
    ranges = _range(samples.calibration), _range(samples.held_out)
    return {
        "schema_version": 1,
        **made.facts,
        "calibration_samples": len(samples.calibration),
        "calibration_range": ranges[0],
        "held_out_range": ranges[1],
        "preprocess": {
            "mean": list(request.preprocess.mean),
            "std": list(request.preprocess.std),
            "layout": request.preprocess.layout,
        },
        "conversion_s": round(made.wall_s, 3),
        "quality": asdict(quality),
        "correspondence": None if names is None else names.to_dict(),
        "warnings": [*quality.warnings, *_uncovered(*ranges)],
        "versions": versions(),
    }


def _correspondence(
    request: ConversionRequest, graph: ModelGraph, samples: Samples
) -> Correspondence | None:
    """None where the two models cannot be run side by side: then plans name ops only."""
    with scratch_folder("names") as folder:
        path = folder / "int8.tflite"
        path.write_bytes(graph.source)
        try:
            return correspond(request.onnx, graph, path, samples.calibration, request.time_limit_s)
        except (ModelError, ToolError):
            return None


def _check_runs(
    graph: ModelGraph, path: Path, nodes: tuple[OnnxNode, ...], names: Correspondence | None
) -> None:
    """Raises ModelError where TFLM lacks a kernel, or an input or output is not int8."""
    foreign = unregistered(graph)
    if foreign:
        named = [f"{graph.op_name(op)}{_made_of(graph, op, nodes, names)}" for op in foreign[:3]]
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise ModelError(
            f"{path}: converted, {'; '.join(named)}{more} is not registered by TFLM; replace that "
            "before exporting"
        )
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.dtype.name != "INT8":
            raise ModelError(
                f"{path}: converted, its {tensor.name!r} is {tensor.dtype.name}, want INT8; end "
                "the model before the ONNX node that makes it"
            )


def _not_run(
    error: ToolError,
    graph: ModelGraph,
    path: Path,
    nodes: tuple[OnnxNode, ...],
    names: Correspondence | None,
) -> SplitoptError:
    """A kernel of TFLM that refuses its op is a fault of the model, and named as in the ONNX."""
    refused = _REFUSED_BY_TFLM.search(str(error))
    if refused is None or int(refused[2]) >= len(graph.ops):
        return error
    op = int(refused[2])
    return ModelError(
        f"{path}: converted, {graph.op_name(op)}{_made_of(graph, op, nodes, names)} is not run by "
        f"TFLM in {graph.tensors[graph.ops[op].outputs[0]].dtype.name} (failed to {refused[3]}); "
        "replace that before exporting"
    )


def _unmapped(path: Path, error: UnmappedError, nodes: tuple[OnnxNode, ...]) -> ModelError:
    named = []
    for op in error.ops[:3]:
        guessed = suspects(op, nodes)
        named.append(f"{op} (perhaps ONNX node {', '.join(guessed)})" if guessed else op)
    return ModelError(
        f"{path}: TFLite has no op for {'; '.join(named)}, onnx2tf fell back on TensorFlow's own, "
        "which TFLM cannot run; replace that before exporting"
    )


def _made_of(
    graph: ModelGraph, op: int, nodes: tuple[OnnxNode, ...], names: Correspondence | None
) -> str:
    known = names.nodes_of_op(op) if names else ()
    if known:
        return f" (made of ONNX node {', '.join(known)})"
    guessed = suspects(graph.ops[op].type, nodes)
    return f" (perhaps made of ONNX node {', '.join(guessed)})" if guessed else ""


def _range(samples: Array) -> list[float]:
    return [float(samples.min()), float(samples.max())]


def _uncovered(calibration: list[float], held_out: list[float]) -> list[str]:
    """A warning where the data of use leave the calibrated range by more than a twentieth."""
    slack = (calibration[1] - calibration[0]) / 20
    if calibration[0] - slack <= held_out[0] and held_out[1] <= calibration[1] + slack:
        return []
    return [
        f"held-out samples range from {held_out[0]:g} to {held_out[1]:g}, calibration only from "
        f"{calibration[0]:g} to {calibration[1]:g}: what lies outside is clipped"
    ]
