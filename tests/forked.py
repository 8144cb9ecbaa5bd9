"""The command line in a copy of the test's process, which has loaded already what commands import.

A process of its own, with its own files, folder, arguments and memory, but none that starts anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO

from prepared_workers import prepare_host

MAIN = "from splitopt.cli.app import main\nmain()"
LOADED = (
    *(f"splitopt.workflows.{name}" for name in ("run", "explain", "report", "pack", "doctor")),
    *("splitopt.workflows.sweep.sweep", "splitopt.workflows.export.exported"),
    *("splitopt.bundle.run_index", "splitopt.report.compare", "splitopt.solvers.partition.cpsat"),
    *("networkx", "rich.table", "typer._adapters"),
)


@cache
def _load() -> None:
    """Before the first copy. Not `splitopt.cli.console`, which reads COLUMNS when it is loaded."""
    for name in LOADED:
        import_module(name)
    prepare_host()


def run_forked(
    code: str, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """The code to its end, as `python -c`. Raises subprocess.TimeoutExpired."""
    _load()
    with tempfile.TemporaryFile("w+b") as stdout, tempfile.TemporaryFile("w+b") as stderr:
        process = os.fork()
        if not process:
            _become(code, arguments, cwd, environment, (stdout.fileno(), stderr.fileno()))
        exit_code = _wait(process, timeout_s)
        texts = [_text(file) for file in (stdout, stderr)]
    return subprocess.CompletedProcess(list(arguments), exit_code, *texts)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return io.TextIOWrapper(io.BytesIO(file.read())).read()  # line ends as subprocess has them


def _wait(process: int, timeout_s: float) -> int:
    descriptor = os.pidfd_open(process)
    try:
        ended, _, _ = select.select([descriptor], [], [], timeout_s)
    except BaseException:  # a time limit of pytest
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise
    finally:
        os.close(descriptor)
    if not ended:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if not ended:
        raise subprocess.TimeoutExpired("splitopt", timeout_s)
    return os.waitstatus_to_exitcode(status)


def _become(
    code: str,
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    outputs: tuple[int, int],
) -> None:
    """In the copy: what a new interpreter would have; never returns."""
    status = 1
    try:
        os.chdir(cwd)
        os.environ.update(environment)
        for signal_number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signal_number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), *outputs)):
            os.dup2(source, target)
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
        sys.argv = ["-c", *arguments]
        sys.modules["__main__"] = ModuleType("__main__")
        for name in [name for name in sys.modules if name.startswith("splitopt.cli")]:
            del sys.modules[name]  # a test may have loaded and used commands
        status = _exit_code(code)
        threading._shutdown()  # type: ignore[attr-defined]
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        status = 120
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _exit_code(code: str) -> int:
    try:
        exec(compile(code, "<test>", "exec"), vars(sys.modules["__main__"]))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
