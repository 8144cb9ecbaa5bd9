"""Work done in a child process, which may crash, hang or run out of memory without harm.

`run_worker` is called by the parent, `serve` by the worker; neither knows anything of models.
Request and reply are a JSON document and arrays in files of a temporary folder. Arrays are stored
by position, so a name may be any string.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from splitopt.base.errors import ToolError
from splitopt.base.owned_folder import scratch_folder
from splitopt.runtime.bound_process import Lifeline, end_with_parent, limit

Array = npt.NDArray[Any]
Request = Mapping[str, Any]

STDERR_TAIL_BYTES = 4096
_SENTENCE_CHARS = 400
_CPU_GRACE_S = 5
_LAST_LINES = 3
_NOISE = ("INFO:", "WARNING:", "I0000", "W0000")
_OUT_OF_MEMORY = ("MemoryError", "bad_alloc", "Cannot allocate memory")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Reply:
    """What a worker returned: a JSON object, and arrays by name."""

    json: dict[str, Any]
    arrays: dict[str, Array]


@dataclass(frozen=True)
class Task:
    """The request as the worker sees it, and the folder in which it notes what it works on."""

    request: dict[str, Any]
    arrays: dict[str, Array]
    folder: Path

    def working_on(self, subject: str) -> None:
        """Notes what an error message must name if the process dies from here on."""
        (self.folder / "subject").write_text(subject, encoding="utf-8")

    def said(self) -> list[str]:
        """The last lines that libraries of this process wrote to stderr, plain."""
        lines = [line.strip() for line in _stderr_tail(self.folder).splitlines()]
        useful = [
            _one_line(line).rstrip(".") for line in lines if line and not line.startswith(_NOISE)
        ]
        return list(dict.fromkeys(useful))[-_LAST_LINES:]


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
    returns or raises, its process group has ended and its folder is deleted.
    Raises ToolError saying what the worker was doing and how it ended; the last 4 KB of its
    stderr are the exception's note.
    """
    with scratch_folder("worker") as folder:
        limits = {"memory_bytes": memory_bytes, "cpu_s": math.ceil(timeout_s) + _CPU_GRACE_S}
        _write(folder, "request", {"limits": limits, "body": dict(request)}, arrays)
        exit_code = _run_group(module, folder, timeout_s)
        return _read_reply(module, folder, exit_code, memory_bytes)


def _run_group(module: str, folder: Path, timeout_s: float) -> int:
    """Exit code of the worker; negative: the signal that ended it."""
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
    """Exit code of a command in a process group of its own, all of which has ended on return.

    The group ends with this process, too, where the command is a `bound_command` or calls
    `serve`; its temporary files go to `folder`.
    Raises OSError where it cannot be started, subprocess.TimeoutExpired.
    """
    with contextlib.closing(Lifeline()) as lifeline:
        process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
            command,
            cwd=folder,
            env={**environment, **lifeline.environment, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            pass_fds=(lifeline.read_end,),
        )
        try:
            lifeline.tie_group(process.pid)
            return process.wait(timeout_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environment() -> dict[str, str]:
    """The worker imports what this process would, but never from the working folder."""
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
    doing = subject.read_text(encoding="utf-8") if subject.exists() else module
    last_line = _last_useful_line(stderr)
    said = f" ({last_line})" if last_line else ""
    error = ToolError(f"{_one_line(doing)}: {_one_line(what)}{said}")
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
    """Without control characters: a model's names reach these messages, and a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def serve(
    folder: Path, handle: Callable[[Task], tuple[dict[str, Any], Mapping[str, Array]]]
) -> int:
    """Answers the request in `folder` under its limits; returns the process's exit code."""
    end_with_parent()
    request = _read_json(folder, "request")
    limits = request["limits"]
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, limits["cpu_s"])
    limit(resource.RLIMIT_FSIZE, limits["memory_bytes"])
    limit(resource.RLIMIT_AS, limits["memory_bytes"])
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


def _refuse(folder: Path, sentence: str) -> int:
    (folder / "error").write_text(sentence, encoding="utf-8", errors="replace")
    return 1


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
