"""Bundles written by hand, and faults put into their pieces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

from splitopt.arena.replay import replay
from splitopt.arena.rules import target_rules
from splitopt.bundle.open import open_bundle
from splitopt.bundle.schema.outputs import Finding, Outputs, Severity
from splitopt.explain.outputs.outputs import explain_outputs
from splitopt.explain.outputs.samples import DataFile, choose_samples
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.writer import write_piece

CHECKOUT = Path(__file__).resolve().parents[1]
MODELS = CHECKOUT / "configs" / "models"
_SEGMENT_FIGURES = (
    "head_bytes", "tail_bytes", "arena_used_bytes", "arena_min_bytes", "through_bytes", "in_bytes",
    "out_bytes", "ram_bytes", "estimated_allocate_insn", "estimated_added_insn",
    "estimated_invoke_insn",
)  # fmt: skip
_BASELINE_FIGURES = (
    "head_bytes", "tail_bytes", "arena_used_bytes", "arena_min_bytes", "ram_bytes",
    "estimated_allocate_insn", "estimated_invoke_insn",
)  # fmt: skip
CONVERSION = {
    "onnx": None,
    "calibration_samples": 1,
    "quality": {
        "samples": 1, "sqnr_db": 30.0, "worst_litert_lsb": 0.0, "top1_float": None,
        "top1_int8": None, "top1_agreement": None,
    },
}  # fmt: skip
BOARD = {"name": "test", "sram_bytes": 1 << 20, "headroom_bytes": 1024}


def digits(name: str) -> Path:
    return MODELS / f"{name}_digits_int8.tflite"


def digits_data(name: str) -> Path:
    return MODELS / f"{name}_digits_data.npz"


def make_bundle(
    folder: Path,
    model: Path,
    cuts: Sequence[int],
    settings: dict[str, Any] | None = None,
    **more: Any,
) -> Path:
    """A bundle of the model cut at `cuts`: plan.json as a diagnosis reads it, other figures 0."""
    graph = read_tflite(model)
    rules = target_rules("m55")
    (folder / "pieces").mkdir(parents=True)
    segments = []
    for k, (start, stop) in enumerate(pairwise([0, *cuts, len(graph.ops)])):
        segment = segment_of(graph, start, stop)
        name = f"pieces/{k:02d}.tflite"
        (folder / name).write_bytes(write_piece(graph, segment))
        segments.append(
            {
                **dict.fromkeys(_SEGMENT_FIGURES, 0),
                "index": k,
                "start": start,
                "stop": stop,
                "inputs": list(segment.inputs),
                "outputs": list(segment.outputs),
                "arena_bytes": replay(graph, segment, rules.memories(graph), rules.abi).size_bytes
                + 1024,
                "exact": True,
                "piece": name,
            }
        )
    plan = {
        "schema_version": 1,
        "job": {"name": "job", "path": str(folder / "job.yaml"), "settings": settings or {}},
        "model": {
            "path": str(model),
            "sha256": sha256(model),
            "bytes": len(graph.source),
            "ops": len(graph.ops),
            "tensors": len(graph.tensors),
        },
        "board": BOARD,
        "budget_bytes": 1 << 19,
        "route": "whole",
        "status": "OPTIMAL",
        "objective": {"minimise": "peak_ram", "cost": 1, "bound": 1, "gap": 0},
        "peak_ram_bytes": 1,
        "added_insn": 0,
        "exact": True,
        "estimated_ops": [],
        "baseline": {
            **dict.fromkeys(_BASELINE_FIGURES, 0),
            "ops_without_invoke_estimate": [],
            "exact": True,
        },
        "by_hand": [],
        "floor": {"op": 0, "type": "", "least_ram_bytes": 0},
        "segments": segments,
        "layout": {"region_bytes": 1, "boundary": []},
        "piece_bytes": None,
        "piece_overhead_bytes": None,
        **more,
    }
    if "conversion" in more:
        plan["conversion"] = {**CONVERSION, **more["conversion"]}
    write_plan(folder, plan)
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_plan(folder: Path) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    return plan


def write_plan(folder: Path, plan: dict[str, Any]) -> None:
    (folder / "plan.json").write_text(json.dumps(plan))


def outputs_of(folder: Path, data: Path | None = None, key: str | None = None) -> Outputs:
    bundle = open_bundle(folder)
    given = None if data is None else DataFile(data, key)
    return explain_outputs(bundle, choose_samples(bundle, given))


def faults_of(found: Outputs) -> dict[str, list[Finding]]:
    """Code → faults, the consequence `constant_output` aside."""
    codes: dict[str, list[Finding]] = {}
    for finding in found.findings:
        if finding.severity is Severity.FAULT and finding.code != "constant_output":
            codes.setdefault(finding.code, []).append(finding)
    return codes


def codes_of(found: Outputs) -> set[str]:
    return {finding.code for finding in found.findings}


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """The file's object tree, changed and packed again."""
    model = fb.ModelT.InitFromObj(fb.Model.GetRootAs(path.read_bytes()))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def edit_piece(folder: Path, index: int, change: Callable[[Any], None]) -> None:
    edit(folder / "pieces" / f"{index:02d}.tflite", change)


def end_tensor(model: Any, position: int, *, is_input: bool) -> Any:
    graph = model.subgraphs[0]
    return graph.tensors[int((graph.inputs if is_input else graph.outputs)[position])]


def scaled(tensor: Any, factor: float, shift: int = 0) -> None:
    quantization = tensor.quantization
    quantization.scale = np.asarray([float(quantization.scale[0]) * factor], np.float32)
    quantization.zeroPoint = np.asarray([int(quantization.zeroPoint[0]) + shift], np.int64)


def transposed(model: Any, position: int, perm: Sequence[int], *, is_input: bool) -> None:
    """An end of the piece with its axes in another order, by a TRANSPOSE op of its own.

    The new end has axis perm[k] of the old one at position k.
    """
    graph = model.subgraphs[0]
    ends = [int(t) for t in (graph.inputs if is_input else graph.outputs)]
    old = ends[position]
    shape = [int(graph.tensors[old].shape[axis]) for axis in perm]
    new = _new_tensor(model, fb.TensorType.INT8, shape, None, graph.tensors[old].quantization)
    order = np.argsort(perm) if is_input else perm
    words = np.asarray(order, np.int32)
    axes = _new_tensor(model, fb.TensorType.INT32, [len(perm)], words.tobytes(), None)
    code = fb.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = fb.BuiltinOperator.TRANSPOSE
    model.operatorCodes.append(code)
    op = fb.OperatorT()
    op.opcodeIndex = len(model.operatorCodes) - 1
    source, target = (new, old) if is_input else (old, new)
    op.inputs, op.outputs = np.asarray([source, axes], np.int32), np.asarray([target], np.int32)
    op.builtinOptionsType = fb.BuiltinOptions.TransposeOptions
    op.builtinOptions = fb.TransposeOptionsT()
    ends[position] = new
    if is_input:
        graph.operators, graph.inputs = [op, *graph.operators], np.asarray(ends, np.int32)
    else:
        graph.operators, graph.outputs = [*graph.operators, op], np.asarray(ends, np.int32)


def _new_tensor(
    model: Any, kind: int, shape: Sequence[int], data: bytes | None, quantization: Any
) -> int:
    tensor = fb.TensorT()
    tensor.name, tensor.shape, tensor.type = b"new", np.asarray(shape, np.int32), kind
    tensor.quantization = quantization
    if data is not None:
        buffer = fb.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def exchanged(model: Any, *, inputs: bool, order: Sequence[int] = (1, 0)) -> None:
    graph = model.subgraphs[0]
    ends = [int(t) for t in (graph.inputs if inputs else graph.outputs)]
    turned = np.asarray([ends[k] for k in order], np.int32)
    if inputs:
        graph.inputs = turned
    else:
        graph.outputs = turned
