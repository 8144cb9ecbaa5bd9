"""Workers that are copies of a process which has imported already what they import.

A process of its own for each request still, in a group, folder and environment of its own, under
the limits that `serve` sets; but none that starts anew. Run as a script, this is the process that
is copied: one for each worker module and the libraries that a request of its kind loads.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from splitopt.runtime import worker_process

HOST = "splitopt.runtime.host_worker"
_TFLM = ("tflite_micro.python.tflite_micro.runtime",)
_LITERT = ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated")
_LIBRARIES = {
    (HOST, "tflm"): _TFLM,
    (HOST, "refusal"): _TFLM,
    (HOST, "litert"): _LITERT,
    (HOST, "litert_ops"): _LITERT,
    ("allocations", None): _TFLM,
    ("splitopt.convert.source_worker", None): ("onnx", "onnxsim"),
    ("splitopt.convert.onnx_worker", "describe"): ("onnx",),
    ("splitopt.convert.onnx_worker", "cut"): ("onnx",),
    ("splitopt.convert.onnx_worker", "run"): ("onnx", "onnxruntime"),
}

in_its_own_interpreter = worker_process.run_in_group
_sockets: dict[tuple[str, tuple[str, ...]], str] = {}
_processes: list[subprocess.Popen[bytes]] = []  # each ends when nobody holds its stdin any more


def install() -> None:
    """From here on, in this process and its copies."""
    worker_process.run_in_group = _run_in_group


def prepare(module: str, libraries: tuple[str, ...]) -> str:
    """The socket of the process that is copied, which is started where there is none."""
    key = module, libraries
    if key not in _sockets:
        address = f"\0splitopt tests {os.getpid()} {len(_sockets)}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(64)
            process = subprocess.Popen(
                [sys.executable, __file__, str(listener.fileno()), module, *libraries],
                env=worker_process._environment(),
                stdin=subprocess.PIPE,
                pass_fds=(listener.fileno(),),
                start_new_session=True,
            )
        _sockets[key] = address
        _processes.append(process)
    return _sockets[key]


def prepare_host() -> None:
    """What most runs of models need, before this process is copied."""
    for libraries in (_TFLM, _LITERT):
        prepare(HOST, libraries)


def _run_in_group(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdout: IO[bytes],
    stderr: IO[bytes],
    timeout_s: float,
) -> int:
    """As the function that it stands in for, for workers of splitopt's own."""
    module = command[2]
    body = json.loads((folder / "request.json").read_text("utf-8"))["body"]
    libraries = _LIBRARIES.get((module, body.get("kind")))
    if libraries is None:
        return in_its_own_interpreter(command, folder, environment, stdout, stderr, timeout_s)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(prepare(module, libraries))
        asked = json.dumps([str(folder), dict(environment)]).encode() + b"\n"
        connection.sendall(asked)
        try:
            connection.settimeout(timeout_s)
            return int(connection.recv(16))
        except (TimeoutError, BlockingIOError):  # the latter of a limit of 0 s
            raise subprocess.TimeoutExpired(command, timeout_s) from None
        finally:
            connection.settimeout(None)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(16):  # the group has ended when the other end is closed
                pass


def _serve(listener: socket.socket, module: str, libraries: Sequence[str]) -> None:
    """Copies itself for each connection, until its stdin is closed."""
    handle = import_module(module).handle
    for library in libraries:
        import_module(library)
    while 0 not in select.select([0, listener], [], [])[0]:
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            _watch(connection, handle)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _watch(connection: socket.socket, handle: Any) -> None:
    """Starts the worker, and ends its group with it or with who asked; never returns."""
    with connection.makefile("rb") as lines:
        folder, environment = json.loads(lines.readline())
    worker = os.fork()
    if not worker:
        connection.close()
        _work(Path(folder), environment, handle)
    ended = os.pidfd_open(worker)
    select.select([ended, connection], [], [])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    with contextlib.suppress(OSError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _work(folder: Path, environment: Mapping[str, str], handle: Any) -> None:
    """In the copy: what a new interpreter would have; never returns."""
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment, TMPDIR=str(folder))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for name, target in (("stdout", 1), ("stderr", 2)):
            os.dup2(os.open(folder / name, os.O_WRONLY), target)
        status = worker_process.serve(folder, handle)
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:])
