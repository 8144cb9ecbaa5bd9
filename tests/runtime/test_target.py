"""The simulator's program and the talk with it, without TFLM; Arm's FVP by a stand-in."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnosis_bundles import digits
from hypothesis import given
from hypothesis import strategies as st
from limits import seconds
from processes import all_gone
from targets import build_self_test

from splitopt.base.errors import ToolError, UsageError
from splitopt.config.job import read_job
from splitopt.config.target import read_target
from splitopt.runtime.job_blob import PlannedPiece, PlannedRun
from splitopt.runtime.links import PieceLinks
from splitopt.runtime.measured import STEPS, measured
from splitopt.runtime.op_resolver import add_call
from splitopt.runtime.simulator import JOB_ADDRESS, Fvp, Qemu, read_events, simulate
from splitopt.runtime.tflm_library import VARIABLE, find_library
from splitopt.workflows.run import run_job
from splitopt.workflows.time import time_bundle

SELF_TEST = Path(__file__).with_name("selftest.cc")
Event = Mapping[str, Any]


@pytest.fixture(scope="module")
def self_test(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_self_test(SELF_TEST, tmp_path_factory.mktemp("elf"))


@pytest.mark.needs("compiler", "qemu")
def test_the_program_boots_and_the_counter_is_exact(self_test: Path) -> None:
    qemu = Qemu()
    first = simulate(qemu, self_test, b"", seconds(60))
    assert first[0]["constructed"] == 42
    assert first[0]["text"] == 'a "quoted" \\ text?'
    loops = [event for event in first if event["event"] == "loop"]
    counted = {e["iterations"]: qemu.amount(e["ticks"]) for e in loops}
    own = counted[1000] - 2000  # reading the counter twice
    assert 0 < own < 32
    assert counted == {n: pytest.approx(2 * n + own, abs=1) for n in (1000, 10_000, 1_000_000)}
    assert simulate(qemu, self_test, b"", seconds(60)) == first


@pytest.mark.needs("compiler")
def test_a_program_is_built_once(self_test: Path) -> None:
    before = self_test.stat().st_mtime_ns
    assert build_self_test(SELF_TEST, self_test.parent) == self_test
    assert self_test.stat().st_mtime_ns == before


@pytest.mark.needs("compiler")
def test_a_compiler_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.cc").write_text("int main() { return nonsense; }\n")
    with pytest.raises(ToolError, match=r"could not build the simulator's program: .*nonsense"):
        build_self_test(tmp_path / "broken.cc", tmp_path / "elf")
    assert not (tmp_path / "elf").exists()


# What a simulator prints, and what is made of it.


def piece_event(run: int, sample: int, piece: int) -> dict[str, Any]:
    steps = {step: 132 + 32 * k for k, step in enumerate(STEPS)}
    place = {"event": "piece", "run": run, "sample": sample, "piece": piece}
    return {**place, "arena_used_bytes": 1000 + piece, "executions": 1 + piece, **steps}


def ran(run: int, sample: int, error: int = 0) -> dict[str, Any]:
    return {"event": "ran", "run": run, "sample": sample, "error": error, "piece": 1, "reason": "R"}


def output(offset: int, data: str) -> dict[str, Any]:
    place = {"event": "output", "run": 0, "sample": 0, "output": 0}
    return {**place, "offset": offset, "hex": data}


HELLO = {"event": "hello", "step_overhead": 100}
GOOD = [
    HELLO, piece_event(0, 0, 0), piece_event(0, 0, 1), ran(0, 0), output(0, "00ff"),
    output(2, "10"), {"event": "bye"},
]  # fmt: skip
PIECE = PlannedPiece(b"", 16, PieceLinks((), ()))
RUN = PlannedRun((PIECE, PIECE), 16, (np.zeros((1, 4), np.int8),), (3,))


def test_lines_become_figures() -> None:
    [got] = measured(GOOD, Qemu(), [RUN])
    [[first, second]] = got.samples
    assert got.outputs == ((b"\x00\xff\x10",),)
    assert (first.arena_used_bytes, second.arena_used_bytes) == (1000, 1001)
    assert first.steps["zero"] == 32 * 31.25 / 32  # less what reading the counter takes
    spent = 132 + 32 * STEPS.index("invoke")
    assert first.steps["invoke"] == (spent - 100) * 31.25 / 32
    assert second.executions == 2
    assert second.steps["construct"] == first.steps["construct"]
    assert second.steps["invoke"] == (spent - 2 * 100) * 31.25 / 32  # two bands, read twice


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda e: e.pop(0), "0 lines of 'hello'"),
        (lambda e: e.pop(2), "1 lines of 'piece', want 2"),
        (lambda e: e.pop(5), "output 0 has 2 bytes, want 3"),
        (lambda e: e.pop(4), "a part of an output is missing"),
        (lambda e: e.insert(2, e.pop(1)), None),
        (lambda e: e[1].update(invoke=-1), "piece.invoke is not a count"),
        (lambda e: e[1].update(invoke="1"), "piece.invoke is not a count"),
        (lambda e: e[4].update(hex="zz"), "not hexadecimal"),
        (lambda e: e[3].update(error=7), "piece 1 failed: R"),
        (lambda e: e[1].update(piece=1), "out of order"),
    ],
)
def test_lines_that_do_not_fit_are_refused(change: Any, says: str | None) -> None:
    events = [dict(event) for event in GOOD]
    change(events)
    if says is None:
        says = "out of order"
    with pytest.raises(ToolError, match=says):
        measured(events, Qemu(), [RUN])


@given(st.lists(st.text(max_size=30), max_size=10), st.randoms(use_true_random=False))
def test_the_protocol_survives_garbage(noise: list[str], chance: random.Random) -> None:
    lines = [json.dumps(event) for event in GOOD]
    for text in noise:
        lines.insert(chance.randrange(len(lines) + 1), "".join(text.splitlines()))
    assert list(read_events(lines)) == GOOD


@given(st.binary(max_size=200))
def test_noise_holds_no_event(data: bytes) -> None:
    assert list(read_events(data.decode("utf-8", "replace").splitlines())) == []


def test_deep_noise_is_skipped() -> None:
    assert list(read_events(["[" * 100_000, json.dumps(HELLO)])) == [HELLO]


# Stand-ins for simulators: scripts, not the programs themselves.


def stand_in(folder: Path, body: str) -> str:
    path = folder / "stand_in_for_a_simulator"
    path.write_text(f"#!{sys.executable}\nimport json, os, subprocess, sys, time\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_time_out_kills_the_process_tree(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    body = (
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(note)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)"
    )
    with pytest.raises(ToolError, match="no end after 2 s; the run was stopped"):
        simulate(Qemu(stand_in(tmp_path, body)), tmp_path / "elf", b"", 2)
    pids = [int(text) for text in note.read_text().split()]
    assert all_gone(pids)


def test_the_fvp_is_called_as_arm_has_it(tmp_path: Path) -> None:
    """By a stand-in that prints its own arguments: Arm's FVP itself was not run."""
    body = (
        "print('terminal_0: Listening for serial connection on port 5000')\n"
        "print(json.dumps({'event': 'hello', 'words': sys.argv[1:]}))\n"
        "print('{\"event\": \"bye\"}')\nprint('Info: /OSCI/SystemC: Simulation stopped by user.')"
    )
    fvp = Fvp(stand_in(tmp_path, body), ("-C", "cpu0.CFGITCMSZ=0xF"))
    hello, _ = simulate(fvp, tmp_path / "app.elf", b"job", seconds(30))
    words = hello["words"]
    assert words[-4:-2] == ["-a", str(tmp_path / "app.elf")]
    assert words[-2] == "--data"
    assert words[-1].endswith(f"job.bin@{JOB_ADDRESS:#x}")
    assert "cpu0.semihosting-enable=1" in words
    assert "cpu0.CFGITCMSZ=0xF" in words
    assert fvp.amount(640) == 640  # ticks as they are
    assert "not CPU cycles" in fvp.caveat


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("sys.stderr.write('license checkout failed'); sys.exit(1)", "code 1.: license checkout"),
        ("os.kill(os.getpid(), 11)", "ended without an answer"),
        ('print(\'{"event": "hello"}\')', "ended without an answer"),
        ("print(json.dumps(dict(event='fault', exception=3, cfsr=33)))", "exception 3 .CFSR 0x21"),
        ("print(json.dumps(dict(event='refused', reason='no job')))", "refused the job: no job"),
    ],
)
def test_a_simulator_that_fails_is_one_sentence(body: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=says) as caught:
        simulate(Fvp(stand_in(tmp_path, body)), tmp_path / "elf", b"", seconds(30))
    assert "\n" not in str(caught.value)


def test_what_is_absent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="no-qemu is absent: apt-get install qemu-system-arm"):
        simulate(Qemu("no-qemu"), tmp_path, b"", 1)
    with pytest.raises(ToolError, match="get the Corstone-300 FVP from Arm"):
        simulate(Fvp("no-fvp"), tmp_path, b"", 1)
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ToolError, match="set SPLITOPT_TFLM"):
        find_library(None)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match="build TFLM for the cortex-m55"):
        find_library(None)
    (tmp_path / "t.yaml").write_text("include: [headers]\nlibrary: lib.a\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "t.yaml"))
    with pytest.raises(UsageError, match=r"no such library: .*lib\.a"):
        find_library(None)
    (tmp_path / "lib.a").touch()
    with pytest.raises(UsageError, match="no such include folder"):
        find_library(None)
    (tmp_path / "headers").mkdir()
    with pytest.raises(UsageError, match=r"micro_interpreter\.h"):
        find_library(None)


def test_a_target_file_is_read_from_its_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "t.yaml").write_text(
        "simulator: fvp\nexecutable: /opt/fvp\narguments: [-C, a=b]\n"
        "tflm: {include: [inc], library: lib.a}\n"
    )
    spec = read_target("sub/t.yaml", tmp_path)
    assert spec.tflm is not None
    assert (spec.simulator, spec.arguments) == ("fvp", ("-C", "a=b"))
    assert spec.tflm.library == str(folder / "lib.a")
    assert spec.tflm.include == (str(folder / "inc"),)
    with pytest.raises(UsageError, match="want host, qemu, fvp"):
        read_target("quemu", tmp_path)


@pytest.mark.parametrize(
    ("op_type", "call"),
    [
        ("CONV_2D", "AddConv2D"),
        ("MAX_POOL_2D", "AddMaxPool2D"),
        ("RELU6", "AddRelu6"),
        ("PADV2", "AddPadV2"),
        ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"),
    ],
)
def test_the_calls_that_register_kernels(op_type: str, call: str) -> None:
    assert add_call(op_type) == call


def test_a_simulator_dies_with_its_caller(tmp_path: Path) -> None:
    """Its memory is bounded, too: both by the launcher that every simulator is run by."""
    body = "print(json.dumps(dict(event='bye', limit=__import__('resource').getrlimit(9)[0])))"
    [bye] = simulate(Qemu(stand_in(tmp_path, body)), tmp_path / "elf", b"", seconds(30))
    assert 0 < bye["limit"] <= 8 << 30


def test_plans_that_the_simulated_board_cannot_run_are_refused(tmp_path: Path) -> None:
    """Before anything is built: another core, or more RAM than there is."""
    (tmp_path / "pc.yaml").write_text(
        f"model: {{path: {digits('resnet8')}}}\n"
        "board: {name: pc, sram_bytes: 1048576, abi: x86_64}\n"
    )
    folder = run_job(read_job(tmp_path / "pc.yaml"), out=tmp_path / "out", verify=False).folder
    with pytest.raises(UsageError, match="its abi is x86_64"):
        time_bundle(folder, read_target("qemu", tmp_path))
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    plan["board"]["abi"] = "m55"
    plan["baseline"]["ram_bytes"] = (2 << 20) + 16
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "manifest.json").unlink()  # which knows that the plan was edited
    with pytest.raises(UsageError, match="has 2,097,152 B of SRAM"):
        time_bundle(folder, read_target("qemu", tmp_path))
