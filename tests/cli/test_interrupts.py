"""Signals to the command line: what ends, what is kept, and what is said about it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest
from bench.synthetic import convolution_chain
from cli_scripts import ENDLESS
from commands import PROGRESS, Job, start, without_progress
from limits import seconds

from splitopt import load_bundle
from splitopt.bundle.load import RunDocuments
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.interrupt import is_asked_to_stop
from splitopt.workflows.interrupt import ends_on_interrupt


def wait_for(pattern: str, lines: IO[str] | None) -> str:
    assert lines is not None
    for line in lines:
        if re.search(pattern, line):
            return line
    raise AssertionError(f"ended without {pattern}")


def wait_for_pieces(home: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + seconds(30)
    while not list(home.glob(".partial-*/pieces/*.tflite")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)


def ended(process: subprocess.Popen[str], within_s: float = 30) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=seconds(within_s))
    return process.returncode, stdout, without_progress(stderr)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_is_exit_code_130_and_leaves_nothing(
    sent: signal.Signals, job: Job, tmp_path: Path
) -> None:
    """While the pieces run: that is where a run spends its time."""
    process = start("run", job(verify={"inputs": 10_000}), "--json", cwd=tmp_path)
    home = tmp_path / "results" / "small"
    wait_for_pieces(home, process)
    process.send_signal(sent)
    code, document, said = ended(process)
    assert (code, said) == (130, "interrupted\n")
    assert json.loads(document) == {"error": "interrupted", "exit_code": 130}
    assert not home.exists()


DROPPING = """
import sys, time
from splitopt.cli.app import main
from splitopt.workflows import run

def write_pieces(*_):
    import drops
    time.sleep(60)

run._write_pieces = write_pieces
main()
"""


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_import_that_drops_an_interrupt_does_not_lose_it(
    sent: str, job: Job, tmp_path: Path
) -> None:
    """As the extension modules of numpy.random do, which are imported when pieces are proved."""
    raised = f"import os, signal\ntry:\n    os.kill(os.getpid(), signal.{sent})\nexcept: pass\n"
    (tmp_path / "drops.py").write_text(raised)
    process = start("run", job(), cwd=tmp_path, code=DROPPING)
    assert ended(process) == (130, "", "interrupted\n")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_while_solving_leaves_nothing(
    sent: signal.Signals, job: Job, tmp_path: Path
) -> None:
    process = start("run", job(), cwd=tmp_path, code=ENDLESS)
    wait_for("solving", process.stdout)
    time.sleep(0.3)
    process.send_signal(sent)
    assert ended(process) == (130, "", "interrupted\n")
    assert not (tmp_path / "results").exists()


def test_ctrl_c_while_solving_ends_the_search_and_keeps_the_plan(job: Job, tmp_path: Path) -> None:
    """CP-SAT's Python would ignore it, and a search of a minute would go on."""
    process = start("run", job(), cwd=tmp_path, code=ENDLESS)
    wait_for("solving", process.stdout)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    code, stdout, stderr = ended(process)
    assert (code, stderr) == (130, "interrupted\n")
    assert "NOT PROVED: FEASIBLE. Planning was interrupted;" in stdout
    [folder] = (tmp_path / "results" / "small").iterdir()
    documents = load_bundle(folder)
    assert isinstance(documents, RunDocuments)
    plan = documents.plan
    assert plan.status == "FEASIBLE"
    assert plan.unfinished is not None
    assert plan.unfinished.cause == "interrupt"
    assert plan.proof == "passed"
    assert "Planning was interrupted" in (folder / "summary.txt").read_text()
    assert "Planning was interrupted" in (folder / "report.html").read_text()


def test_a_second_ctrl_c_leaves_nothing(job: Job, tmp_path: Path) -> None:
    process = start("run", job(verify={"inputs": 10_000}), cwd=tmp_path, code=ENDLESS)
    wait_for("solving", process.stdout)
    process.send_signal(signal.SIGINT)
    wait_for_pieces(tmp_path / "results" / "small", process)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "", "interrupted\n")
    assert not (tmp_path / "results").exists()


@pytest.fixture(scope="module")
def long_chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose planning takes many seconds."""
    path = tmp_path_factory.mktemp("long") / "chain.tflite"
    path.write_bytes(convolution_chain(500))
    return path


def test_ctrl_c_while_a_long_model_is_planned(job: Job, long_chain: Path, tmp_path: Path) -> None:
    """Whatever stage it is in; a line on standard error says so, standard output has JSON only."""
    path = job(model=long_chain, board="corstone300_512k")
    process = start("run", path, "--no-verify", "--json", cwd=tmp_path)
    line = wait_for("planning|bounding|pricing|replaying|choosing", process.stderr)
    assert re.fullmatch(PROGRESS, line)
    process.send_signal(signal.SIGINT)
    code, stdout, stderr = ended(process, 60)
    assert (code, stderr) == (130, "interrupted\n")
    shown = json.loads(stdout)
    assert (shown["status"], shown["unfinished"]["cause"]) == ("FEASIBLE", "interrupt")
    left = shown["unfinished"]
    assert left["segments_without_bands"] or left["bounded_options"]
    plan = load_bundle(tmp_path / shown["run_dir"]).plan
    assert plan.peak_ram_bytes < plan.baseline.ram_bytes or len(plan.segments) == 1


def test_ctrl_c_while_explaining_tells_what_was_found(long_chain: Path, tmp_path: Path) -> None:
    """A line says what is explained, those that follow what is being planned."""
    process = start("explain", long_chain, "--board", "corstone300_512k", "--json", cwd=tmp_path)
    assert re.fullmatch(PROGRESS, wait_for("reading .*chain.tflite", process.stderr))
    heading = wait_for(r"\] chain.tflite", process.stderr)
    assert re.match(r"\[\d+ s\] chain\.tflite: 500 ops, .* target corstone300_512k", heading)
    assert re.fullmatch(PROGRESS, wait_for("planning: ", process.stderr))
    process.send_signal(signal.SIGINT)
    code, stdout, stderr = ended(process, 60)
    assert (code, stderr) == (130, "interrupted\n")
    shown = json.loads(stdout)
    assert shown["is_interrupted"]
    says = "not looked at (planning was interrupted)"
    is_told = any(says in line for line in shown["lowest_peak_lines"])
    assert is_told or not all(peak["is_proved"] for peak in shown["lowest_peaks"])


def test_a_caught_interrupt_is_for_one_block_and_for_the_main_thread() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ends_on_interrupt(is_wanted=True):
        signal.raise_signal(signal.SIGINT)
        assert is_asked_to_stop()
        assert Deadline(60).is_over
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert not is_asked_to_stop()
    assert signal.getsignal(signal.SIGINT) is before
    with ends_on_interrupt(is_wanted=False), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:  # where no signal can be caught
        pool.submit(_enter).result()


def _enter() -> None:
    with ends_on_interrupt(is_wanted=True):
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
