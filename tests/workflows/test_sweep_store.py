"""A sweep's folder: what may be written into it, by whom, and what an end at any moment leaves."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import splitopt, without_progress
from limits import seconds
from processes import all_gone
from sweep_files import Ask, asking, points_of

from splitopt.base.build import source_digest
from splitopt.base.errors import ToolError, UsageError
from splitopt.bundle.load import read_records
from splitopt.bundle.schema.sweep import Record
from splitopt.config.sweep import read_sweep
from splitopt.workflows.sweep import local_pool, run, store
from splitopt.workflows.sweep.grid import expand
from splitopt.workflows.sweep.record import Made
from splitopt.workflows.sweep.run import Progress, SweepResult, run_sweep
from splitopt.workflows.sweep.store import SweepStore
from splitopt.workflows.sweep.task import Answer

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / "tests" / "golden" / "sweep_v1"
GRID = "{budget_bytes: {start: 55000, stop: 59000, step: 1000}}"
CUTS = "pieces: {bands: false, streams: false, offline_plans: false}\n"


@pytest.fixture
def write(tmp_path: Path) -> Ask:
    return asking(tmp_path)


def command(sweep: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "splitopt", "sweep", str(sweep), "--out", str(out), "--json"]


def assert_sound(folder: Path) -> None:
    """Nothing but results, all of which the manifest lists; each row says what its plan says."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    manifest = json.loads(files.pop("manifest.json").read_text())
    assert manifest["files"] == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }
    assert not any(".partial" in name or "lock" in name for name in files)
    assert {path.name for path in folder.iterdir()} <= {
        "bundles", "figures", "manifest.json", "pareto.csv", "plans", "records.jsonl",
        "report.html", "sweep.json",
    }  # fmt: skip
    rows = [json.loads(line) for line in (folder / "records.jsonl").open()]
    for row in rows:
        if row["plan"]:
            plan = json.loads((folder / row["plan"]).read_text())
            assert (plan["peak_ram_bytes"], plan["added_insn"], len(plan["segments"])) == (
                row["peak_ram_bytes"], row["added_insn"], row["pieces"],
            )  # fmt: skip
    assert {Path(row["plan"]).parent.name for row in rows if row["plan"]} == {
        path.name for path in folder.glob("plans/*")
    }


# What may be written.


def test_a_row_must_say_what_its_plan_file_says(tmp_path: Path) -> None:
    row = next(row for row in read_records(GOLDEN) if row.plan)
    work = tmp_path / "work"
    work.mkdir()
    opened = SweepStore(work)

    def refuse(wrong: Record, says: str) -> None:
        with pytest.raises(ToolError, match=says):
            opened.keep(wrong.id, [Made(wrong)])
        assert not opened.done
        assert not list(work.glob("points/*"))

    refuse(row, "no such file|cannot be read")
    shutil.copytree(GOLDEN / "plans", opened.folder / "plans")
    peak = row.peak_ram_bytes or 0
    refuse(row.model_copy(update={"peak_ram_bytes": peak + 16}), f"{peak}.*{peak + 16}")
    refuse(row.model_copy(update={"cuts": (1, 2)}), "its row says")
    refuse(row.model_copy(update={"id": "0009", "shared_from": "0007"}), "point 0007.*not in this")
    opened.keep(row.id, [Made(row)])
    shared = row.model_copy(update={"id": "0009", "shared_from": row.id})
    opened.keep("0009", [Made(shared)])
    assert SweepStore(work).done == {row.id: [row], "0009": [shared]}
    shutil.rmtree(opened.folder / "plans")
    assert SweepStore(work).done == {}


def test_an_answer_that_names_a_point_not_here_keeps_its_own_plan(
    write: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a cluster may give it: those that share come before those that they share with."""
    want = run_sweep(write(GRID, job=CUTS), out=tmp_path / "want", workers=1)
    assert any(row.shared_from for row in want.rows)

    def backwards(*given: Any) -> Iterator[Answer]:
        yield from reversed(list(local_pool.run_local(*given)))

    monkeypatch.setattr(run, "run_local", backwards)
    found = run_sweep(write(GRID, job=CUTS), out=tmp_path / "found", workers=1)
    assert points_of(found.rows) == points_of(want.rows)
    assert not any(row.shared_from for row in found.rows)
    assert_sound(found.folder)


def test_the_source_counts_not_where_it_lies(tmp_path: Path) -> None:
    """A checkout has `solvers` as a link, an installed package as a folder; one byte differs."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.yaml", "*.tflite")
    copy = shutil.copytree(REPOSITORY / "splitopt", tmp_path / "copy", ignore=unwanted)
    assert source_digest(copy) == source_digest(REPOSITORY / "splitopt")
    solver = copy / "solvers" / "dominance.py"
    solver.write_text(solver.read_text() + "\n")
    assert source_digest(copy) != source_digest(REPOSITORY / "splitopt")


# By whom.


def test_equal_sweeps_at_once_end_in_one_folder(write: Ask, tmp_path: Path) -> None:
    """One runs; the other says for whom it waits, and returns what that one found."""
    sweep, out = write(GRID, job=CUTS), tmp_path / "out"
    is_waiting, results, steps = threading.Event(), list[SweepResult](), list[str]()

    def wait(at: Progress) -> None:
        steps.append(at.step)
        if at.step.startswith("waiting"):
            is_waiting.set()

    other = threading.Thread(target=lambda: results.append(run_sweep(sweep, out=out, notify=wait)))

    def begin(at: Progress) -> None:
        if at.step == "writing the report":
            other.start()
            assert is_waiting.wait(seconds(60))

    results.append(run_sweep(sweep, out=out, notify=begin))
    other.join()
    first, second = results
    assert first.folder == second.folder
    assert first.rows == second.rows
    assert steps == [
        f"waiting for process {os.getpid()} on {os.uname().nodename}, which runs this sweep"
    ]
    assert list((out / "sweep").iterdir()) == [first.folder]
    assert_sound(first.folder)
    assert run_sweep(sweep, out=out).folder != first.folder


def test_three_equal_commands_at_once_all_succeed(write: Ask, tmp_path: Path) -> None:
    sweep, out = write(GRID, job=CUTS), tmp_path / "out"
    started = [
        subprocess.Popen(
            command(sweep, out), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    ended = [process.communicate(timeout=seconds(200)) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], ended
    folders = {json.loads(stdout)["run_dir"] for stdout, _ in ended}
    assert {str(path) for path in (out / "sweep").iterdir()} == folders
    for folder in folders:
        assert_sound(Path(folder))


def test_who_waits_goes_on_where_the_holder_was_killed(write: Ask, tmp_path: Path) -> None:
    """The holder stops in the middle; killed, it leaves the lock to the one that waits."""
    sweep, out = write(GRID, name="squeeze"), tmp_path / "out"
    holder = subprocess.Popen(command(sweep, out), cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    wait_for(out, "sweep/.unfinished-*/points/*.jsonl")
    holder.send_signal(signal.SIGSTOP)

    def kill(at: Progress) -> None:
        if at.step.startswith(f"waiting for process {holder.pid} "):
            holder.kill()
            holder.wait()

    result = run_sweep(sweep, out=out, notify=kill)
    assert holder.poll() == -signal.SIGKILL
    assert result.document.resumed_points >= 1
    assert list((out / "sweep").iterdir()) == [result.folder]
    assert_sound(result.folder)


def wait_for(folder: Path, pattern: str) -> None:
    deadline = time.monotonic() + seconds(60)
    while not list(folder.glob(pattern)):
        assert time.monotonic() < deadline, f"{pattern} never came"
        time.sleep(0.005)


# What an end leaves.


@pytest.mark.parametrize("name", ["claim_name", "rmtree"])
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_an_interrupt_in_the_last_step_leaves_a_folder_or_work_to_go_on(
    name: str, is_done: bool, write: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, out = write(GRID, job=CUTS), tmp_path / "out"
    owner: Any = store if name == "claim_name" else store.shutil
    real = getattr(owner, name)

    def interrupted(*given: Any, **more: Any) -> None:
        if is_done:
            real(*given, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(sweep, out=out)
    for folder in (out / "sweep").glob("[!.]*"):
        assert_sound(folder)
    run_sweep(sweep, out=out)
    folders = list((out / "sweep").iterdir())
    assert not any(folder.name.startswith(".") for folder in folders)
    for folder in folders:
        assert_sound(folder)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_leaves_work_to_go_on(
    ending: signal.Signals, write: Ask, tmp_path: Path
) -> None:
    """As a service manager or a terminal sends it: workers end, and say nothing."""
    sweep, out = write(GRID, name="squeeze"), tmp_path / "out"
    process = subprocess.Popen(
        command(sweep, out), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    wait_for(out, "sweep/.unfinished-*/points/*.jsonl")
    os.killpg(process.pid, ending)
    _, stderr = process.communicate(timeout=seconds(60))
    assert (process.returncode, without_progress(stderr)) == (130, "interrupted\n")
    assert [path.name for path in (out / "sweep").glob("[!.]*")] == []
    assert not list((out / "sweep").glob("*.lock"))
    result = run_sweep(sweep, out=out)
    assert result.document.resumed_points >= 1
    assert list((out / "sweep").iterdir()) == [result.folder]
    assert_sound(result.folder)


def test_workers_end_with_a_sweep_that_is_killed_right_after_their_start(
    write: Ask, tmp_path: Path
) -> None:
    sweep = write("{budget_bytes: {start: 40000, stop: 60000, step: 200}}", name="squeeze")
    for number in range(2):
        out = tmp_path / str(number)
        process = subprocess.Popen(
            [*command(sweep, out), "--workers", "4"], cwd=REPOSITORY, stdout=subprocess.DEVNULL
        )
        workers: list[int] = []
        while len(workers) < 1 + 3 * number and process.poll() is None:
            workers = children(process.pid)
        process.kill()
        process.wait()
        assert workers
        assert all_gone(workers)


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def test_what_a_killed_process_left_half_done_is_not_in_the_result(
    write: Ask, tmp_path: Path
) -> None:
    """A plan whose row was not written, and a proof that was not noted."""
    sweep = write("{budget_bytes: 60000}", more="prove: all\n", job="verify: {inputs: 1}\n")
    spec = read_sweep(sweep)
    for folder in ("plans/0001", "plans/0007", "bundles/0001/job/20260101-000000", "bundles/0003"):
        (tmp_path / "before" / folder).mkdir(parents=True)
        (tmp_path / "before" / folder / "plan.json").write_text("{}")
    opened: list[Path] = []

    class Found(SweepStore):
        def __init__(self, work: Path) -> None:
            shutil.copytree(tmp_path / "before", work / "result")
            opened.append(work)
            super().__init__(work)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "SweepStore", Found)
        result = run_sweep(sweep, out=tmp_path / "out")
    assert opened
    assert len(expand(sweep, spec)) == len(result.rows) == 1
    assert result.rows[0].proved is True
    assert_sound(result.folder)
    assert [path.name for path in result.folder.glob("bundles/*/*/*")] != ["20260101-000000"]
    assert len(list(result.folder.glob("bundles/*/*/*"))) == 1


def test_a_sweep_in_which_every_point_failed_is_no_success(write: Ask, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    sweep = write(f"{{budget_bytes: [60000, 50000], model: {broken}}}")
    with pytest.raises(UsageError, match=r"every point failed; the first: .*broken\.tflite"):
        run_sweep(sweep, out=tmp_path / "out").require()
    done = splitopt("sweep", sweep, "--out", tmp_path / "out", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["counts"] == {"FAILED": 2}
    assert len(done.stderr.splitlines()) == 1


def test_a_sweep_whose_workers_died_at_every_point_ends_with_5(
    write: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_pool, "solve", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    result = run_sweep(write("{budget_bytes: 60000}"), out=tmp_path / "out")
    with pytest.raises(ToolError, match="worker process died twice") as caught:
        result.require()
    assert caught.value.exit_code == 5
