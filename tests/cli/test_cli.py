"""The command line from outside: exit codes, what stands on stdout, and what a run leaves."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cli_scripts import ENDLESS, FAULTY
from limits import seconds

from splitopt.runtime.model_builder import relu_model

CHECKOUT = Path(__file__).resolve().parents[2]
MODEL = CHECKOUT / "configs" / "models" / "resnet8_digits_int8.tflite"
PLAN_KEYS = {
    "schema_version", "job", "model", "board", "budget_bytes", "status", "objective",
    "peak_ram_bytes", "added_insn", "baseline", "segments", "layout",
}  # fmt: skip
BASELINE_KEYS = {
    "head_bytes", "tail_bytes", "arena_used_bytes", "arena_min_bytes", "estimated_allocate_insn",
    "estimated_invoke_insn", "exact",
}  # fmt: skip
SEGMENT_KEYS = BASELINE_KEYS | {
    "index", "start", "stop", "through_bytes", "in_bytes", "out_bytes", "ram_bytes", "piece",
    "sha256",
}  # fmt: skip
Result = subprocess.CompletedProcess[str]
Job = Callable[..., Path]
CUTS_ONLY = {"bands": False, "offline_plans": False}


def start(*args: object, cwd: Path, code: str = "") -> subprocess.Popen[str]:
    """Imports resolve from the checkout, wherever the command runs."""
    how = ["-c", code] if code else ["-m", "splitopt"]
    return subprocess.Popen(
        [sys.executable, *how, *map(str, args)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may ignore it
    )


def splitopt(*args: object, cwd: Path, code: str = "") -> Result:
    process = start(*args, cwd=cwd, code=code)
    stdout, stderr = process.communicate(timeout=seconds(60))
    assert "Traceback" not in stdout + stderr
    return subprocess.CompletedProcess(list(args), process.returncode, stdout, stderr)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Writes a job on the small model; keywords are further keys."""

    def write(name: str = "small", model: Path = MODEL, **keys: object) -> Path:
        settings: dict[str, object] = {
            "model": {"path": str(model)},
            "board": "corstone300_128k",
            "objective": {"minimise": "peak_ram"},
            "verify": {"inputs": 2},
            **keys,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps(settings))  # JSON is YAML
        return path

    return write


def leftovers(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.is_file()] if out.exists() else []


def test_a_run_prints_one_json_document_and_leaves_a_whole_bundle(job: Job, tmp_path: Path) -> None:
    done = splitopt("run", job(), "--json", "--out", "there", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert {check["name"] for check in shown["checks"]} == {"outputs", "boundaries", "litert"}
    assert {check["status"] for check in shown["checks"]} == {"passed"}

    folder = tmp_path / shown["run_dir"]
    assert folder.parent == tmp_path / "there" / "small"
    assert list(folder.parent.iterdir()) == [folder]
    check_plan(folder, shown)
    check_verification(folder)
    check_manifest(folder)


def check_plan(folder: Path, shown: dict[str, Any]) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    assert plan.items() <= shown.items()
    assert plan.keys() >= PLAN_KEYS
    assert plan["model"].keys() >= {"path", "sha256", "ops", "tensors"}
    assert plan["model"]["sha256"] == sha256(MODEL)
    assert plan["objective"].keys() >= {"cost", "bound", "gap"}
    assert plan["baseline"].keys() >= BASELINE_KEYS
    assert plan["status"] == "OPTIMAL"
    assert plan["objective"]["gap"] == 0
    segments = plan["segments"]
    assert len(segments) >= 2
    for index, segment in enumerate(segments):
        assert segment.keys() >= SEGMENT_KEYS
        assert segment["index"] == index
        assert sha256(folder / segment["piece"]) == segment["sha256"]
    ranges = list(dict.fromkeys((s["start"], s["stop"]) for s in segments))  # of two heights once
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges[:-1])]
    assert segments[-1]["stop"] == plan["model"]["ops"]
    assert len(list((folder / "pieces").iterdir())) == len(segments)
    assert plan["peak_ram_bytes"] <= plan["budget_bytes"]
    check_layout(plan)


def check_layout(plan: dict[str, Any]) -> None:
    """The arena and what waits outside it lie apart in the region while they live."""
    layout, segments = plan["layout"], plan["segments"]
    assert layout["region_bytes"] == plan["peak_ram_bytes"]
    assert layout["boundary"]
    for tensor in layout["boundary"]:
        assert tensor.keys() >= {"tensor", "offset", "size", "first_segment", "last_segment"}
    for index, segment in enumerate(segments):
        live = [t for t in layout["boundary"] if t["first_segment"] <= index <= t["last_segment"]]
        taken = [(t["offset"], t["offset"] + t["size"]) for t in live]
        taken.append((segment["arena_offset"], segment["arena_offset"] + segment["arena_bytes"]))
        taken.sort()
        assert all(stop <= start for (_, stop), (start, _) in pairwise(taken))
        assert taken[-1][1] <= layout["region_bytes"]
        at = segment["start"]  # one for both pieces of a segment
        kept = [
            (segments[t["first_segment"]]["start"], segments[t["last_segment"]]["start"], t["size"])
            for t in live
        ]
        passing = sum(size for first, last, size in kept if first < at < last)
        assert segment["through_bytes"] == passing


def check_verification(folder: Path) -> None:
    verify = json.loads((folder / "verify.json").read_text())
    assert verify["status"] == "passed"
    assert (verify["random_inputs"], verify["given_inputs"]) == (2, 0)
    for check in verify["checks"]:
        assert check.keys() >= {"name", "status", "compared", "inputs", "worst_difference"}
        assert (check["status"], check["inputs"], check["worst_difference"]) == ("passed", 2, 0)
    summary = (folder / "summary.txt").read_text()
    assert "Proof: OPTIMAL" in summary
    assert "PASSED outputs" in summary
    assert "not CPU cycles" in summary


def check_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {path.relative_to(folder).as_posix(): path for path in leftovers(folder)}
    del files["manifest.json"]
    assert manifest["files"] == {name: sha256(path) for name, path in files.items()}
    assert manifest["inputs"]["model"]["sha256"] == sha256(MODEL)
    assert manifest["command"][1] == "run"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_verification_the_words_say_so(job: Job, tmp_path: Path) -> None:
    done = splitopt("run", job(out="mine"), "--no-verify", cwd=tmp_path)
    assert done.returncode == 0
    assert "Verification: SKIPPED. The pieces were not run." in done.stdout
    [folder] = (tmp_path / "mine" / "small").iterdir()
    assert f"Bundle: mine/small/{folder.name}" in done.stdout
    assert "Verification: SKIPPED" in (folder / "summary.txt").read_text()
    verify = json.loads((folder / "verify.json").read_text())
    assert (verify["status"], verify["checks"]) == ("skipped", [])


def test_the_smallest_budget_is_feasible_and_16_bytes_less_is_not(job: Job, tmp_path: Path) -> None:
    path = job()
    done = splitopt("run", path, "--budget", 1000, "--json", cwd=tmp_path)
    assert done.returncode == 3
    facts = json.loads(done.stdout)
    least = facts["smallest_feasible_budget_bytes"]
    assert (facts["status"], facts["budget_bytes"]) == ("INFEASIBLE", 1000)
    assert (facts["exit_code"], facts["smallest_is_proved"]) == (3, True)
    assert facts["floor"].keys() == {"op", "type", "live_bytes", "least_ram_bytes"}
    assert 1000 < facts["floor"]["live_bytes"] < facts["floor"]["least_ram_bytes"]
    assert least < facts["floor"]["least_ram_bytes"]  # by bands
    said = f"no plan fits 1,000 B; the smallest feasible budget is {least:,} B"
    assert said in done.stderr
    assert said in facts["error"]
    assert not leftovers(tmp_path / "results")

    fits = splitopt("run", path, "--budget", least, "--json", "--no-verify", cwd=tmp_path)
    assert fits.returncode == 0
    assert json.loads(fits.stdout)["peak_ram_bytes"] == least
    less = splitopt("run", path, "--budget", least - 16, "--no-verify", cwd=tmp_path)
    assert (less.returncode, less.stdout) == (3, "")


def test_limits_that_no_budget_can_meet_have_no_smallest_budget(job: Job, tmp_path: Path) -> None:
    path = job(pieces={"max": 1, **CUTS_ONLY}, budget_bytes=57_600)
    done = splitopt("run", path, cwd=tmp_path)
    assert done.returncode == 3
    assert "the smallest feasible budget is 57,696 B (1 piece)" in done.stderr


@pytest.mark.parametrize("as_json", [False, True])
def test_a_planted_fault_is_exit_code_4_and_the_evidence_is_kept(
    as_json: bool, job: Job, tmp_path: Path
) -> None:
    options = ["--json"] if as_json else []
    done = splitopt("run", job(), *options, cwd=tmp_path, code=FAULTY)
    assert done.returncode == 4
    [folder] = (tmp_path / "results" / "small").iterdir()
    assert f"error: results/small/{folder.name}: check 'outputs' failed" in done.stderr
    assert "do not use these pieces" in done.stderr
    verify = json.loads((folder / "verify.json").read_text())
    assert verify["status"] == "failed"
    assert "piece 0 (00.tflite) is the first to differ" in (folder / "summary.txt").read_text()
    if as_json:
        statuses = {c["name"]: c["status"] for c in json.loads(done.stdout)["checks"]}
        assert statuses == {"outputs": "failed", "boundaries": "failed", "litert": "passed"}
    else:
        assert "FAILED boundaries" in done.stdout


def test_what_cannot_be_written_or_run_in_time_is_exit_code_5(job: Job, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = splitopt("run", job(), "--out", "file", "--no-verify", cwd=tmp_path)
    assert done.returncode == 5
    assert "file/small: cannot be written (Not a directory); choose --out" in done.stderr

    hasty = job(verify={"time_limit_s": 0.01})
    done = splitopt("run", hasty, "--json", cwd=tmp_path)
    assert done.returncode == 5
    assert json.loads(done.stdout)["exit_code"] == 5
    assert "took longer than the time limit of 0.01 s" in done.stderr
    assert not leftovers(tmp_path / "results")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "Usage: "),
        (["frob"], "No such command 'frob'"),
        (["run"], "Missing argument 'job'"),
        (["run", "a.yaml", "--bogus"], "No such option: --bogus"),
        (["run", "a.yaml", "--budget", "64k"], "'--budget'"),
        (["run", "a.yaml", "--budget", "0"], "'--budget'"),
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
        (lambda _: b"", "no TensorFlow Lite model"),
        (lambda whole: whole[:50_000], "not a whole .tflite file"),
        (lambda whole: whole[:4] + b"ONNX" + whole[8:], "no TensorFlow Lite model"),
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


def test_a_board_file_given_as_an_option_is_relative_to_the_working_folder(
    job: Job, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.yaml").write_text("name: mine\nsram_bytes: 100000\n")
    done = splitopt("run", job(), "--board", "mine.yaml", "--no-verify", "--json", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["board"]["name"], shown["budget_bytes"]) == ("mine", 100_000)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_is_exit_code_130_and_leaves_nothing(
    sent: signal.Signals, job: Job, tmp_path: Path
) -> None:
    """While the pieces run: that is where a run spends its time."""
    process = start("run", job(verify={"inputs": 10_000}), "--json", cwd=tmp_path)
    home = tmp_path / "results" / "small"
    deadline = time.monotonic() + seconds(30)
    while not list(home.glob(".partial-*/pieces/*.tflite")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(sent)
    stdout, stderr = process.communicate(timeout=seconds(30))
    assert (process.returncode, stdout, stderr) == (130, "", "interrupted\n")
    assert not home.exists()


def test_an_interrupt_while_solving_is_one_too(job: Job, tmp_path: Path) -> None:
    """CP-SAT takes SIGINT for itself: the run went on with the plan found so far."""
    process = start("run", job(), cwd=tmp_path, code=ENDLESS)
    assert process.stdout is not None
    assert process.stdout.readline() == "solving\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=seconds(10))
    assert (process.returncode, stdout, stderr) == (130, "", "interrupted\n")
    assert not (tmp_path / "results").exists()


def test_help_shows_every_command_with_an_example(tmp_path: Path) -> None:
    top = splitopt("--help", cwd=tmp_path)
    assert (top.returncode, top.stderr) == (0, "")
    for command in (
        "demo",
        "schema",
        "run",
        "time",
        "export",
        "calibrate",
        "pack",
        "sweep",
        "explain",
        "report",
        "compare",
        "runs",
        "boards",
        "doctor",
    ):
        assert f"\n  {command} " in top.stdout
        done = splitopt(command, "--help", cwd=tmp_path)
        assert done.returncode == 0
        assert f"Example: splitopt {command}" in done.stdout
        assert "--json" in done.stdout
        assert "--out" in done.stdout


def test_version(tmp_path: Path) -> None:
    done = splitopt("--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("splitopt 0.")


@pytest.mark.parametrize("command", ["boards", "doctor", "runs"])
def test_what_is_listed_can_be_kept_and_is_not_overwritten(command: str, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    done = splitopt(command, "--json", "--out", "kept", cwd=tmp_path)
    [file] = (tmp_path / "kept").iterdir()
    assert file.name == f"{command}.json"
    assert json.loads(file.read_text("utf-8")) == json.loads(done.stdout)
    again = splitopt(command, "--out", "kept", cwd=tmp_path)
    assert again.returncode == 2
    assert "already exists" in again.stderr


def test_boards_are_listed_with_budget_and_source(tmp_path: Path) -> None:
    boards = json.loads(splitopt("boards", "--json", cwd=tmp_path).stdout)
    small = next(board for board in boards if board["name"] == "corstone300_64k")
    assert small["budget_bytes"] == small["sram_bytes"] - small["reserved_bytes"] == 57_344
    table = splitopt("boards", "--sources", cwd=tmp_path)
    assert table.returncode == 0
    for board in boards:
        assert f"\n{board['name']}" in table.stdout
        assert board["source"].split()[0] in table.stdout


def test_doctor_finds_everything_here(tmp_path: Path) -> None:
    done = splitopt("doctor", "--json", cwd=tmp_path)
    findings = json.loads(done.stdout)
    assert [f["name"] for f in findings if not f["ok"] and not f["optional"]] == []
    assert all(f["advice"] for f in findings if not f["ok"])
    assert done.returncode == 0
    assert {"ortools", "tflite-micro", "TFLM in a child process"} <= {f["name"] for f in findings}


def test_doctor_says_what_is_wrong_and_how_to_fix_it(tmp_path: Path) -> None:
    """A child that computed wrong values counted as found."""
    code = (
        "import numpy as np\nfrom splitopt.cli import app as cli\n"
        "from splitopt.runtime import host\n"
        "host.run_tflm_chain = lambda *_, **__: {'y': np.zeros((1, 1, 4), np.float32)}\ncli.main()"
    )
    done = splitopt("doctor", cwd=tmp_path, code=code)
    assert done.returncode == 5
    said = "TFLM in a child process: TFLM computes wrong values; reinstall tflite-micro"
    assert said in done.stdout
