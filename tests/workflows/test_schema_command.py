"""`splitopt schema`: what it says of the files in configs, and of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from splitopt.workflows.schema import schema_of

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema of the dev extra is absent")
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FILES = [
    (kind, path) for kind in ("job", "board", "sweep") for path in (CONFIGS / f"{kind}s").iterdir()
]


def errors(kind: str, document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema_of(kind))
    validator.check_schema(validator.schema)
    return [error.message for error in validator.iter_errors(document)]


@pytest.mark.parametrize(("kind", "path"), FILES, ids=[path.stem for _, path in FILES])
def test_every_file_of_the_checkout_is_right(kind: str, path: Path) -> None:
    assert errors(kind, yaml.safe_load(path.read_text("utf-8"))) == []


JOB = {"model": {"path": "a.tflite"}, "board": "b"}


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("job", {**JOB, "pices": {}}),
        ("job", {"board": "b"}),
        ("job", {**JOB, "budget_bytes": "64kB"}),
        ("job", {**JOB, "pieces": {"max": 0}}),
        ("job", {**JOB, "board": {"name": "b"}}),
        ("board", {"name": "b", "sram_bytes": 0}),
        ("sweep", {"job": "a.yaml", "grid": {"boards": "b"}}),
        ("target", {"simulator": "gem5"}),
    ],
)
def test_wrong_files_are_told(kind: str, document: Any) -> None:
    assert len(errors(kind, document)) == 1


def test_calibration_may_stand_beside_the_path_as_in_a_job() -> None:
    inner = {"path": "a.onnx", "calibration": {"path": "d.npz"}, "preprocess": {"std": [2.0]}}
    assert errors("job", {**JOB, "model": inner}) == []


def test_a_plan_has_a_schema_too() -> None:
    assert {"segments", "peak_ram_bytes", "layout"} <= schema_of("plan")["properties"].keys()


def test_keys_that_need_it_are_described() -> None:
    job = schema_of("job")
    for key in ("board", "budget_bytes", "route", "target", "cost_table", "out"):
        assert job["properties"][key]["description"]
    for shape, key in (
        ("PiecesSpec", "bands"),
        ("CutSpec", "allow"),
        ("ObjectiveSpec", "minimise"),
    ):
        assert job["$defs"][shape]["properties"][key]["description"]
