"""Diagnosis of banded pieces: sound ones have no finding, planted faults are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnosis_bundles import digits

from splitopt.bundle.schema.explain import RunExplanation
from splitopt.bundle.schema.outputs import Outputs, Severity
from splitopt.config.job import read_job
from splitopt.explain.run import explain_run
from splitopt.explain.text import run_text
from splitopt.workflows.run import run_job


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with bands of one and of two heights."""
    home = tmp_path_factory.mktemp("bands")
    job = home / "resnet.yaml"
    job.write_text(
        f"model: {{path: {digits('resnet8')}}}\nboard: corstone300_128k\n"
        "objective: {minimise: smallest}\npieces: {streams: false}\n"
    )
    return run_job(read_job(job), out=home / "out", verify=False).folder


@pytest.fixture
def bundle(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "bundle"))


def segments(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "plan.json").read_text("utf-8"))["segments"]


def edit_segments(folder: Path, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    edit(plan["segments"])
    (folder / "plan.json").write_text(json.dumps(plan), "utf-8")


def outputs_of(found: RunExplanation) -> Outputs:
    assert found.outputs is not None
    return found.outputs


def faults(found: RunExplanation) -> set[str]:
    return {f.code for f in outputs_of(found).findings if f.severity is Severity.FAULT}


def test_a_sound_bundle_has_no_finding(bundle: Path) -> None:
    made = segments(bundle)
    assert any(segment["bands"] for segment in made)
    assert len({(s["start"], s["stop"]) for s in made}) < len(made), "want two heights"
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    found = explain_run(bundle)
    assert outputs_of(found).findings == ()
    assert outputs_of(found).verdict.startswith("No fault found")
    assert {piece.verdict for piece in outputs_of(found).pieces} == {"right"}
    assert (
        found.memory.after_bytes == json.loads((bundle / "plan.json").read_text())["peak_ram_bytes"]
    )
    text = run_text(found)
    assert "cuts only: " in text
    assert "with bands: " in text
    assert {path: path.read_bytes() for path in before} == before


def test_rows_that_are_kept_though_they_are_wrong(bundle: Path) -> None:
    def shift(entries: list[dict[str, Any]]) -> None:
        first = next(entry for entry in entries if len(entry["bands"] or ()) > 1)
        first["bands"][0]["outputs"][0]["rows"] += 1

    edit_segments(bundle, shift)
    found = explain_run(bundle)
    assert "band_rows" in faults(found)
    assert "No fault found" not in outputs_of(found).verdict


def damage(path: Path) -> None:
    """Weights are the longest run of bytes in a small piece; the middle of it is inverted."""
    from splitopt.graph.tflite_reader import read_tflite

    graph = read_tflite(path)
    largest = max((t for t in graph.tensors if t.is_constant), key=lambda t: t.bytes)
    data = bytearray(path.read_bytes())
    at = data.index(bytes(largest.data))
    for k in range(at, at + largest.bytes):
        data[k] ^= 0x55
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("which", [0, 1])
def test_one_of_two_heights_is_damaged(which: int, bundle: Path) -> None:
    made = segments(bundle)
    first = next(k for k in range(len(made) - 1) if made[k]["start"] == made[k + 1]["start"])
    damage(bundle / made[first + which]["piece"])
    found = explain_run(bundle)
    assert "heights_differ" in faults(found)
    wrong = {
        piece.index for piece in outputs_of(found).pieces if piece.verdict == "wrong by itself"
    }
    assert wrong == {first + which}


def test_a_piece_of_another_place_is_named(bundle: Path) -> None:
    made = segments(bundle)
    shutil.copyfile(bundle / made[-1]["piece"], bundle / made[0]["piece"])
    found = explain_run(bundle)
    assert faults(found)
    assert any(0 in finding.pieces for finding in outputs_of(found).findings)
