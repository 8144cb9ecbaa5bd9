"""Diagnosis of banded pieces: sound ones have no finding, planted faults are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnosis_bundles import digits

from splitopt.config.job import read_job
from splitopt.explain.outputs.finding import Severity
from splitopt.explain.run import Diagnosis, diagnose_folder
from splitopt.explain.run_text import explain_text
from splitopt.workflows.run import run_job


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with bands of one and of two heights."""
    home = tmp_path_factory.mktemp("bands")
    job = home / "resnet.yaml"
    job.write_text(
        f"model: {{path: {digits('resnet8')}}}\nboard: corstone300_128k\n"
        "objective: {minimise: peak_ram}\n"
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


def faults(found: Diagnosis) -> set[str]:
    return {f.code for f in found.outputs.findings if f.severity is Severity.FAULT}


def test_a_sound_bundle_has_no_finding(bundle: Path) -> None:
    made = segments(bundle)
    assert any(segment["bands"] for segment in made)
    assert len({(s["start"], s["stop"]) for s in made}) < len(made), "want two heights"
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    found = diagnose_folder(bundle)
    assert found.outputs.findings == ()
    assert found.outputs.verdict.startswith("No fault found")
    assert {piece.verdict for piece in found.outputs.pieces} == {"right"}
    assert (
        found.memory.after_bytes == json.loads((bundle / "plan.json").read_text())["peak_ram_bytes"]
    )
    text = explain_text(found)
    assert "cuts alone: " in text
    assert "with bands: " in text
    assert {path: path.read_bytes() for path in before} == before


def test_rows_that_are_kept_though_they_are_wrong(bundle: Path) -> None:
    def shift(entries: list[dict[str, Any]]) -> None:
        first = next(entry for entry in entries if len(entry["bands"] or ()) > 1)
        first["bands"][0]["outputs"][0]["rows"] += 1

    edit_segments(bundle, shift)
    found = diagnose_folder(bundle)
    assert "band_rows" in faults(found)
    assert "No fault found" not in found.outputs.verdict


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
    found = diagnose_folder(bundle)
    assert "heights_differ" in faults(found)
    wrong = {piece.index for piece in found.outputs.pieces if piece.verdict == "wrong alone"}
    assert wrong == {first + which}


def test_a_piece_of_another_place_is_named(bundle: Path) -> None:
    made = segments(bundle)
    shutil.copyfile(bundle / made[-1]["piece"], bundle / made[0]["piece"])
    found = diagnose_folder(bundle)
    assert faults(found)
    assert any(0 in finding.pieces for finding in found.outputs.findings)
