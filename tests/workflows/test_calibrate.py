"""Cost tables: fits that recover what is known, files that jobs name, and a real calibration."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from allocations import measure_many_allocations
from diagnosis_bundles import digits

from splitopt.base.errors import UsageError
from splitopt.config.job import read_job
from splitopt.config.target import read_target
from splitopt.convert.open_model import open_model
from splitopt.cost.costs import built_in, estimate_invoke, parse_costs
from splitopt.cost.invoke import kernel_of
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.workflows.calibrate.calibrate import calibrate
from splitopt.workflows.calibrate.fit import Point, fit, fit_prepare
from splitopt.workflows.calibrate.models import generated, quantize_chain
from splitopt.workflows.calibrate.text import held_out_rows, lines, rows
from splitopt.workflows.plan import plan_job

TABLE: dict[str, Any] = {
    "schema_version": 2,
    "simulator": "made by hand",
    "per_invoke_insn": 100.0,
    "invoke": {
        "CONV_2D INT8": {
            "constant_insn": 50.0, "factor": 2.0, "samples": 3, "mean_error": 0.0,
            "worst_error": 0.0,
        }
    },
    "prepare": {"CONV_2D": {"insn": 1e6, "samples": 3, "mean_error": 0.0, "worst_error": 0.0}},
    "fully_connected_weight": 0.5,
}  # fmt: skip


def test_a_line_is_recovered_and_its_error_is_that_of_points_left_out() -> None:
    line = [Point(e, 30 + 1.25 * e) for e in (100, 500, 2000, 9000)]
    found = fit(line)
    assert (found.constant_insn, found.factor) == (pytest.approx(30), pytest.approx(1.25))
    assert found.worst_error == pytest.approx(0, abs=1e-6)
    bent = fit([*line, Point(4000, 2 * (30 + 1.25 * 4000))])
    assert bent.worst_error > 0.4  # the others do not know of it
    assert fit([Point(100, 150), Point(200, 300)]).factor == pytest.approx(1.5)


def test_a_preparation_is_recovered() -> None:
    weights = [64, 1000, 8000, 30000]
    points = [Point(5000 + 0.5 * w, 5300 + 0.4 * w) for w in weights]
    entry, slope = fit_prepare(points, 4000.0, weights)
    assert entry.insn == pytest.approx(4300)
    assert slope == pytest.approx(-0.1)
    assert entry.worst_error == pytest.approx(0, abs=1e-6)


def test_generated_models_run_in_tflm(tmp_path: Path) -> None:
    """On this machine, all of them; the same ones each time."""
    samples = generated()
    assert [s.data for s in samples] == [s.data for s in generated()]
    kinds = {"TRANSPOSE_CONV", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BATCH_MATMUL"}
    assert {s.op_type for s in samples} > kinds | {"RESIZE_BILINEAR", "CONV_2D"}
    files = []
    for k, sample in enumerate(samples):
        path = tmp_path / f"{k}.tflite"
        path.write_bytes(sample.data)
        files.append((path, 1 << 20))
    found = measure_many_allocations(files)
    assert all(figure.total_bytes > 0 for figure in found)
    assert len(parse_tflite(quantize_chain(3), name="c", where="c").ops) == 3


def test_a_table_changes_what_its_types_cost() -> None:
    costs = parse_costs(json.dumps(TABLE), "costs.json")
    graph = read_tflite(digits("resnet8"))
    for op in graph.ops:
        before, after = built_in().invoke(graph, op), costs.invoke(graph, op)
        assert before is not None
        kernel = kernel_of(graph, op)
        is_in_it = kernel is not None and kernel.name == "CONV_2D INT8"
        assert after == pytest.approx(50 + 2 * before if is_in_it else before, abs=1)
    start = estimate_invoke(costs, graph, 0, 0).insn
    assert start == 100


def test_a_job_names_a_table(tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text(json.dumps(TABLE))
    file = tmp_path / "j.yaml"
    text = f"model: {{path: {digits('resnet8')}}}\nboard: corstone300_256k\n"
    file.write_text(text)
    plain = read_job(file)
    before = plan_job(plain, open_model(plain))
    file.write_text(text + "cost_table: costs.json\n")
    job = read_job(file)
    after = plan_job(job, open_model(job))
    assert after.baseline.allocate_insn > before.baseline.allocate_insn + 4_000_000
    assert after.baseline.arena == before.baseline.arena


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("not json", "not a whole JSON document"),
        ({**TABLE, "schema_version": 1}, r"\$\.schema_version"),
        ({**TABLE, "per_invoke_insn": -1}, r"\$\.per_invoke_insn"),
        ({**TABLE, "invoke": {"CONV_2D INT8": {"factor": 0}}}, r"\$\.invoke\.CONV_2D INT8"),
        ({k: v for k, v in TABLE.items() if k != "prepare"}, r"\$\.prepare: missing"),
    ],
)
def test_a_broken_table_is_refused(change: Any, says: str, tmp_path: Path) -> None:
    text = change if isinstance(change, str) else json.dumps(change)
    (tmp_path / "costs.json").write_text(text)
    file = tmp_path / "j.yaml"
    file.write_text(
        f"model: {{path: {digits('resnet8')}}}\nboard: corstone300_256k\ncost_table: costs.json\n"
    )
    job = read_job(file)
    with pytest.raises(UsageError, match=says):
        plan_job(job, open_model(job))
    (tmp_path / "costs.json").unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        plan_job(job, open_model(job))


@pytest.mark.needs("compiler", "qemu", "tflm")
def test_a_calibration_on_qemu(tmp_path: Path) -> None:
    """Every generated model uses the predicted bytes, and a model that was left out fits."""
    document = calibrate(read_target("qemu", tmp_path), [digits("mbv2"), digits("resnet8")])
    assert document["models_of_other_bytes"] == []
    again = parse_costs(json.dumps(document), "costs.json")
    graphs = [parse_tflite(s.data, name="m", where=s.label) for s in generated()]
    kernels = Counter(kernel.name for g in graphs if (kernel := kernel_of(g, g.ops[0])))
    assert set(again.corrections) == {name for name, count in kernels.items() if count > 1}
    for judged in document["held_out"]:
        assert judged["bytes_equal"]
        assert abs(judged["invoke_error"]) < 0.02
        assert abs(judged["allocate_error"]) < 0.02
    assert len(rows(document)) == len(document["invoke"])
    assert len(held_out_rows(document)) == 2
    assert "not CPU cycles" in lines(document)[-1]
    print(*rows(document), *held_out_rows(document), sep="\n")
