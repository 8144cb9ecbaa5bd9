"""What TFLM does not run is told before planning, in its own words; no plan is made of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder
from limits import seconds
from models import add_chain, with_custom_op

from splitopt.base.errors import ModelError, SplitoptError, ToolError, UsageError
from splitopt.base.limits import MODEL_TENSORS_BYTES
from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.config.job import Job
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.workflows import run
from splitopt.workflows.explain import explain
from splitopt.workflows.sweep.run import run_sweep


def job_of(tmp_path: Path, model: bytes, **settings: Any) -> Job:
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    return Job.of(model=str(path), board="corstone300_256k", **settings)


def refused(tmp_path: Path, model: bytes, **settings: Any) -> SplitoptError:
    """The error of a run, which must come before any planning."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "plan_job", lambda *_: pytest.fail("planned"))
        with pytest.raises(SplitoptError) as caught:
            run.run_job(job_of(tmp_path, model, **settings), out=tmp_path / "out")
    assert list((tmp_path / "out").rglob("*.json")) == []
    return caught.value


def log_softmax_of_another_scale() -> bytes:
    """int8, which its kernel runs, but with another output scale than 16/256."""
    builder = Builder()
    builder.op("LOG_SOFTMAX", [builder.tensor([1, 4])], [builder.tensor([1, 4])])
    return builder.bytes([0], [1])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (with_custom_op, "Failed to get registration from op code CUSTOM"),
        (log_softmax_of_another_scale, "Node LOG_SOFTMAX (number 0) failed to prepare"),
    ],
)
def test_what_tflm_refuses_is_wrong_input(
    make: Callable[[], bytes], says: str, tmp_path: Path
) -> None:
    error = refused(tmp_path, make())
    assert isinstance(error, ModelError)
    assert "TFLM on this machine cannot run it: " in str(error)
    assert says in str(error)
    assert str(error).endswith("--no-verify plans without running it")


def test_without_proof_it_is_planned(tmp_path: Path) -> None:
    result = run.run_job(job_of(tmp_path, with_custom_op()), out=tmp_path / "out", verify=False)
    assert result.plan.segments
    assert not result.checks
    summary = (result.folder / "summary.txt").read_text().splitlines()
    assert any(line.startswith("NOT PROVED: outputs were not compared") for line in summary[:15])
    assert any(line.startswith("NOT PROVED: neither the model nor its pieces") for line in summary)
    assert "NOT PROVED: " in (result.folder / "report.html").read_text()
    assert json.loads((result.folder / "plan.json").read_text())["proof"] == "skipped"
    assert "--no-verify" in json.loads((result.folder / "verify.json").read_text())["reason"]


def test_explain_says_first_that_it_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(with_custom_op())
    found = explain(path, "corstone300_256k", out=tmp_path / "out")
    text = (tmp_path / "out" / "explain.txt").read_text()
    assert "Failed to get registration from op code CUSTOM" in text.splitlines()[0]
    assert text.startswith("NOT RUN: ")
    path.write_bytes(add_chain([[1, 2, 3, 4]]))
    found = explain(path, "corstone300_256k")
    assert isinstance(found, ModelExplanation)
    assert found.not_run == ""


@pytest.mark.parametrize(("prove", "is_refused"), [("all", True), ("none", False)])
def test_a_sweep_that_proves_tries_each_model_first(
    prove: str, is_refused: bool, tmp_path: Path
) -> None:
    (tmp_path / "model.tflite").write_bytes(with_custom_op())
    job = {"model": {"path": "model.tflite"}, "board": "corstone300_256k"}
    (tmp_path / "job.yaml").write_text(json.dumps(job))
    sweep = {"job": "job.yaml", "grid": {"budget_bytes": [40_000]}, "prove": prove}
    (tmp_path / "sweep.yaml").write_text(json.dumps(sweep))
    [row] = run_sweep(tmp_path / "sweep.yaml", out=tmp_path / "out").rows
    assert ("op code CUSTOM" in (row.error or "")) is is_refused


def test_a_sound_model_is_not_refused(tmp_path: Path) -> None:
    result = run.run_job(job_of(tmp_path, add_chain([[1, 2, 3, 4]])), out=tmp_path / "out")
    assert result.is_equal


def pool(filter_size: int) -> bytes:
    """A few hundred bytes that ask for years of work."""
    builder = Builder()
    source, out = builder.tensor([1, 500, 500, 64]), builder.tensor([1, 500, 500, 64])
    options = fb.Pool2DOptionsT()
    options.filterHeight = options.filterWidth = filter_size
    options.strideH = options.strideW = 1
    builder.op("AVERAGE_POOL_2D", [source], [out], ("Pool2DOptions", options))
    return builder.bytes([source], [out])


def test_an_endless_inference_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()
    error = refused(tmp_path, pool(1001), verify={"time_limit_s": 40})
    assert isinstance(error, ToolError)
    assert "took longer than the time limit of 2 s" in str(error)
    assert "raise verify.time_limit_s" in str(error)
    assert time.monotonic() - started < seconds(20)


def test_a_type_that_cannot_be_fed_is_named(tmp_path: Path) -> None:
    builder = Builder()
    builder.op("RESHAPE", [builder.typed([1, 4], "UINT16")], [builder.typed([4], "UINT16")])
    error = refused(tmp_path, builder.bytes([0], [1]))
    assert isinstance(error, UsageError)
    assert "tensor 0 't0' is UINT16" in str(error)


def relus(*shape: int) -> bytes:
    builder = Builder()
    tensors = [builder.tensor(shape) for _ in range(3)]
    builder.relu(*tensors[:2])
    builder.relu(*tensors[1:])
    return builder.bytes([tensors[0]], [tensors[2]])


def test_tensors_over_the_budget_are_refused_when_the_file_is_read() -> None:
    third = MODEL_TENSORS_BYTES // 3
    parse_tflite(relus(1, third), name="fits")
    with pytest.raises(ModelError, match=r"hold 268,435,458 bytes in all, at most 268,435,456"):
        parse_tflite(relus(1, third + 1), name="over")


def test_inputs_are_made_for_a_plan_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random inputs of a model without a plan once took 8 GB."""
    monkeypatch.setattr("splitopt.verify.proof.random_inputs", lambda *_: pytest.fail("made"))
    with pytest.raises(SplitoptError, match="no plan") as caught:
        run.run_job(job_of(tmp_path, relus(1, 1 << 20)), out=tmp_path / "out")
    assert caught.value.exit_code == 3


def test_more_inputs_than_can_be_held_are_refused(tmp_path: Path) -> None:
    job = job_of(tmp_path, relus(1, 60_000), verify={"inputs": 10_000})
    with pytest.raises(
        UsageError, match=r"\$\.verify\.inputs: 10000 inputs .* at most 536,870,912"
    ):
        run.run_job(job, out=tmp_path / "out")
