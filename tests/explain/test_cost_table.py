"""A bundle is explained under the cost table that it was planned with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from diagnosis_bundles import digits, make_bundle

from splitopt.base.errors import UsageError
from splitopt.bundle.open import open_bundle
from splitopt.config.job import read_job
from splitopt.cost.costs import built_in, estimate_invoke, parse_costs
from splitopt.explain.memory.run_memory import explain_run_memory
from splitopt.graph.tflite_reader import read_tflite
from splitopt.workflows.run import run_job

TABLE: dict[str, Any] = {
    "schema_version": 2,
    "simulator": "a simulator",
    "per_invoke_insn": 100,
    "invoke": {
        "CONV_2D INT8": {
            "constant_insn": 50.0,
            "factor": 2.0,
            "samples": 3,
            "mean_error": 0.0,
            "worst_error": 0.0,
        }
    },
    "prepare": {},
    "fully_connected_weight": 0.5,
}
MODEL = digits("resnet8")


def table_insn() -> int:
    graph = read_tflite(MODEL)
    found = estimate_invoke(parse_costs(json.dumps(TABLE), "t"), graph, 0, len(graph.ops)).insn
    assert found > estimate_invoke(built_in(), graph, 0, len(graph.ops)).insn
    return found


def test_a_moved_bundle_is_explained_with_the_table_of_its_job(tmp_path: Path) -> None:
    home = tmp_path / "job"
    home.mkdir()
    (home / "costs.json").write_text(json.dumps(TABLE))
    file = home / "job.yaml"
    file.write_text(f"model: {{path: {MODEL}}}\nboard: corstone300_256k\ncost_table: costs.json\n")
    result = run_job(read_job(file), out=tmp_path / "out", verify=False)
    moved = tmp_path / "moved"
    result.folder.rename(moved)
    shutil.rmtree(home)
    found = explain_run_memory(open_bundle(moved))
    assert found.invoke_insn == result.baseline.invoke.insn == table_insn()


def test_a_bundle_without_a_copy_of_its_table_asks_for_the_file_of_its_job(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", MODEL, (4,), {"cost_table": "costs.json"})
    with pytest.raises(UsageError, match=r"costs\.json: cannot be read"):
        explain_run_memory(open_bundle(bundle))
    (bundle / "costs.json").write_text(json.dumps(TABLE))
    assert explain_run_memory(open_bundle(bundle)).invoke_insn == table_insn()
