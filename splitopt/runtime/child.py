"""A child process that may crash, hang or eat memory: both ends of the talk with it.

`run_worker` is the parent's end, `serve` the worker's. Knows nothing of models.
Request and reply are a JSON document and arrays in files of a temporary folder; arrays are filed
by position, so a name may be any text.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from splitopt.base.errors import ToolError

Array = npt.NDArray[Any]
Request = Mapping[str, Any]

STDERR_TAIL_BYTES = 4096
_SENTENCE_CHARS = 400
_CPU_GRACE_S = 5
_NOISE = ("INFO:", "WARNING:", "I0000", "W0000")
_OUT_OF_MEMORY = ("MemoryError", "bad_alloc", "Cannot allocate memory")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Reply:
    """What a worker made: a JSON object, and arrays by name."""

    json: dict[str, Any]
    arrays: dict[str, Array]


@dataclass(frozen=True)
class Task:
    """What a worker is asked, and the folder in which it says what it is doing."""

    request: dict[str, Any]
    arrays: dict[str, Array]
    folder: Path

    def working_on(self, subject: str) -> None:
        """Names what to blame if the process dies now."""
        (self.folder / "subject").write_text(subject, encoding="utf-8")


def run_worker(
    module: str,
    request: Request,
    arrays: Mapping[str, Array],
    *,
    timeout_s: float,
    memory_bytes: int,
) -> Reply:
    """The reply of `python -m module FOLDER`, which must call `serve`.

    The worker gets `memory_bytes` of address space and `timeout_s` of wall time. When this
    returns or raises, its process group is dead and its folder gone.
    Raises: ToolError saying what the worker was busy with and how it ended; the last 4 KB of
    its stderr are the exception's note.
    """
    with tempfile.TemporaryDirectory(prefix="splitopt-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        limits = {
            "memory_bytes": memory_bytes,
            "cpu_s": math.ceil(timeout_s) + _CPU_GRACE_S,
        }
        _write(folder, "request", {"limits": limits, "body": dict(request)}, arrays)
        exit_code = _run_group(module, folder, timeout_s)
        return _read_reply(module, folder, exit_code, memory_bytes)


def _run_group(module: str, folder: Path, timeout_s: float) -> int:
    """Exit code of the worker (minus the signal's number if one killed it)."""
    command = [sys.executable, "-m", module, str(folder)]
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        try:
            return run_in_group(command, folder, _environment(), stdout, stderr, timeout_s)
        except subprocess.TimeoutExpired:
            what = f"took longer than the time limit of {timeout_s:g} s"
            raise _failure(module, folder, what) from None


def run_in_group(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdout: IO[bytes],
    stderr: IO[bytes],
    timeout_s: float,
) -> int:
    """Exit code of a command in a process group of its own, which is dead when this is left.

    Raises: OSError where it cannot be started, subprocess.TimeoutExpired.
    """
    process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        return process.wait(timeout_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment() -> dict[str, str]:
    """Imports resolve as they do here, but never from the working folder."""
    package_root = Path(__file__).resolve().parents[2]
    search = [entry for entry in sys.path if entry] + [str(package_root)]
    fixed = {"PYTHONPATH": os.pathsep.join(search), "PYTHONSAFEPATH": "1", "PYTHONHASHSEED": "0"}
    return {**os.environ, **fixed, **dict.fromkeys(_ONE_THREAD, "1")}


def _read_reply(module: str, folder: Path, exit_code: int, memory_bytes: int) -> Reply:
    error = folder / "error"
    if error.exists():
        raise _failure(module, folder, error.read_text(encoding="utf-8"))
    if exit_code != 0:
        raise _failure(module, folder, _ending(exit_code, _stderr_tail(folder), memory_bytes))
    if not (folder / "reply.json").exists():
        raise _failure(module, folder, "ended without a reply")
    return Reply(_read_json(folder, "reply")["body"], _read_arrays(folder, "reply"))


def _ending(exit_code: int, stderr: str, memory_bytes: int) -> str:
    if any(sign in stderr for sign in _OUT_OF_MEMORY):
        return _out_of_memory(memory_bytes)
    if exit_code > 0:
        return f"the process ended with exit code {exit_code}"
    if -exit_code == signal.SIGXCPU:
        return "took more processor time than the time limit allows"
    with contextlib.suppress(ValueError):
        return f"the process was killed by {signal.Signals(-exit_code).name}"
    return f"the process was killed by signal {-exit_code}"


def _out_of_memory(memory_bytes: int) -> str:
    return f"ran out of memory (limit {memory_bytes} bytes)"


def _failure(module: str, folder: Path, what: str) -> ToolError:
    stderr = _stderr_tail(folder)
    subject = folder / "subject"
    blamed = subject.read_text(encoding="utf-8") if subject.exists() else module
    last_line = _last_useful_line(stderr)
    said = f" ({last_line})" if last_line else ""
    error = ToolError(f"{_one_line(blamed)}: {_one_line(what)}{said}")
    if stderr:
        error.add_note(stderr)
    return error


def _stderr_tail(folder: Path) -> str:
    with (folder / "stderr").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - STDERR_TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(map(_printable, lines)).strip()


def _last_useful_line(text: str) -> str:
    lines = (line.strip() for line in reversed(text.splitlines()))
    return next((_one_line(line) for line in lines if line and not line.startswith(_NOISE)), "")


def _one_line(text: str) -> str:
    line = _printable(" ".join(text.split()))
    return line if len(line) <= _SENTENCE_CHARS else line[:_SENTENCE_CHARS] + "..."


def _printable(text: str) -> str:
    """A model's names reach these texts: none of them may steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def serve(
    folder: Path, handle: Callable[[Task], tuple[dict[str, Any], Mapping[str, Array]]]
) -> int:
    """Answers the request in `folder` under its limits; returns the process's exit code."""
    _die_with_parent()
    request = _read_json(folder, "request")
    limits = request["limits"]
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, limits["cpu_s"])
    _limit(resource.RLIMIT_FSIZE, limits["memory_bytes"])
    _limit(resource.RLIMIT_AS, limits["memory_bytes"])
    try:
        task = Task(request["body"], _read_arrays(folder, "request"), folder)
        body, arrays = handle(task)
        _write(folder, "reply", {"body": body}, arrays)
    except MemoryError:
        return _refuse(folder, _out_of_memory(limits["memory_bytes"]))
    except ToolError as error:
        return _refuse(folder, str(error))
    except Exception as error:
        return _refuse(folder, f"{type(error).__name__}: {error}")
    return 0


def _die_with_parent() -> None:
    """Asks Linux to kill this worker when its parent is gone; elsewhere its CPU limit ends it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _refuse(folder: Path, sentence: str) -> int:
    (folder / "error").write_text(sentence, encoding="utf-8", errors="replace")
    return 1


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _write(
    folder: Path, stem: str, document: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    with (folder / f"{stem}.npz").open("wb") as file:
        np.savez(file, *arrays.values(), allow_pickle=False)
    text = json.dumps({**document, "names": list(arrays)})
    (folder / f"{stem}.json").write_text(text, encoding="utf-8")


def _read_json(folder: Path, stem: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
    return document


def _read_arrays(folder: Path, stem: str) -> dict[str, Array]:
    names = _read_json(folder, stem)["names"]
    with np.load(folder / f"{stem}.npz", allow_pickle=False) as file:
        return {name: file[f"arr_{position}"] for position, name in enumerate(names)}
