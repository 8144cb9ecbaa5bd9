"""The command line from outside: exit codes, what stands on stdout, and what a run leaves."""

from __future__ import annotations

import hashlib
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from commands import CUTS_ONLY, MODEL, Job, leftovers, splitopt, started

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


def test_a_run_prints_one_json_document_and_leaves_a_whole_bundle(job: Job, tmp_path: Path) -> None:
    done = started("run", job(), "--json", "--out", "there", cwd=tmp_path)
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
    ranges = list(dict.fromkeys((s["start"], s["stop"]) for s in segments))  # of two heights once
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges[:-1])]
    assert segments[-1]["stop"] == plan["model"]["ops"]
    files = [file for segment in segments for file in files_of(segment)]
    assert all(sha256(folder / file["piece"]) == file["sha256"] for file in files)
    assert len({file["piece"] for file in files}) == len(files)
    assert len(list((folder / "pieces").iterdir())) == len(files)
    assert plan["peak_ram_bytes"] <= plan["budget_bytes"]
    check_layout(plan)


def files_of(segment: dict[str, Any]) -> list[dict[str, Any]]:
    """What names the file of a piece, or those of the groups of a streamed one."""
    stream = segment["stream"]
    if stream is None:
        return [segment]
    assert (segment["piece"], segment["sha256"]) == (None, None)
    return list(stream["groups"])


def check_layout(plan: dict[str, Any]) -> None:
    """The arena and what waits outside it lie apart in the region while they live."""
    layout, segments = plan["layout"], plan["segments"]
    assert layout["region_bytes"] == plan["peak_ram_bytes"]
    assert layout["boundary"]
    for tensor in layout["boundary"]:
        assert tensor.keys() >= {"tensor", "offset", "size", "first_segment", "last_segment"}
    for index, segment in enumerate(segments):
        live = [t for t in layout["boundary"] if t["first_segment"] <= index <= t["last_segment"]]
        taken = {t["tensor"]: (t["offset"], t["offset"] + t["size"]) for t in live}
        leads = {(pair["read"], pair["made"]): pair["lead_bytes"] for pair in segment["rolled"]}
        taken[-1] = segment["arena_offset"], segment["arena_offset"] + segment["arena_bytes"]
        for (a, (start, stop)), (b, (begin, end)) in permutations(taken.items(), 2):
            is_rolled = (a, b) in leads and start - begin >= leads[a, b]
            assert is_rolled or (b, a) in leads or stop <= begin or end <= start
        assert max(stop for _, stop in taken.values()) <= layout["region_bytes"]
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
    assert "NOT PROVED: outputs were not compared (--no-verify)." in done.stdout
    [folder] = (tmp_path / "mine" / "small").iterdir()
    assert f"Bundle: mine/small/{folder.name}" in done.stdout
    summary = (folder / "summary.txt").read_text()
    assert "Verification: SKIPPED" in summary
    assert f"Bundle: mine/small/{folder.name}" in summary
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
    assert less.returncode == 3
    assert less.stdout.startswith("DOES NOT FIT ")
    assert f"{least:,} B of RAM at least" in less.stdout.splitlines()[0]


def test_limits_that_no_budget_can_meet_have_no_smallest_budget(job: Job, tmp_path: Path) -> None:
    path = job(pieces={"max": 1, **CUTS_ONLY}, budget_bytes=57_600)
    done = splitopt("run", path, cwd=tmp_path)
    assert done.returncode == 3
    assert "the smallest feasible budget is 57,696 B (1 piece)" in done.stderr


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


def test_help_shows_every_command_with_an_example(tmp_path: Path) -> None:
    top = splitopt("--help", cwd=tmp_path)
    assert (top.returncode, top.stderr) == (0, "")
    for command in (
        "demo",
        "init",
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
