"""Diagnosis of streamed stages: sound ones have no finding, planted faults are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnosis_bundles import digits
from streamed_bundles import kept_streams

from splitopt.bundle.load import load_run
from splitopt.bundle.open import open_bundle
from splitopt.bundle.schema.outputs import Finding, Severity
from splitopt.config.job import read_job
from splitopt.explain.outputs.missing_rows import on_all_rows
from splitopt.explain.outputs.outputs import explain_outputs
from splitopt.explain.outputs.samples import choose_samples
from splitopt.explain.run import explain_run
from splitopt.graph.tflite_reader import read_tflite
from splitopt.report.pages.run import render_run
from splitopt.workflows.run import run_job

Streams = list[dict[str, Any]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept_streams("resnet8", tmp_path_factory)


@pytest.fixture
def bundle(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "bundle"))


def found_in(folder: Path) -> dict[str, Finding]:
    with on_all_rows(open_bundle(folder)) as (tall, findings):
        assert all(piece.stream is None for piece in tall.pieces)
        return {finding.code: finding for finding in findings}


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes the longest stream of plan.json."""
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    streams = [s["stream"] for s in plan["segments"] if s["stream"]]
    change(max(streams, key=lambda stream: len(stream["groups"])))
    (folder / "plan.json").write_text(json.dumps(plan), "utf-8")


def files(folder: Path) -> list[Path]:
    """Of the groups of the longest stream."""
    streams = [piece.groups for piece in open_bundle(folder).pieces]
    return [group.path for group in max(streams, key=len)]


def test_a_sound_bundle_has_no_finding(bundle: Path) -> None:
    assert found_in(bundle) == {}
    found = explain_run(bundle)
    assert found.outputs is not None
    assert found.outputs.findings == ()
    assert found.outputs.verdict.startswith("No fault found")
    plan = json.loads((bundle / "plan.json").read_text("utf-8"))
    assert found.memory.after_bytes == plan["peak_ram_bytes"]
    for piece, entry in zip(found.memory.pieces, plan["segments"], strict=True):
        assert piece.as_planned
        assert piece.groups == (len(entry["stream"]["groups"]) if entry["stream"] else 0)
        assert (piece.arena_bytes, piece.ram_bytes) == (entry["arena_bytes"], entry["ram_bytes"])


def test_a_wrong_fill_is_named(bundle: Path) -> None:
    def change(stream: dict[str, Any]) -> None:
        first = next(buffer for buffer in stream["buffers"] if buffer["fill"] is not None)
        first["fill"] += 5

    edit(bundle, change)
    finding = found_in(bundle)["stream_fill"]
    assert finding.severity is Severity.FAULT
    assert "is filled with" in finding.evidence[0]
    assert "from row 0 on, by group" in finding.evidence[-1]


def test_a_group_that_runs_a_row_too_early_is_named(bundle: Path) -> None:
    def change(stream: dict[str, Any]) -> None:
        last = stream["groups"][-1]
        last["first_tick"] -= last["period"]

    edit(bundle, change)
    finding = found_in(bundle)["stream_rows"]
    assert finding.severity is Severity.FAULT
    assert "has first_tick" in finding.evidence[0]


def test_exchanged_groups_are_named(bundle: Path) -> None:
    first, second = files(bundle)[:2]
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    finding = found_in(bundle)["groups_exchanged"]
    assert finding.severity is Severity.FAULT
    assert f"{first.name} holds {second.name}" in finding.title


def test_files_of_other_groups_are_explained(bundle: Path) -> None:
    """Files of more ops than their place, and of fewer."""
    by_size = sorted(files(bundle), key=lambda path: len(read_tflite(path).ops))
    few, many = by_size[0], by_size[-1]
    assert len(read_tflite(few).ops) < len(read_tflite(many).ops)
    data = few.read_bytes()
    few.write_bytes(many.read_bytes())
    many.write_bytes(data)
    found = explain_run(bundle)
    assert found.outputs is not None
    assert {finding.code for finding in found.outputs.findings} >= {"groups_exchanged"}


def test_a_group_with_other_weights_is_named(bundle: Path) -> None:
    path = files(bundle)[1]
    graph = read_tflite(path)
    largest = max((t for t in graph.tensors if t.is_constant), key=lambda t: t.bytes)
    data = bytearray(path.read_bytes())
    at = data.index(bytes(largest.data))
    data[at : at + largest.bytes] = bytes(b ^ 0x55 for b in largest.data)
    path.write_bytes(bytes(data))
    finding = found_in(bundle)["group_replaced"]
    assert finding.severity is Severity.FAULT
    assert path.name in finding.title
    opened = open_bundle(bundle)
    with on_all_rows(opened) as (tall, _):
        outputs = explain_outputs(tall, choose_samples(opened, None))
    assert [piece.verdict for piece in outputs.pieces].count("wrong by itself") == 1


def test_a_model_that_is_one_stream_is_not_called_unsplit(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(
        f"model: {{path: {digits('unet')}}}\nboard: corstone300_128k\nbudget_bytes: 24576\n"
        "pieces: {bands: false, offline_plans: false}\n"
    )
    run = run_job(read_job(tmp_path / "job.yaml"), out=tmp_path, verify=False)
    assert len(run.plan.segments) == 1
    documents = load_run(run.folder)
    assert documents.diagnosis is not None
    found = documents.diagnosis.memory
    share = 100 * found.saved_bytes / found.before_bytes
    assert found.verdict.startswith(f"Memory went down by {share:.1f} %: ")
    assert " in 1 piece; " in found.verdict
    [piece], stream = found.pieces, documents.plan.segments[0].stream
    assert stream is not None
    largest = max(buffer.depth * buffer.row_bytes for buffer in stream.buffers)
    assert piece.largest_held is not None
    assert largest <= piece.largest_held.size_bytes <= piece.head_bytes
    advice = next(remedy for remedy in found.remedies if remedy.code == "live_set").next_step
    assert f"{piece.largest_held.size_bytes:,} B" in advice
    is_scratch = piece.largest_held.role == "scratch"
    what = "channels or a smaller kernel" if is_scratch else "columns or channels"
    assert f"fewer {what} make it smaller" in advice
    assert "half the height" not in advice
    page = render_run(documents)
    assert "Memory map of piece 00" in page
    assert "line buffer of a stream" in page
