"""What nobody foresaw: exit code 70, one sentence, details; and output that nobody takes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import CHECKOUT, Job, splitopt

from splitopt.base import faults

FAULTY = """
import splitopt.workflows.doctor as doctor
from splitopt.cli.app import main
def broken():
    {raising}
doctor.examine = broken
main()
"""
RAISING = {
    "ZeroDivisionError": "1 / 0",
    "AssertionError": "assert False, 'never'",
    "RecursionError": "(f := lambda: f())()",
    "out of memory": "raise MemoryError",
    "KeyError": "raise KeyError('\\x1b[31m\\u202e')",
}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "splitopt"


@pytest.mark.parametrize("kind", RAISING)
def test_a_fault_of_its_own_is_exit_code_70(kind: str, tmp_path: Path, state: Path) -> None:
    code = FAULTY.format(raising=RAISING[kind])
    done = splitopt("doctor", "--json", cwd=tmp_path, code=code)
    assert done.returncode == 70
    assert done.stderr.startswith("error: a fault of splitopt itself (")
    assert done.stderr.count("\n") == 1
    assert kind in done.stderr
    document = json.loads(done.stdout)
    assert document["exit_code"] == 70
    [details] = state.iterdir()
    assert str(details) in document["error"]
    assert "broken" in details.read_text()
    assert not re.search("[\x1b\u202e]", done.stdout + done.stderr + details.read_text())


def test_details_go_to_the_temporary_folder_where_there_is_no_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(faults.tempfile, "tempdir", str(tmp_path))
    said = faults.fault_sentence(ValueError("x"))
    [details] = tmp_path.glob("splitopt-fault-*.txt")
    assert f"details in {details}" in said


@pytest.mark.parametrize(
    "args", [["run"], ["frob"], ["run", "absent.yaml"], ["pack", "x.csv", "--seed", "-1"]]
)
def test_json_also_of_wrong_usage(args: list[str], tmp_path: Path) -> None:
    done = splitopt(*args, "--json", cwd=tmp_path)
    assert done.returncode == 2
    document = json.loads(done.stdout)
    assert document["exit_code"] == 2
    assert done.stderr == f"error: {document['error']}\n"


@pytest.mark.parametrize("command", ["boards", "runs", "doctor"])
def test_a_reader_that_has_seen_enough_is_no_broken_limit(command: str, tmp_path: Path) -> None:
    """Exit code 1 means `--fail-on`; a reader that has seen enough is no failure."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "splitopt", command, "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
def test_standard_output_that_is_full_is_exit_code_5(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "splitopt", "boards", "--json"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 5
    assert done.stderr == "error: standard output: No space left on device\n"


def test_a_required_key_that_is_misspelt_is_named(job: Job, tmp_path: Path) -> None:
    path = job()
    path.write_text(path.read_text().replace('"board"', '"bord"'))
    done = splitopt("run", path, cwd=tmp_path)
    assert done.returncode == 2
    assert "$.board: missing; rename 'bord' to it" in done.stderr
