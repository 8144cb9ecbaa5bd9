"""TFLM against LiteRT, op by op on the same inputs: small differences do not add up on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from limits import seconds

from splitopt.base.errors import ToolError
from splitopt.config.job import Job
from splitopt.graph.tflite_reader import read_tflite
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.host import LitertOpsRun, run_litert_ops
from splitopt.runtime.model_builder import ModelBuilder
from splitopt.verify import litert
from splitopt.verify.check import Check, CheckStatus
from splitopt.workflows.run import run_job

SCALE = 0.18


def dense_then(*more: str) -> bytes:
    """FULLY_CONNECTED 64 -> 64 twice, int8, then ops on its output."""
    builder, random = ModelBuilder(), np.random.default_rng(3)

    def activation(type_name: str = "INT8", scale: float = SCALE) -> int:
        return builder.tensor([1, 64], type_name, scales=[scale] if type_name == "INT8" else [])

    first = last = activation(scale=0.05)
    for _ in range(2):
        weights = random.integers(-127, 128, (64, 64), dtype=np.int8).tobytes()
        bias = random.integers(-999, 999, 64, dtype=np.int32).tobytes()
        constants = (
            builder.tensor([64, 64], scales=[0.0123], data=weights),
            builder.tensor([64], "INT32", scales=[0.0123 * 0.05], data=bias),
        )
        out = activation()
        builder.op("FULLY_CONNECTED", [last, *constants], [out], fb.FullyConnectedOptionsT())
        last = out
    for op_type in more:
        out = activation("FLOAT32") if op_type == "DEQUANTIZE" else activation(scale=1 / 256)
        options = {"SOFTMAX": fb.SoftmaxOptionsT, "MUL": fb.MulOptionsT}.get(op_type)
        made = None if options is None else options()
        if isinstance(made, fb.SoftmaxOptionsT):
            made.beta = 1.0
        builder.op(op_type, [last, last] if op_type == "MUL" else [last], [out], made)
        last = out
    return builder.bytes([first], [last])


def checked(folder: Path, model: bytes) -> Check:
    path = folder / "model.tflite"
    path.write_bytes(model)
    graph = read_tflite(path)
    feeds = dict(zip(graph.inputs, random_inputs(graph, 4, 0), strict=True))
    return litert.litert_check(graph, path, feeds, seconds(60))


def off_by(step: float, tensor: int) -> Callable[..., LitertOpsRun]:
    def run(*args: Any) -> LitertOpsRun:
        real = run_litert_ops(*args)
        made = real.arrays[str(tensor)]
        at = (0,) * made.ndim
        made[at] += step if made[at] < 100 else -step
        return real

    return run


@pytest.mark.parametrize("more", [["DEQUANTIZE"], ["MUL", "DEQUANTIZE"]])
def test_real_kernels_agree_op_by_op(more: Sequence[str], tmp_path: Path) -> None:
    check = checked(tmp_path, dense_then(*more))
    assert check.status is CheckStatus.PASSED, check.detail
    assert check.worst_difference <= 1
    assert check.inputs == 4


@pytest.mark.parametrize("step", [1, 2])
def test_an_integer_may_be_off_by_one_at_each_op_and_by_no_more(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = dense_then("DEQUANTIZE")
    honest = checked(tmp_path, model).worst_difference
    graph = read_tflite(tmp_path / "model.tflite")
    tensor = graph.ops[0].outputs[0]
    monkeypatch.setattr(litert, "run_litert_ops", off_by(step, tensor))
    check = checked(tmp_path, model)
    assert check.status is (CheckStatus.PASSED if step + honest <= 1 else CheckStatus.WARNING)
    if step == 2:
        assert check.worst_difference >= 1
        assert f"at op 0 FULLY_CONNECTED: tensor {tensor} " in check.detail
        assert "the pieces are not the cause" in check.detail


def test_a_dequantised_value_has_no_step_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DEQUANTIZE of equal integers gives equal floats: a whole step of the scale is a fault."""
    model = dense_then("DEQUANTIZE")
    checked(tmp_path, model)
    out = read_tflite(tmp_path / "model.tflite").outputs[0]
    monkeypatch.setattr(litert, "run_litert_ops", off_by(SCALE, out))
    assert checked(tmp_path, model).status is CheckStatus.WARNING


def test_a_disagreement_is_a_warning_and_the_run_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(dense_then("DEQUANTIZE"))
    tensor = read_tflite(path).ops[1].outputs[0]
    monkeypatch.setattr(litert, "run_litert_ops", off_by(40, tensor))
    result = run_job(Job.of(model=str(path), board="corstone300_64k"), out=tmp_path / "out")
    statuses = {check.name: check.status.value for check in result.checks}
    assert (statuses["outputs"], statuses["litert"]) == ("passed", "warning")
    assert result.is_equal
    result.require()
    summary = (result.folder / "summary.txt").read_text()
    assert "WARNING litert: " in summary
    assert "the kernels disagree at op 1 FULLY_CONNECTED" in summary


def test_an_op_that_litert_cannot_run_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_first(*args: Any) -> LitertOpsRun:
        real = run_litert_ops(*args)
        arrays = dict(list(real.arrays.items())[1:])
        return LitertOpsRun(arrays, {"op 0 FULLY_CONNECTED": "no kernel for it"}, 0)

    monkeypatch.setattr(litert, "run_litert_ops", without_first)
    check = checked(tmp_path, dense_then("DEQUANTIZE"))
    assert check.status is CheckStatus.PASSED
    assert check.detail == "LiteRT cannot run op 0 FULLY_CONNECTED: no kernel for it"


def test_a_model_that_litert_cannot_run_is_skipped_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> LitertOpsRun:
        raise ToolError("no kernel for it")

    monkeypatch.setattr(litert, "run_litert_ops", refuse)
    check = checked(tmp_path, dense_then())
    assert check.status is CheckStatus.SKIPPED
    assert check.detail == "could not be made: no kernel for it"
