"""Sweeps: grids, exact fronts, shared answers, deaths of processes, resuming, wrong files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import splitopt
from limits import seconds
from planning_helpers import allowed_everywhere
from sweep_files import ROW, UNPLANNED, Ask, asking, points_of

from splitopt.base.errors import InfeasibleError, ToolError, UsageError
from splitopt.bundle.load import record_of_data
from splitopt.bundle.schema.sweep import Record
from splitopt.config.job import read_job
from splitopt.config.sweep import read_sweep
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.planning.job_table import Pricing
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.workflows.sweep import local_pool
from splitopt.workflows.sweep.grid import expand
from splitopt.workflows.sweep.record import with_dominated
from splitopt.workflows.sweep.run import SweepResult, run_sweep
from splitopt.workflows.sweep.task import Answer, Target, Task, solve

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = REPOSITORY / "configs" / "models"
JOBS = REPOSITORY / "configs" / "jobs"


@pytest.fixture
def write(tmp_path: Path) -> Ask:
    return asking(tmp_path)


# Grids.


def test_a_grid_is_the_product_of_its_axes(write: Ask, tmp_path: Path) -> None:
    unet = MODELS / "unet_digits_int8.tflite"
    sweep = write(
        f"{{budget_bytes: [60000, 90000], board: [corstone300_128k, corstone300_256k], "
        f"model: [{MODELS / 'resnet8_digits_int8.tflite'}, {unet}], max_pieces: [1, 3], "
        "objective: [{minimise: smallest}, {minimise: fit}]}"
    )
    rows = run_sweep(sweep, out=tmp_path / "out").rows
    assert len(rows) == 32
    assert len({r.id for r in rows}) == 32
    axes = ("budget_bytes", "board", "model", "max_pieces")
    cells = {(*(getattr(r, a) for a in axes), r.objective.minimise) for r in rows}
    assert len(cells) == 32
    assert {r.status for r in rows} <= {"OPTIMAL", "INFEASIBLE"}


def test_points_agree_with_jobs_run_alone_and_neighbours_are_shared(
    write: Ask, tmp_path: Path
) -> None:
    from splitopt.convert.open_model import open_model
    from splitopt.workflows.plan import plan_job

    sweep = write("{budget_bytes: {start: 56800, stop: 59200, step: 160}}")
    rows = run_sweep(sweep, out=tmp_path / "out", workers=1).rows
    assert sum(row.shared_from is not None for row in rows) > 8
    for row in rows:
        job = read_job(tmp_path / "job.yaml", {"budget_bytes": row.budget_bytes})
        if row.status == "INFEASIBLE":
            least = f"smallest feasible budget is {row.smallest_feasible_budget_bytes:,} B"
            with pytest.raises(InfeasibleError, match=least):
                plan_job(job, open_model(job))
            continue
        plan = plan_job(job, open_model(job)).plan
        assert row.peak_ram_bytes == plan.peak_ram_bytes
        assert row.status == plan.status.name == "OPTIMAL"


def test_the_folder_holds_rows_plans_and_front(write: Ask, tmp_path: Path) -> None:
    result = run_sweep(write("{budget_bytes: [20000, 60000]}"), out=tmp_path / "out")
    lines = (result.folder / "records.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        row.model_dump(mode="json") for row in result.rows
    ]
    [planned] = [row for row in result.rows if row.plan]
    plan = json.loads((result.folder / str(planned.plan)).read_text())
    assert plan["peak_ram_bytes"] == planned.peak_ram_bytes
    assert plan["segments"][0]["piece"] is None
    assert json.loads((result.folder / "sweep.json").read_text())["counts"] == {
        "OPTIMAL": 1, "INFEASIBLE": 1,
    }  # fmt: skip
    assert not list(result.folder.glob("**/*.partial"))
    assert not (result.folder / "points").exists()
    again = run_sweep(tmp_path / "sweep.yaml", out=tmp_path / "out")
    assert again.folder != result.folder


def test_points_are_proved_where_asked(write: Ask, tmp_path: Path) -> None:
    sweep = write(
        "{budget_bytes: auto}",
        more="prove: front\n",
        job="verify: {inputs: 2}\ncut: {allow: [3, 8]}\n",
    )
    result = run_sweep(sweep, out=tmp_path / "out")
    for row in result.rows:
        assert row.proved is True
        plan = json.loads((result.folder / str(row.bundle) / "plan.json").read_text())
        cuts = [segment["start"] for segment in plan["segments"][1:]]
        assert (plan["peak_ram_bytes"], plan["added_insn"]) == points_of([row])[0][:2]
        assert set(cuts) - {0} == set(row.cuts)


def test_a_point_that_fails_is_a_row_and_the_sweep_goes_on(write: Ask, tmp_path: Path) -> None:
    """A budget beyond the board's SRAM, and a model that is none."""
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    sweep = write(
        f"{{budget_bytes: [999999, 60000], "
        f"model: [{broken}, {MODELS / 'resnet8_digits_int8.tflite'}]}}"
    )
    rows = run_sweep(sweep, out=tmp_path / "out").rows
    assert [row.status for row in rows] == ["FAILED", "FAILED", "FAILED", "OPTIMAL"]
    errors = [row.error or "" for row in rows]
    assert "not a TFLite" in errors[1] or "broken.tflite" in errors[1]
    assert "budget_bytes" in errors[0]


@pytest.mark.parametrize("counts_pieces", [False, True])
def test_dominated_rows_are_told_by_brute_force(counts_pieces: bool) -> None:
    """Of rows that are equal in what is measured, one of few cuts stays."""

    def measures(row: Record) -> tuple[int, ...]:
        peak, added, segments = points_of([row])[0]
        return (peak, added, segments) if counts_pieces else (peak, added)

    random = np.random.default_rng(0)
    rows = [
        record_of_data(
            {
                **ROW,
                **({} if random.random() < 0.9 else {**UNPLANNED, "status": "UNKNOWN"}),
                "model": "m",
                "board": f"b{random.integers(2)}",
                "peak_ram_bytes": int(random.integers(5)),
                "added_insn": int(random.integers(5)),
                "cuts": list(range(random.integers(3))),
            },
            "row",
        )
        for _ in range(200)
    ]
    for at, row in enumerate(with_dominated(rows, counts_pieces=counts_pieces)):
        mine = measures(row)
        beaten = any(
            other.plan
            and other.board == row.board
            and all(a <= b for a, b in zip(measures(other), mine, strict=True))
            and (
                measures(other) != mine
                or (len(other.cuts or ()), place) < (len(row.cuts or ()), at)
            )
            for place, other in enumerate(rows)
            if place != at
        )
        assert row.dominated == (beaten and row.plan is not None)


# Deaths.


def a_task(name: str, abi: str = "m55") -> tuple[Task, dict[str, bytes]]:
    model = (MODELS / "unet_digits_int8.tflite").read_bytes()
    graph = parse_tflite(model, name="m", where="m")
    n = len(graph.ops)
    allowed = allowed_everywhere(n)
    request = PlanRequest(Goal(1, 0), allowed, SolveParams(60.0))
    return Task("sweep", name, "budget", Target("sha", Pricing(abi)), request), {"sha": model}


def killing_solve(task: Task, model: bytes) -> Answer:
    if "killer" in task.id:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return solve(task, model)


def test_a_point_that_kills_workers_is_given_up_and_no_other_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_pool, "solve", killing_solve)
    tasks = [a_task(name)[0] for name in ("a", "b", "killer", "c", "d", "e")]
    answers = {a.id: a for a in local_pool.run_local(tasks, a_task("a")[1], 2)}
    assert set(answers) == {"a", "b", "killer", "c", "d", "e"}
    assert "died twice" in (answers["killer"].error or "")
    assert all(answers[name].plans for name in "abcde")


GRID = "{budget_bytes: {start: 56000, stop: 75000, step: 500}}"
POINTS = 39


def command(sweep: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "splitopt", "sweep", str(sweep), "--out", str(out), "--json"]


def test_a_killed_sweep_is_resumed_by_the_same_command(write: Ask, tmp_path: Path) -> None:
    """SIGKILL in the middle: the rows that were there stay as they are, the workers are gone."""
    sweep, out = write(GRID, name="squeeze"), tmp_path / "out"
    process = subprocess.Popen(
        command(sweep, out), cwd=REPOSITORY, stdout=subprocess.DEVNULL, start_new_session=True
    )
    kept = wait_for(out, "sweep/.unfinished-*/points/*.jsonl", 3)
    process.kill()
    process.wait()
    kept = {path: path.read_bytes() for path in out.glob("sweep/.unfinished-*/points/*.jsonl")}
    assert 3 <= len(kept) < POINTS
    time.sleep(0.5)
    assert not alive_in_group(process.pid)
    done = splitopt("sweep", sweep, "--out", out, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["resumed_points"] >= len(kept)
    assert document["points"] == POINTS
    rows = [json.loads(line) for line in (Path(document["run_dir"]) / "records.jsonl").open()]
    assert len({row["id"] for row in rows}) == POINTS
    by_id = {row["id"]: row for row in rows}
    for data in kept.values():
        for old in map(json.loads, data.splitlines()):
            assert {**by_id[old["id"]], "dominated": False} == old
    assert not list(out.glob("sweep/.unfinished-*"))


def wait_for(folder: Path, pattern: str, count: int) -> list[Path]:
    deadline = time.monotonic() + seconds(60)
    while time.monotonic() < deadline:
        found = list(folder.glob(pattern))
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{pattern} never came")


def alive_in_group(group: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


# Wrong files.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("job: job.yaml\ngrid: {}\n", r"\$.grid: empty"),
        ("job: job.yaml\ngrid: {budget_bytes: []}\n", r"\$.grid.budget_bytes: an empty list"),
        ("job: job.yaml\ngrid: {budgets: auto}\n", r"\$.grid.budgets: unknown key"),
        ("job: job.yaml\ngrid: {budget_bytes: 64kB}\n", r"\$.grid.budget_bytes: got '64kB'"),
        ("job: job.yaml\ngrid: {budget_bytes: [1000, 64x]}\n", r"\$.grid.budget_bytes\[1\]"),
        ("job: job.yaml\ngrid: {budget_bytes: [9, 9]}\n", r"budget_bytes: 9 is there twice"),
        ("job: job.yaml\ngrid: {board: nowhere}\n", r"\$.grid.board\[0\]: no board 'nowhere'"),
        ("job: job.yaml\ngrid: {model: no.tflite}\n", r"\$.grid.model\[0\]: no such file"),
        ("job: no.yaml\ngrid: {budget_bytes: auto}\n", r"\$.job: no such file"),
        ("grid: {budget_bytes: auto}\n", r"\$.job: missing"),
        ("job: job.yaml\ngrid: {budget_bytes: auto}\nexecutor: dask\n", r"\$.scheduler"),
        ("job: job.yaml\ngrid: {budget_bytes: auto}\nmeasures: [pieces]\n", r"\$.measures"),
        (
            "job: job.yaml\ngrid: {budget_bytes: {start: 9, stop: 1, step: 1}}\n",
            r"\$.grid.budget_bytes",
        ),
        (
            "job: job.yaml\ngrid: {budget_bytes: {start: 1, stop: 99999999, step: 1}}\n",
            r"at most 10,000",
        ),
        (
            "job: job.yaml\ngrid: {budget_bytes: auto, objective: {minimise: smallest}}\n",
            r"\$.grid.objective",
        ),
    ],
)
def test_a_wrong_sweep_file_is_one_sentence_with_its_key(
    text: str, says: str, write: Ask, tmp_path: Path
) -> None:
    sweep = write("{}")
    sweep.write_text(text)
    with pytest.raises(UsageError, match=says):
        run_sweep(sweep, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_grid_keeps_what_the_job_says_beside_it(write: Ask) -> None:
    sweep = write("{max_pieces: 2}", job="pieces: {max: 7, zero_arena: true}\n")
    [point] = expand(sweep, read_sweep(sweep))
    assert point.job is not None
    assert (point.job.spec.pieces.max, point.job.spec.pieces.zero_arena) == (2, True)


def test_an_answer_out_of_time_is_unknown_and_shared_with_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Planner, "plan", lambda *_: Outcome(Status.UNKNOWN))
    task, models = a_task("x", "x86_64")
    answer = solve(task, models["sha"])
    assert not answer.plans
    assert not answer.is_infeasible
    assert not answer.is_complete


def test_dask_without_a_scheduler_is_a_clear_error(write: Ask, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="executor: dask needs distributed")
    more = "executor: dask\nscheduler: tcp://127.0.0.1:9\n"
    sweep = write("{budget_bytes: [60000]}", more=more)
    with pytest.raises(ToolError, match="no Dask scheduler answers"):
        run_sweep(sweep, out=tmp_path / "out")


def test_results_are_typed(write: Ask, tmp_path: Path) -> None:
    result = run_sweep(write("{budget_bytes: auto}", name="unet"), out=tmp_path / "o")
    assert isinstance(result, SweepResult)
    assert result.document.points == len(result.rows)
