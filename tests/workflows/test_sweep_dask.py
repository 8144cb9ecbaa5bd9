"""Sweeps on a real Dask cluster: scheduler and workers are processes, which are killed, strangers,
or not there. What a sweep without a cluster finds is the oracle."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import without_progress
from dask_clusters import REPOSITORY, Cluster
from limits import seconds
from sweep_files import asking, points_of

from splitopt.base.build import build
from splitopt.base.errors import ToolError
from splitopt.bundle.schema.sweep import Record
from splitopt.workflows.sweep import dask_cluster
from splitopt.workflows.sweep.run import Progress, SweepResult, run_sweep

pytest.importorskip("distributed", reason="executor: dask needs distributed")
GRID = "{budget_bytes: {start: 34000, stop: 60000, step: 4000}, max_pieces: [3, 6]}"
POINTS = 14


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler; tests add workers."""
    found = Cluster(tmp_path)
    try:
        yield found
    finally:
        found.kill_all()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "ANSWER_S", seconds(5))
    monkeypatch.setattr(dask_cluster, "WORKERS_S", seconds(1))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    folder = tmp_path_factory.mktemp("local")
    return run_sweep(asking(folder)(GRID), out=folder / "out", workers=1)


def a_sweep(folder: Path, scheduler: str, grid: str = GRID) -> Path:
    return asking(folder)(grid, more=f"executor: dask\nscheduler: '{scheduler}'\n")


def figures(rows: tuple[Record, ...]) -> list[tuple[object, ...]]:
    return [
        (row.id, row.status, *points_of([row]), row.smallest_feasible_budget_bytes, row.error)
        for row in rows
    ]


def assert_whole(result: SweepResult, local: SweepResult) -> None:
    """As found without a cluster, each row beside a plan file that says the same."""
    assert len(result.rows) == POINTS
    assert figures(result.rows) == figures(local.rows)
    for row in result.rows:
        if row.plan is not None:
            plan = json.loads((result.folder / row.plan).read_text())
            assert (plan["peak_ram_bytes"], plan["added_insn"], len(plan["segments"])) == (
                row.peak_ram_bytes, row.added_insn, row.pieces,
            )  # fmt: skip


def test_two_sweeps_on_one_cluster_share_nothing(
    cluster: Cluster, local: SweepResult, tmp_path: Path
) -> None:
    """The second has its ids elsewhere in the same grid: a plan that a worker remembers of the
    first one would stand under another point's id."""
    cluster.add_worker()
    first = a_sweep(tmp_path, cluster.scheduler, GRID.replace("[3, 6]", "[6, 3, 1]"))
    run_sweep(first, out=tmp_path / "first")
    sweep = a_sweep(tmp_path, cluster.scheduler)
    assert_whole(run_sweep(sweep, out=tmp_path / "second"), local)
    assert_whole(run_sweep(sweep, out=tmp_path / "third"), local)


def test_a_worker_that_is_lost_early_loses_no_point(
    cluster: Cluster, local: SweepResult, tmp_path: Path
) -> None:
    """The first worker, which has the model first, dies with the first answer."""
    cluster.add_worker()
    cluster.add_worker()
    seen: list[int] = []

    def notify(at: Progress) -> None:
        seen.append(at.done)
        if at.done == 1:
            cluster.kill(1)

    assert_whole(
        run_sweep(a_sweep(tmp_path, cluster.scheduler), out=tmp_path, notify=notify), local
    )
    assert seen == sorted(seen)


@pytest.mark.parametrize("victim", [0, 1], ids=["scheduler", "only worker"])
def test_a_lost_cluster_ends_the_sweep_and_the_same_command_goes_on(
    victim: int, cluster: Cluster, local: SweepResult, tmp_path: Path
) -> None:
    cluster.add_worker()
    sweep = a_sweep(tmp_path, cluster.scheduler)

    def notify(at: Progress) -> None:
        if at.done == 3:
            cluster.kill(victim)

    with pytest.raises(ToolError, match=r"the same command goes on|no Dask scheduler answers"):
        run_sweep(sweep, out=tmp_path / "out", notify=notify)
    home = tmp_path / "out" / "sweep"
    assert all(entry.name.startswith(".unfinished-") for entry in home.iterdir())
    kept = [json.loads(line) for path in home.glob("*/points/*") for line in path.open()]
    assert 3 <= len(kept) < POINTS
    assert not any(row["status"] == "FAILED" for row in kept)
    if victim == 0:
        return
    cluster.add_worker()
    result = run_sweep(sweep, out=tmp_path / "out")
    assert result.document.resumed_points == len(kept)
    assert_whole(result, local)


def test_a_worker_with_another_source_is_refused_by_name(
    cluster: Cluster, local: SweepResult, tmp_path: Path
) -> None:
    """One number of the cost table differs, the version does not."""
    other = tmp_path / "other"
    unwanted = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(REPOSITORY / "splitopt", other / "splitopt", ignore=unwanted)
    table = other / "splitopt" / "cost" / "m55_allocate_tensors.json"
    table.write_text(table.read_text().replace("1", "2", 1))
    worker = cluster.add_worker(source=other)
    sweep = a_sweep(tmp_path, cluster.scheduler)
    with pytest.raises(ToolError) as caught:
        run_sweep(sweep, out=tmp_path / "out")
    assert f"worker {worker} has splitopt" in str(caught.value)
    assert f"want {build()}" in str(caught.value)
    assert not list((tmp_path / "out").glob("sweep/*/points/*"))
    cluster.kill(1)
    cluster.add_worker()
    assert_whole(run_sweep(sweep, out=tmp_path / "out"), local)


def test_a_worker_without_splitopt_and_a_cluster_without_workers(
    cluster: Cluster, tmp_path: Path
) -> None:
    sweep = a_sweep(tmp_path, cluster.scheduler)
    with pytest.raises(ToolError, match="no workers"):
        run_sweep(sweep, out=tmp_path / "out")
    worker = cluster.add_worker(has_splitopt=False)
    with pytest.raises(ToolError, match=r"ModuleNotFoundError: No module named 'splitopt"):
        run_sweep(sweep, out=tmp_path / "out")
    with pytest.raises(ToolError, match="a Dask Worker; want the address of the scheduler"):
        run_sweep(a_sweep(tmp_path, worker), out=tmp_path / "out")
    assert not list((tmp_path / "out").glob("sweep/*/points/*"))


def test_a_listener_that_never_answers_is_left_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sweep = a_sweep(tmp_path, f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(ToolError, match="no Dask scheduler answers there within"):
            run_sweep(sweep, out=tmp_path / "out")
        assert time.monotonic() - started < seconds(30)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tcp://127.0.0.1:9", "ConnectionRefusedError"),
        ("http://127.0.0.1:8787", "unknown address scheme 'http'"),
        ("tcp://127.0.0.1:port", "invalid literal"),
        ("tls://127.0.0.1:9", "TLS"),
        ("localhost", "missing port"),
        ("tcp://", "missing port"),
    ],
)
def test_a_wrong_kind_of_address_is_named_with_the_cause(
    address: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match="no Dask scheduler answers there") as caught:
        run_sweep(a_sweep(tmp_path, address), out=tmp_path / "out")
    assert says in str(caught.value)


def test_the_command_ends_with_5_and_one_sentence(cluster: Cluster, tmp_path: Path) -> None:
    """The scheduler is killed once there is a row: no traceback, none of Dask's own messages."""
    cluster.add_worker()
    sweep, out = a_sweep(tmp_path, cluster.scheduler), tmp_path / "out"
    command = [sys.executable, "-m", "splitopt", "sweep", str(sweep), "--out", str(out), "--json"]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + seconds(60)
    while not list(out.glob("sweep/*/points/*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    cluster.kill(0)
    stdout, stderr = process.communicate(timeout=seconds(100))
    assert process.returncode == 5, stderr
    assert len(without_progress(stderr).splitlines()) == 1, stderr
    assert json.loads(stdout)["exit_code"] == 5


def test_dask_keeps_its_own_logging_afterwards(tmp_path: Path) -> None:
    before = [handler.level for handler in logging.getLogger("distributed").handlers]
    with pytest.raises(ToolError):
        run_sweep(a_sweep(tmp_path, "tcp://127.0.0.1:9"), out=tmp_path / "out")
    assert [handler.level for handler in logging.getLogger("distributed").handlers] == before
