"""A sweep on a real Dask cluster: scheduler and workers are processes, one of which is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from splitopt.workflows.sweep.run import Progress, run_sweep

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = REPOSITORY / "configs" / "models"
distributed = pytest.importorskip("distributed", reason="executor: dask needs distributed")


@dataclass
class Cluster:
    scheduler: str
    processes: list[subprocess.Popen[bytes]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler and two workers of one thread on this machine, each in a group of its own."""
    found = Cluster("", [])
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

    def start(*words: str, name: str) -> Path:
        log = tmp_path / f"{name}.log"
        command = [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]]
        with log.open("wb") as output:
            found.processes.append(
                subprocess.Popen(
                    command, stdout=output, stderr=output, env=environment, cwd=tmp_path,
                    start_new_session=True,
                )
            )  # fmt: skip
        return log

    try:
        log = start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show",
            name="scheduler",
        )  # fmt: skip
        found.scheduler = wait_for(log, r"(tcp://127\.0\.0\.1:\d+)")
        for number in range(2):
            worker = start(
                "dask_worker", found.scheduler, "--nworkers", "1", "--nthreads", "1",
                "--no-dashboard", "--nanny", "--host", "127.0.0.1", name=f"worker{number}",
            )  # fmt: skip
            wait_for(worker, r"Registered to")
        yield found
    finally:
        for process in found.processes:
            kill_group(process.pid)
            process.wait()


def wait_for(log: Path, pattern: str) -> str:
    for _ in range(600):
        match = re.search(pattern, log.read_text("utf-8", "replace"))
        if match:
            return match[match.lastindex or 0]
        time.sleep(0.05)
    raise AssertionError(f"{log.read_text('utf-8', 'replace')}: {pattern} never came")


def kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def a_sweep(folder: Path, scheduler: str) -> Path:
    (folder / "job.yaml").write_text(
        f"model: {{path: {MODELS / 'squeeze_digits_int8.tflite'}}}\n"
        "board: corstone300_128k\nobjective: {minimise: weighted}\n"
    )
    sweep = folder / "sweep.yaml"
    sweep.write_text(
        "job: job.yaml\nexecutor: dask\n"
        f"scheduler: {scheduler}\n"
        "grid:\n  budget_bytes: {start: 50000, stop: 62000, step: 200}\n"
        "  max_pieces: [2, 3, 5, 8]\n"
    )
    return sweep


def test_a_cluster_loses_a_worker_and_no_point(cluster: Cluster, tmp_path: Path) -> None:
    """Every point once, and the same plans as without a cluster."""
    sweep = a_sweep(tmp_path, cluster.scheduler)
    seen: list[int] = []
    killed = threading.Event()

    def notify(at: Progress) -> None:
        seen.append(at.done)
        if at.done >= 20 and not killed.is_set():
            kill_group(cluster.processes[-1].pid)
            killed.set()

    result = run_sweep(sweep, out=tmp_path / "cluster", notify=notify)
    assert killed.is_set()
    assert len(result.rows) == 244
    ids = [json.loads(line)["id"] for line in (result.folder / "records.jsonl").open()]
    assert len(set(ids)) == len(ids) == 244
    assert not any(row.error for row in result.rows)
    sweep.write_text(re.sub("executor: .*\nscheduler: .*\n", "", sweep.read_text()))
    local = run_sweep(sweep, out=tmp_path / "local")
    figures = ("id", "status", "peak_ram_bytes", "smallest_feasible_budget_bytes")
    assert [[getattr(r, f) for f in figures] for r in result.rows] == [
        [getattr(r, f) for f in figures] for r in local.rows
    ]
    assert seen == sorted(seen)
