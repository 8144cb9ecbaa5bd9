"""ONNX model and calibration data → a trusted int8 .tflite, converted once and kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from splitopt.convert import cache
from splitopt.convert.calibration import Preprocess, Samples, load_samples
from splitopt.convert.correspondence import Correspondence, correspond
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND, Converted, convert
from splitopt.convert.quality import Quality, judge
from splitopt.convert.source import OnnxModel, read_onnx
from splitopt.errors import ModelError, ToolError, UsageError
from splitopt.graph.model import ModelGraph
from splitopt.graph.registered_ops import unregistered_types
from splitopt.graph.tflite_reader import parse_tflite

_SHAPING_TOOLS = ("onnx", "onnx2tf", "onnxsim", "tensorflow", "splitopt")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ConversionRequest:
    """What to convert and how; `where` opens the text of errors about calibration data."""

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


@dataclass(frozen=True)
class Conversion:
    """A converted model in the cache; `from_cache`: nothing was converted for it."""

    model: Path
    log: Path
    record: dict[str, Any]
    quality: Quality
    correspondence: Correspondence | None
    from_cache: bool


def convert_model(request: ConversionRequest, progress: Progress = lambda _: None) -> Conversion:
    """Raises ModelError, UsageError or ToolError; then nothing is left behind."""
    key = _content_key(request)
    entry = cache.load(request.cache, key)
    if entry is not None:
        return _conversion(entry, from_cache=True)
    progress("checking the ONNX model")
    model = read_onnx(request.onnx)
    samples = _samples(request, model)
    progress("converting with onnx2tf (some 10 to 60 s)")
    made = convert(
        model.data,
        {model.inputs[0].name: samples.calibration},
        command=request.command,
        timeout_s=request.time_limit_s,
    )
    progress("checking the conversion against the float model")
    record = _record(request, model, samples, made)
    try:
        entry = cache.store(request.cache, key, made.tflite, record, made.log)
    except OSError as error:
        raise ToolError(f"{request.cache}: cannot be written ({error.strerror})") from error
    return _conversion(entry, from_cache=False)


def _conversion(entry: cache.Entry, *, from_cache: bool) -> Conversion:
    record = dict(entry.record)
    quality, names = Quality(**record["quality"]), record.pop("correspondence")
    correspondence = None if names is None else Correspondence.from_dict(names)
    return Conversion(entry.model, entry.log, record, quality, correspondence, from_cache)


def _content_key(request: ConversionRequest) -> str:
    try:
        parts = {"model": request.onnx.read_bytes(), **_data_parts(request.data)}
        parts |= _external_parts(request.onnx)
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be read ({error.strerror})") from error
    facts = {
        "format": 2,
        "keys": [request.key, request.test_key, request.label_key],
        "mean": request.preprocess.mean,
        "std": request.preprocess.std,
        "layout": request.preprocess.layout,
        "command": [] if request.command == DEFAULT_COMMAND else list(request.command),
        "versions": {name: _version(name) for name in _SHAPING_TOOLS},
    }
    return cache.content_key(parts, facts)


def _data_parts(data: Path) -> dict[str, bytes]:
    if not data.is_dir():
        return {f"data/{data.suffix}": data.read_bytes()}
    files = sorted(f for f in data.iterdir() if f.suffix in (".npy", ".npz", ".png"))
    return {f"data/{file.name}": file.read_bytes() for file in files}


def _external_parts(onnx: Path) -> dict[str, bytes]:
    """Weights that large exports keep beside the model, under its name."""
    beside = (onnx.with_name(onnx.name + ".data"), onnx.with_suffix(".data"))
    return {f"external/{f.name}": f.read_bytes() for f in beside if f.is_file()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _samples(request: ConversionRequest, model: OnnxModel) -> Samples:
    if len(model.inputs) != 1 or len(model.outputs) < 1:
        names = ", ".join(value.name for value in model.inputs)
        raise ModelError(
            f"{request.onnx}: {len(model.inputs)} inputs ({names}); calibration knows models of one"
        )
    return load_samples(
        request.data,
        request.key,
        request.test_key,
        request.label_key,
        request.preprocess,
        model.inputs[0].shape,
        request.where,
    )


def _record(
    request: ConversionRequest, model: OnnxModel, samples: Samples, made: Converted
) -> dict[str, Any]:
    """Everything worth knowing of a conversion; raises ModelError where TFLM cannot run it."""
    graph = parse_tflite(made.tflite, name=request.onnx.stem, where=f"{request.onnx} converted")
    names = _correspondence(request, graph, samples)
    _refuse_unregistered(request.onnx, graph, names)
    quality = judge(model, graph, samples.held_out, samples.labels, request.time_limit_s)
    return {
        "schema_version": 1,
        "onnx": {"opset": model.opset, "nodes": model.nodes, "notes": list(model.notes)},
        "renamed": dict(model.renamed),
        "calibration_samples": len(samples.calibration),
        "calibration_range": _range(samples.calibration),
        "held_out_range": _range(samples.held_out),
        "preprocess": {
            "mean": list(request.preprocess.mean),
            "std": list(request.preprocess.std),
            "layout": request.preprocess.layout,
        },
        "conversion_s": round(made.wall_s, 3),
        "quality": quality.to_dict(),
        "correspondence": None if names is None else names.to_dict(),
        "warnings": list(quality.warnings),
        "versions": {name: _version(name) for name in _SHAPING_TOOLS},
    }


def _correspondence(
    request: ConversionRequest, graph: ModelGraph, samples: Samples
) -> Correspondence | None:
    """None where the two models cannot be run side by side: then plans speak of ops alone."""
    with tempfile.TemporaryDirectory(prefix="splitopt-") as name:
        path = Path(name) / "int8.tflite"
        path.write_bytes(graph.source)
        try:
            return correspond(request.onnx, graph, path, samples.calibration, request.time_limit_s)
        except (ModelError, ToolError):
            return None


def _refuse_unregistered(onnx: Path, graph: ModelGraph, names: Correspondence | None) -> None:
    foreign = unregistered_types(graph)
    if not foreign:
        return
    op = next(op.index for op in graph.ops if op.type == foreign[0])
    nodes = names.nodes_of_op(op) if names else ()
    made_of = f" (made of ONNX node {', '.join(nodes)})" if nodes else ""
    raise ModelError(
        f"{onnx}: converted, {graph.op_name(op)}{made_of} is not registered by TFLM; "
        "replace that node before exporting"
    )


def _range(samples: Any) -> Sequence[float]:
    return [float(samples.min()), float(samples.max())]
