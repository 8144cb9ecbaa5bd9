"""An ONNX model converted piece by piece, each calibrated on what really reaches it.

The data at inner boundaries are captured by running the float model. Each piece is kept by content
as whole conversions are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splitopt.base.errors import ModelError, SplitoptError, ToolError
from splitopt.base.progress import Progress
from splitopt.convert import cache, content
from splitopt.convert.calibration import channels_last
from splitopt.convert.float_onnx import cut_float, run_float
from splitopt.convert.onnx2tf_adapter import convert
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import Array

_MAX_CAPTURED_BYTES = 1 << 30


@dataclass(frozen=True)
class OnnxPiece:
    """What a piece reads and makes: tensors of the cleaned ONNX model."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class PieceRequest:
    """The cleaned model `onnx`, and how its pieces are converted.

    `key` stands for all that shaped the conversion of the whole. `renamed`: tensor names of the
    cleaned model → the user's, where they differ.
    `samples`: of each input, float32 [N, ...], channels last, N the same for all; asked for only
    where something must be converted.
    """

    onnx: Path
    key: str
    samples: Callable[[], Mapping[str, Array]]
    command: tuple[str, ...]
    time_limit_s: float
    cache: Path
    renamed: Mapping[str, str]


@dataclass(frozen=True)
class ConvertedPiece:
    """An int8 piece with inputs and outputs in the order asked for, channels last throughout.

    `conversion_s`: how long its conversion took, when it was made.
    """

    tflite: bytes
    log: str
    conversion_s: float
    from_cache: bool


def convert_pieces(
    request: PieceRequest, pieces: Sequence[OnnxPiece], progress: Progress = lambda _: None
) -> tuple[ConvertedPiece, ...]:
    """Converts each piece of the ONNX model to int8, or takes it from the cache.

    Raises ModelError or ToolError, which name the piece; pieces that were finished stay in the
    cache.
    """
    cleaned = request.onnx.read_bytes()
    keys = [_key(request, cleaned, piece) for piece in pieces]
    found = {k: piece for k, key in enumerate(keys) if (piece := _load(request.cache, key))}
    missing = [k for k in range(len(pieces)) if k not in found]
    if missing:
        progress("capturing what reaches each piece in the float model")
        ends = [(piece.inputs, piece.outputs) for piece in pieces]
        models = cut_float(request.onnx, ends, request.time_limit_s)
        captured = _capture(request, [pieces[k] for k in missing])
    for done, k in enumerate(missing, 1):
        progress(f"converting piece {done} of {len(missing)} with onnx2tf")
        try:
            found[k] = _convert(request, pieces[k], models[k], captured, keys[k])
        except SplitoptError as error:
            last = ", ".join(request.renamed.get(name, name) for name in pieces[k].outputs)
            raise type(error)(f"piece {k} (up to ONNX {last}): {error}") from error
    return tuple(found[k] for k in range(len(pieces)))


def _key(request: PieceRequest, cleaned: bytes, piece: OnnxPiece) -> str:
    """The cleaned model counts, too: weights in files beside the model are not in `request.key`."""
    facts = {"whole": request.key, "inputs": piece.inputs, "outputs": piece.outputs}
    return content.hashed({"onnx": cleaned}, facts)


def _load(folder: Path, key: str) -> ConvertedPiece | None:
    entry = cache.load(folder, key)
    if entry is None:
        return None
    seconds = entry.record["conversion_s"]
    return ConvertedPiece(entry.model.read_bytes(), entry.log.read_text("utf-8"), seconds, True)


def _capture(request: PieceRequest, pieces: Sequence[OnnxPiece]) -> Mapping[str, Array]:
    """What the pieces read, by name: float32 [N, ...], channels last."""
    names = list(dict.fromkeys(name for piece in pieces for name in piece.inputs))
    samples = request.samples()
    inner = [name for name in names if name not in samples]
    if not inner:
        return samples

    def run(numbers: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        fed = {name: values[numbers] for name, values in samples.items()}
        return fed, run_float(request.onnx, fed, inner, request.time_limit_s)

    total = len(next(iter(samples.values())))
    sample_bytes = sum(array.nbytes for array in run(np.arange(1))[1].values())
    count = max(2, min(total, _MAX_CAPTURED_BYTES // max(1, sample_bytes)))
    fed, found = run(np.linspace(0, total - 1, count).round().astype(int))
    made = {name: channels_last(values[:, 0]) for name, values in found.items()}
    absent = [name for name in inner if name not in made]
    if absent:
        raise ToolError(f"onnxruntime gave nothing for the tensor {absent[0]!r}")
    return fed | made


def _convert(
    request: PieceRequest,
    piece: OnnxPiece,
    model: bytes,
    captured: Mapping[str, Array],
    key: str,
) -> ConvertedPiece:
    started = time.monotonic()
    made = convert(
        model,
        {name: captured[name] for name in piece.inputs},
        command=request.command,
        timeout_s=request.time_limit_s,
        logs=request.cache,
    )
    tflite = _network(made.tflite)
    seconds = round(time.monotonic() - started, 3)
    cache.store(request.cache, key, tflite, {"conversion_s": seconds}, made.log, model)
    return ConvertedPiece(tflite, made.log, seconds, False)


def _network(tflite: bytes) -> bytes:
    """The piece with nothing but the network."""
    graph = parse_tflite(tflite, name="piece", where="the converted piece")
    for tensor in (graph.tensors[index] for index in (*graph.inputs, *graph.outputs)):
        if tensor.dtype.name != "INT8" or tensor.quantization is None:
            raise ModelError(f"{tensor.name!r} came out as {tensor.dtype.name}, want INT8")
    return write_piece(graph, whole_model(graph))
