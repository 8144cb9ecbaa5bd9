"""Refusals of the command line: exit codes, one sentence, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_scripts import FAULTY
from commands import CUTS_ONLY, MODEL, Job, leftovers, splitopt

from splitopt.runtime.model_builder import relu_model


@pytest.mark.parametrize(
    ("as_json", "streams", "files"),
    [(False, True, "00-00.tflite to 00-05.tflite"), (True, False, "00.tflite")],
)
def test_a_planted_fault_is_exit_code_4_and_the_evidence_is_kept(
    as_json: bool, streams: bool, files: str, job: Job, tmp_path: Path
) -> None:
    options = ["--json"] if as_json else []
    done = splitopt("run", job(pieces={"streams": streams}), *options, cwd=tmp_path, code=FAULTY)
    assert done.returncode == 4
    [folder] = (tmp_path / "results" / "small").iterdir()
    assert f"error: results/small/{folder.name}: check 'outputs' failed" in done.stderr
    assert "do not use these pieces" in done.stderr
    verify = json.loads((folder / "verify.json").read_text())
    assert verify["status"] == "failed"
    assert f"piece 0 ({files}) is the first to differ" in (folder / "summary.txt").read_text()
    if as_json:
        statuses = {c["name"]: c["status"] for c in json.loads(done.stdout)["checks"]}
        assert statuses == {"outputs": "failed", "boundaries": "failed", "litert": "passed"}
    else:
        assert "check outputs and boundaries FAILED" in done.stdout


def test_what_cannot_be_written_or_run_in_time_is_exit_code_5(job: Job, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = splitopt("run", job(), "--out", "file", "--no-verify", cwd=tmp_path)
    assert done.returncode == 5
    assert "file/small: cannot be written (Not a directory); pass another --out" in done.stderr

    hasty = job(verify={"time_limit_s": 0.01})
    done = splitopt("run", hasty, "--json", cwd=tmp_path)
    assert done.returncode == 5
    assert json.loads(done.stdout)["exit_code"] == 5
    assert "took longer than the time limit of 0.0005 s" in done.stderr
    assert not leftovers(tmp_path / "results")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "Usage: "),
        (["frob"], "No such command 'frob'"),
        (["run"], "Missing argument 'JOB|MODEL'"),
        (["run", "a.yaml", "--bogus"], "No such option: --bogus"),
        (["run", "a.yaml", "--budget", "64kB"], "a.yaml"),
        (["run", str(MODEL), "--budget", "0"], "--budget: got '0'"),
        (["run", "a.yaml", "--plan", "fit", "--objective", "smallest"], "fit and smallest, want"),
    ],
)
def test_wrong_usage_is_exit_code_2(args: list[str], says: str, tmp_path: Path) -> None:
    done = splitopt(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_wrong_job_is_exit_code_2(job: Job, tmp_path: Path) -> None:
    done = splitopt("run", job(pices={"max": 3}), "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert "small.yaml: $.pices: unknown key; did you mean 'pieces'?" in done.stderr
    shown = json.loads(done.stdout)
    assert shown["exit_code"] == 2
    assert shown["error"].endswith("did you mean 'pieces'?")

    done = splitopt("run", "absent.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: absent.yaml: cannot be read: No such file or directory\n"


def test_a_budget_above_the_boards_sram_is_exit_code_2(job: Job, tmp_path: Path) -> None:
    done = splitopt("run", job(), "--budget", 131_073, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "$.budget_bytes: got 131073, want at most the board's 131072" in done.stderr


def test_cuts_by_hand_that_break_the_jobs_limits_say_so(job: Job, tmp_path: Path) -> None:
    """A single piece was `1 pieces`, and cuts that the job forbids stood there as if allowed."""
    (tmp_path / "relu.tflite").write_bytes(relu_model())
    ways, beyond = ("of equal op counts", "by file size, greedily"), " (outside the job's limits)"
    for keys, pieces in [
        ({}, ["2 pieces {}", "3 pieces {}"]),
        ({"pieces": {"max": 2}}, ["2 pieces {}", "3 pieces {}" + beyond]),
        ({"cut": {"forbid": [8]}}, ["2 pieces {}" + beyond, "3 pieces {}"]),
        ({"model": tmp_path / "relu.tflite"}, ["1 piece {}", "1 piece {}"]),
    ]:
        keys = {**keys, "pieces": {**CUTS_ONLY, **keys.get("pieces", {})}}
        done = splitopt("run", job(**keys), "--no-verify", "--json", cwd=tmp_path)
        names = [cuts["name"] for cuts in json.loads(done.stdout)["by_hand"]]
        assert names == ["no cut", *map(str.format, pieces, ways)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _: b"", "holds 0 bytes"),
        (lambda whole: whole[:50_000], "not a whole .tflite file"),
        (lambda whole: whole[:4] + b"ONNX" + whole[8:], "not a TensorFlow Lite model"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_broken_model_is_exit_code_2(
    change: Callable[[bytes], bytes] | None, says: str, job: Job, tmp_path: Path
) -> None:
    model = tmp_path / "bad.tflite"
    if change is not None:
        model.write_bytes(change(MODEL.read_bytes()))
    done = splitopt("run", job(model=model), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {model}: {says}")
    assert not leftovers(tmp_path / "results")
