"""Route `pieces`: an ONNX model cut before it is converted, against the whole int8 model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_routes import made_with

from splitopt.base.errors import InfeasibleError, UsageError
from splitopt.bundle.documents import dump
from splitopt.config.job import Job, read_job
from splitopt.convert.convert import Conversion, ConversionRequest
from splitopt.convert.open_model import open_model
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces import onnx_pieces
from splitopt.pieces.onnx_route import OnnxRoute
from splitopt.planning.refusals import refuse_outgrown
from splitopt.verify.check import CheckStatus
from splitopt.workflows.plan import plan, plan_job
from splitopt.workflows.run import RunResult, run_job

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"


# Where both models can be cut: by hand, without ONNX.


# Cutting ONNX itself, judged by onnxruntime.


# The whole way, with the converter.

BOARD = "board: corstone300_128k\nobjective: {minimise: smallest}\n"


def job_of(request: ConversionRequest, folder: Path, route: str = "pieces") -> Job:
    """A job that finds the conversion of `request` in its cache."""
    path = folder / "job.yaml"
    path.write_text(
        f"model: {{path: {request.onnx}}}\nroute: {route}\n{BOARD}"
        f"calibration: {{path: {request.data}, key: calibration, test: test, label: label}}\n"
        f"convert: {{cache: {request.cache}}}\n"
    )
    return read_job(path)


Run = tuple[Job, RunResult]


@pytest.fixture(scope="module")
def resnet8(
    digits_request: Callable[[str], ConversionRequest],
    converted: Callable[[str], Conversion],
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    converted("resnet8")
    folder = tmp_path_factory.mktemp("route")
    job = job_of(digits_request("resnet8"), folder)
    return job, run_job(job, out=folder)


def test_pieces_are_within_a_step_of_the_whole_model(resnet8: Run) -> None:
    _, result = resnet8
    assert len(result.plan.segments) > 1
    assert {c.name: c.status.value for c in result.checks} == {
        "pieces": "passed", "litert": "passed",
    }  # fmt: skip
    routes = dump(result.document)["routes"]
    assert routes["pieces"]["worst_lsb"] <= 1
    assert abs(routes["pieces"]["top1"] - routes["whole"]["top1"]) <= 0.01
    assert routes["pieces"]["samples"] == 96
    assert routes["whole"]["worst_lsb"] == 0
    assert routes["pieces"]["conversion_s"] > 0


def test_the_bundle_holds_route_contract_and_both_figures(resnet8: Run) -> None:
    _, result = resnet8
    plan = json.loads((result.folder / "plan.json").read_text())
    assert plan["route"] == "pieces"
    assert plan["routes"]["pieces"]["peak_ram_bytes"] == plan["peak_ram_bytes"]
    [written] = [choice for choice in plan["choices"] if choice["is_written"]]
    assert [written[key] for key in ("peak_ram_bytes", "added_insn", "flash_bytes")] == [
        plan[key] for key in ("peak_ram_bytes", "added_insn", "piece_bytes")
    ]
    boundary = {entry["tensor"] for entry in plan["layout"]["boundary"]}
    assert {entry["tensor"] for entry in plan["contract"]} == boundary
    for entry in plan["contract"]:
        assert entry["writer"]["shape"] == entry["reader"]["shape"]
        assert entry["writer"]["scale"] == pytest.approx(entry["reader"]["scale"], rel=1e-5)
        assert not entry["requantise"]
    text = (result.folder / "summary.txt").read_text()
    assert "the same cuts by route" in text
    assert "top-1" in text
    verify = json.loads((result.folder / "verify.json").read_text())
    assert (verify["held_out_inputs"], verify["random_inputs"]) == (96, 0)


def test_pieces_in_the_bundle_have_no_transpose_and_channels_last(resnet8: Run) -> None:
    _, result = resnet8
    whole = read_tflite(result.folder / "model.tflite")
    for segment in result.plan.segments:
        piece = read_tflite(result.folder / "pieces" / segment.piece_names[0])
        own = segment.figures.segment
        types = [op.type for op in whole.ops[segment.start : segment.stop]]
        assert [op.type for op in piece.ops] == types
        for theirs, ours in zip(piece.outputs, own.outputs, strict=True):
            assert piece.tensors[theirs].shape == whole.tensors[ours].shape


def test_a_second_run_converts_nothing(resnet8: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(onnx_pieces, "convert", never)
    job, first = resnet8
    source = open_model(job)
    assert source.conversion is not None
    assert source.conversion.from_cache
    route = OnnxRoute(job, source)
    planned = plan_job(job, source, segments=route.allowed)
    again = route.convert(planned.planner, planned.plan)
    pieces = [first.folder / "pieces" / s.piece_names[0] for s in first.plan.segments]
    assert [piece for (piece,) in again.files] == [path.read_bytes() for path in pieces]
    assert again.conversion_s == dump(first.document)["routes"]["pieces"]["conversion_s"]


@pytest.fixture
def other_calibration(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Replaces what inner boundaries are calibrated on; pieces then get other keys, too."""

    def replace(change: Callable[[np.ndarray], np.ndarray], mark: str) -> None:
        capture, key = onnx_pieces._capture, onnx_pieces._key

        def changed(request: Any, pieces: Any) -> dict[str, np.ndarray]:
            found = capture(request, pieces)
            given = request.samples()
            return {n: a if n in given else change(a) for n, a in found.items()}

        monkeypatch.setattr(onnx_pieces, "_capture", changed)
        monkeypatch.setattr(
            onnx_pieces,
            "_key",
            lambda r, data, p: key(r, data, p) + (mark if not {*p.inputs} & {*r.samples()} else ""),
        )

    return replace


def test_sides_that_differ_are_requantised_priced_and_still_right(
    resnet8: Run, other_calibration: Callable[..., None], tmp_path: Path
) -> None:
    """The reader is calibrated on twice the range: half of its steps are lost, no more.

    QEMU counts 48 instructions an element of an int8 QUANTIZE (golden/m55_kernel_counts.txt).
    """
    other_calibration(lambda a: 2 * a, "wide")
    job, first = resnet8
    _, made, judgement = made_with(job, tmp_path)
    [agreement] = [a for a in made.agreements if a.requantise]
    assert agreement.reader.scale == pytest.approx(2 * agreement.writer.scale, rel=1e-3)
    reader = made.plan.segments[agreement.reader.piece]
    elements = int(np.prod(agreement.writer.shape))
    assert agreement.insn == pytest.approx(157 + 48 * elements, abs=500)
    assert reader.requantise_insn == agreement.insn
    assert reader.added_insn > first.plan.segments[reader.index].added_insn + agreement.insn
    assert made.plan.added_insn == sum(s.added_insn for s in made.plan.segments)
    assert judgement.pieces.sqnr_db > judgement.whole.sqnr_db - 6
    assert judgement.checks[1].status is CheckStatus.PASSED


def test_calibration_on_random_data_at_a_boundary_is_seen(
    resnet8: Run, other_calibration: Callable[..., None], tmp_path: Path
) -> None:
    """The failure that people report: inner boundaries calibrated on data that never reach them."""
    random = np.random.default_rng(0)
    other_calibration(
        lambda a: (random.uniform(-1, 1, a.shape) * a.max() / 20).astype(np.float32), "random"
    )
    job, _ = resnet8
    _, _, judgement = made_with(job, tmp_path)
    check = judgement.checks[0]
    assert check.status is CheckStatus.FAILED
    assert "SQNR falls by" in check.detail
    assert check.worst_difference > 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cuts", "worst_lsb"),
    [
        ("resnet8", (9,), 1),
        ("resnet8", (4, 9, 12), 2),
        ("squeeze", (8, 15), 3),
        ("unet", (7, 9), 2),
        ("mbv2", None, 8),
        ("mbv2", (8, 28, 55), 8),
    ],
)
def test_real_models_in_pieces(
    name: str,
    cuts: tuple[int, ...] | None,
    worst_lsb: int,
    digits_request: Callable[[str], ConversionRequest],
    converted: Callable[[str], Conversion],
    tmp_path: Path,
) -> None:
    """Inside of skips and fire modules, too; top-1 within a point where there are labels."""
    converted(name)
    request = digits_request(name)
    job = job_of(request, tmp_path)
    if name == "mbv2":
        job.file.write_text(job.file.read_text().replace("128k", "512k"))
    if name == "unet":
        job.file.write_text(job.file.read_text().replace(", label: label", ""))
    _, _, judgement = made_with(read_job(job.file), tmp_path, cuts)
    assert judgement.pieces.worst_lsb <= worst_lsb
    assert all(check.status is CheckStatus.PASSED for check in judgement.checks)
    if judgement.whole.top1 is not None and judgement.pieces.top1 is not None:
        assert abs(judgement.whole.top1 - judgement.pieces.top1) <= 0.01


def test_what_only_the_whole_route_has_is_told() -> None:
    """A cut that the ONNX model lacks, and the plan that bands and streams would find."""
    keys = {"model": str(MODELS / "unet_digits_int8.tflite"), "board": "corstone300_64k"}
    keys |= {"budget_bytes": 24_000, "cut": {"allow": [3, 5, 7]}}
    job = Job.of(**keys, route="pieces")
    source = open_model(job)
    n = len(source.graph.ops)
    segments = np.zeros((n + 1, n + 1), dtype=bool)
    segments[[0, 0, 5], [n, 5, n]] = True
    with pytest.raises(InfeasibleError) as caught:
        plan_job(job, source, segments=segments)
    assert "cut.allow 3, 7: the ONNX model cannot be cut there" in str(caught.value)
    cheapest = plan(Job.of(**keys, objective={"minimise": "fit"}))
    [line] = [own for own in caught.value.facts["help"] if own.startswith("route: whole")]
    assert f"too: {cheapest.peak_ram_bytes:,} B in" in line
    assert "which fits" in line
    roomy = Job.of(**{**keys, "budget_bytes": 57_344}, route="pieces")
    assert "cut.allow 3, 7" in plan_job(roomy, source, segments=segments).plan.notes[-1]


def test_only_an_onnx_model_is_cut_before_it_is_converted(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(
        f"model: {{path: {MODELS / 'resnet8_digits_int8.tflite'}}}\nroute: pieces\n{BOARD}"
    )
    with pytest.raises(UsageError, match="route: got 'pieces', want 'whole'"):
        run_job(read_job(job), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# What pieces are kept by, and what they may cost.


def request_of_piece(onnx: Path, cache: Path) -> onnx_pieces.PieceRequest:
    return onnx_pieces.PieceRequest(
        onnx, "whole", lambda: {"x": np.zeros((2, 4), np.float32)}, ("true",), 9.0, cache, {}
    )


def test_pieces_of_other_weights_are_other_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights may lie in files of their own, so only the cleaned model has them for sure."""
    asked: list[str] = []

    def load(folder: Path, key: str) -> onnx_pieces.ConvertedPiece:
        asked.append(key)
        return onnx_pieces.ConvertedPiece(b"", "", 0.0, from_cache=True)

    monkeypatch.setattr(onnx_pieces, "_load", load)
    piece = onnx_pieces.OnnxPiece(("x",), ("y",))
    for weights in (b"one", b"two", b"one"):
        (tmp_path / "clean.onnx").write_bytes(weights)
        onnx_pieces.convert_pieces(request_of_piece(tmp_path / "clean.onnx", tmp_path), [piece])
    assert asked[0] == asked[2] != asked[1]


@pytest.mark.parametrize(("added", "is_refused"), [(1000, False), (1001, True)])
def test_pieces_that_outgrow_the_added_time_are_refused(
    added: int, *, is_refused: bool, tmp_path: Path
) -> None:
    file = tmp_path / "j.yaml"
    file.write_text(
        f"model: {{path: {MODELS / 'resnet8_digits_int8.tflite'}}}\nboard: corstone300_256k\n"
        "objective: {minimise: smallest, max_added_insn: 1000}\n"
    )
    job = read_job(file)
    planned = plan_job(job, open_model(job)).plan
    made = replace(planned, added_insn=added)
    if not is_refused:
        refuse_outgrown(job, planned, made)
        return
    with pytest.raises(InfeasibleError, match=r"add 1,001 estimated .*max_added_insn"):
        refuse_outgrown(job, planned, made)
