"""Untrusted bundles: one sentence and exit code 2, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from commands import Result, splitopt
from diagnosis_bundles import CHECKOUT, digits, make_bundle, read_plan, write_plan

from splitopt.base.errors import ModelError, UsageError
from splitopt.base.json_input import MAX_JSON_BYTES as MAX_PLAN_BYTES
from splitopt.bundle.open import open_bundle
from splitopt.explain.run import explain_run
from splitopt.explain.written import write_run

RESNET = digits("resnet8")
Plan = dict[str, Any]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle", RESNET, (8, 13))


def explain(*args: object) -> Result:
    return splitopt("explain", *args, cwd=CHECKOUT)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a whole JSON document"),
        (b'{"schema_version": 1, "job"', "not a whole JSON document"),
        (b"\xff\xfe\x00garbage", "not a whole JSON document"),
        (b"[1, 2]", "it holds no object"),
        (b'{"schema_version": NaN}', "NaN is not a number"),
        (b"[" * 100_000, "not a whole JSON document"),
        (b"{" + b" " * MAX_PLAN_BYTES + b"}", "larger than"),
        (b'{"schema_version": 1' + b"0" * 5000 + b"}", "not a whole JSON document"),
        (b"{}", r"\$\.schema_version: missing"),
    ],
)
def test_a_broken_plan_is_refused(content: bytes, says: str, bundle: Path) -> None:
    (bundle / "plan.json").write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        open_bundle(bundle)
    assert "plan.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda p: p.update(schema_version=3),
            "got 3, written by splitopt of a later version.*update splitopt",
        ),
        (lambda p: p.update(segments=[]), r"\$\.segments"),
        (lambda p: p["segments"][0].update(stop=7), "do not follow one another"),
        (lambda p: p["segments"].pop(), "from op 0 to op 16"),
        (lambda p: p["segments"][1].update(inputs=[29]), r"segments\[1\]\.inputs: got \[29\]"),
        (lambda p: p["segments"][1].update(inputs=[10**9, 1]), r"segments\[1\]\.inputs"),
        (lambda p: p["segments"][0].update(start="0"), r"\$\.segments\[0\]\.start: got '0'"),
        (lambda p: p["segments"][0].update(piece="../../x"), "leads out of the bundle"),
        (lambda p: p["segments"][0].update(piece="/etc/passwd"), "leads out of the bundle"),
        (lambda p: p["segments"][0].update(piece="a\0b"), "leads out of the bundle"),
        (lambda p: p["segments"][0].update(piece="pieces"), "is missing"),
        (lambda p: p["segments"][0].update(piece="x" * 3000), "pieces?|is missing|cannot be read"),
        (lambda p: p["model"].update(sha256="00"), r"\$\.model\.sha256"),
        (lambda p: p["model"].update(sha256="0" * 64), "its SHA-256 differs"),
        (lambda p: p["model"].update(path="gone.tflite"), "the whole model is not there"),
        (lambda p: p["model"].update(path="a\0b"), "the whole model is not there"),
        (lambda p: p["board"].update(abi="z80"), r"\$\.board\.abi"),
        (lambda p: p["board"].update(headroom_bytes=7), r"\$\.board\.headroom_bytes"),
        (lambda p: p["job"]["settings"].update(pieces={"max": 0}), r"settings\.pieces\.max"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    change: Callable[[Plan], None], says: str, bundle: Path
) -> None:
    plan = read_plan(bundle)
    change(plan)
    write_plan(bundle, plan)
    with pytest.raises(UsageError, match=says) as caught:
        open_bundle(bundle)
    assert "\n" not in str(caught.value)


def test_a_link_out_of_the_bundle_is_refused(bundle: Path) -> None:
    piece = bundle / "pieces" / "00.tflite"
    piece.unlink()
    piece.symlink_to(RESNET)
    with pytest.raises(UsageError, match="leads out of the bundle"):
        open_bundle(bundle)


def test_pieces_that_are_missing_or_no_models(bundle: Path) -> None:
    piece = bundle / "pieces" / "01.tflite"
    data = piece.read_bytes()
    for content in (b"", data[: len(data) // 2], b"\0" * 1000, data[:4] + b"ONNX" + data[8:]):
        piece.write_bytes(content)
        with pytest.raises(ModelError, match=r"01\.tflite"):
            open_bundle(bundle)
    piece.unlink()
    with pytest.raises(UsageError, match=r"01\.tflite: is missing; put piece 1 back"):
        open_bundle(bundle)


def test_the_bundle_s_own_model_comes_first_and_must_be_the_one(bundle: Path) -> None:
    own = bundle / "model.tflite"
    plan = read_plan(bundle)
    plan["model"]["path"] = "somewhere/else.onnx"
    write_plan(bundle, plan)
    own.write_bytes(RESNET.read_bytes())
    assert open_bundle(bundle).model_path == own
    own.write_bytes(digits("unet").read_bytes())
    with pytest.raises(UsageError, match="is not the model that was cut"):
        open_bundle(bundle)


def test_what_is_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        open_bundle(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"plan\.json: no such file"):
        open_bundle(tmp_path)


def test_any_byte_of_a_plan_may_be_lost(bundle: Path) -> None:
    """Whatever is cut off or changed: a sentence, or a plan that is still good."""
    path = bundle / "plan.json"
    whole = path.read_bytes()
    for at in range(0, len(whole), 23):
        for changed in (whole[:at], whole[:at] + b"9" + whole[at + 1 :]):
            path.write_bytes(changed)
            with suppress(UsageError, ModelError):
                open_bundle(bundle)


def test_the_command_line_says_everything_once(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = explain(bundle, "--json", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["outputs"]["findings"] == []
    assert document["has_faults"] is False
    assert document["memory"]["before_bytes"] == 57_696
    assert json.loads((out / "explain.json").read_text()) == document
    text = (out / "explain.txt").read_text()
    assert "Outputs: No fault found: the chain of 3 pieces equals" in text
    assert "Memory: " in text
    assert "Single cuts: 14 of 15 cuts save nothing" in text

    again = explain(bundle, "--out", out)
    assert (again.returncode, again.stdout) == (2, "")
    assert "explain.txt: already exists; pass another --out" in again.stderr


def test_faults_are_explained_with_exit_code_0_and_errors_with_2(bundle: Path) -> None:
    pieces = bundle / "pieces"
    (pieces / "02.tflite").write_bytes((pieces / "01.tflite").read_bytes())
    done = explain(bundle)
    assert done.returncode == 0
    assert done.stdout.startswith("Outputs: The chain of 3 pieces does not reach the outputs")
    assert "FAULT piece 2 (02.tflite) has other inputs or outputs than its place" in done.stdout
    (bundle / "plan.json").write_text('{"schema_version": 1')
    done = explain(bundle, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["exit_code"] == 2
    assert done.stderr.count("\n") == 1


def test_a_diagnosis_is_plain_data_and_changes_nothing(bundle: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in bundle.rglob("*") if p.is_file()}
    steps: list[str] = []
    diagnosis = explain_run(bundle, progress=steps.append)
    assert json.dumps(diagnosis.model_dump(mode="json"), allow_nan=False)
    assert steps[0] == "reading the bundle"
    assert {p: p.read_bytes() for p in bundle.rglob("*") if p.is_file()} == before
    write_run(diagnosis, tmp_path / "a" / "b")
    with pytest.raises(UsageError, match="already exists"):
        write_run(diagnosis, tmp_path / "a" / "b")
