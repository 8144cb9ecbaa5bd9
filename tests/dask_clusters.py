"""A Dask cluster of processes on this machine, each in a group of its own, for tests to kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from limits import seconds

REPOSITORY = Path(__file__).resolve().parents[1]
_WITHOUT_SPLITOPT = (
    "import sys; sys.modules['splitopt'] = None; from distributed.cli.dask_worker import main; "
    "main()"
)


class Cluster:
    """A scheduler, and workers of two threads as they are asked for."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        module = ("-m", "distributed.cli.dask_scheduler")
        words = ("--host", "127.0.0.1", "--port", "0", "--no-show", *words)
        log = self._start(*module, *words)
        self.scheduler = _wait_for(log, r"Scheduler at: +(tcp://127\.0\.0\.1:\d+)")

    def add_worker(
        self, *, source: Path = REPOSITORY, has_splitopt: bool = True, nanny: bool = False
    ) -> str:
        """Its address. `source`: where it takes splitopt from."""
        module = ("-m", "distributed.cli.dask_worker")
        log = self._start(
            *(module if has_splitopt else ("-c", _WITHOUT_SPLITOPT)),
            self.scheduler, "--nworkers", "1", "--nthreads", "2", "--no-dashboard",
            "--host", "127.0.0.1", "--nanny" if nanny else "--no-nanny", source=source,
        )  # fmt: skip
        _wait_for(log, "Registered to")
        return _wait_for(log, r"Start worker at: +(tcp://127\.0\.0\.1:\d+)")

    def kill(self, number: int) -> None:
        """0 is the scheduler."""
        with suppress(ProcessLookupError):
            os.killpg(self.processes[number].pid, signal.SIGKILL)
        self.processes[number].wait()

    def kill_all(self) -> None:
        for number in range(len(self.processes)):
            self.kill(number)

    def _start(self, *words: str, source: Path = REPOSITORY) -> Path:
        log = self._folder / f"process{len(self.processes)}.log"
        with log.open("wb") as output:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, *words], stdout=output, stderr=output, cwd=self._folder,
                    env={**os.environ, "PYTHONPATH": str(source)}, start_new_session=True,
                )
            )  # fmt: skip
        return log


def _wait_for(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + seconds(60)
    while time.monotonic() < deadline:
        match = re.search(pattern, log.read_text("utf-8", "replace"))
        if match:
            return match[match.lastindex or 0]
        time.sleep(0.05)
    raise AssertionError(f"{log.read_text('utf-8', 'replace')}: {pattern} never came")
