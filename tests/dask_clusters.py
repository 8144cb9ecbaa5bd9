"""A Dask cluster of processes on this machine, each in a group of its own, for tests to kill.

Those that are as a user's are copies of one that has loaded Dask and splitopt already.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import prepared_workers
from limits import seconds

REPOSITORY = Path(__file__).resolve().parents[1]
_SCHEDULER, _WORKER = (f"distributed.cli.dask_{kind}" for kind in ("scheduler", "worker"))
_LIBRARIES = (_WORKER, "splitopt.workflows.sweep.task")
_WITHOUT_SPLITOPT = (
    "import sys; sys.modules['splitopt'] = None; from distributed.cli.dask_worker import main; "
    "main()"
)


class Cluster:
    """A scheduler, and workers of two threads as they are asked for."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._folder = folder
        self._ends: list[Callable[[], None]] = []
        words = ("--host", "127.0.0.1", "--port", "0", "--no-show", *words)
        log = self._copy(_SCHEDULER, *words)
        self.scheduler = _wait_for(log, r"Scheduler at: +(tcp://127\.0\.0\.1:\d+)")

    def add_worker(self, *, source: Path = REPOSITORY, has_splitopt: bool = True) -> str:
        """Its address. `source`: where it takes splitopt from."""
        words = (
            self.scheduler, "--nworkers", "1", "--nthreads", "2", "--no-dashboard",
            "--host", "127.0.0.1", "--no-nanny",
        )  # fmt: skip
        if not has_splitopt:
            log = self._start("-c", _WITHOUT_SPLITOPT, *words)
        elif source != REPOSITORY:
            log = self._start("-m", _WORKER, *words, source=source)
        else:
            log = self._copy(_WORKER, *words)
        _wait_for(log, "Registered to")
        return _wait_for(log, r"Start worker at: +(tcp://127\.0\.0\.1:\d+)")

    def kill(self, number: int) -> None:
        """0 is the scheduler."""
        kill, self._ends[number] = self._ends[number], lambda: None
        kill()

    def kill_all(self) -> None:
        for number in range(len(self._ends)):
            self.kill(number)

    def _log(self) -> Path:
        log = self._folder / f"process{len(self._ends)}.log"
        log.touch()
        return log

    def _copy(self, module: str, *words: str) -> Path:
        log, source = self._log(), prepared_workers.prepare(_SCHEDULER, _LIBRARIES)
        command = (sys.executable, "-m", module, *words)
        outputs = str(log), str(log)
        copy = prepared_workers.begin(source, command, self._folder, os.environ, outputs)
        self._ends.append(partial(prepared_workers.end, copy))
        return log

    def _start(self, *words: str, source: Path = REPOSITORY) -> Path:
        log = self._log()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *words], stdout=output, stderr=output, cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(source)}, start_new_session=True,
            )  # fmt: skip
        self._ends.append(partial(_kill, process))
        return log


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for(log: Path, pattern: str) -> str:
    deadline = time.monotonic() + seconds(60)
    while time.monotonic() < deadline:
        match = re.search(pattern, log.read_text("utf-8", "replace"))
        if match:
            return match[match.lastindex or 0]
        time.sleep(0.05)
    raise AssertionError(f"{log.read_text('utf-8', 'replace')}: {pattern} never came")
