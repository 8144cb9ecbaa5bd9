"""Workers that are copies of a process which has imported already what they import.

A process of its own for each request still, in a group, folder and environment of its own, under
the limits that `serve` sets; but none that starts anew. Run as a script, this is the process that
is copied: one for each worker module and the libraries that a request of its kind loads, and one
for onnx2tf.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import runpy
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

from splitopt.convert import onnx2tf_adapter
from splitopt.runtime import bound_process, worker_process

CONVERTER, SIMPLIFIER = "onnx2tf", "onnxsim"
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
_BOUND = onnx2tf_adapter.bound_command(onnx2tf_adapter.DEFAULT_COMMAND, 0)
_BYTES = _BOUND.index("0")
_installed_in: list[int] = []
_sockets: dict[tuple[str, tuple[str, ...]], str] = {}
_processes: list[subprocess.Popen[bytes]] = []  # each ends when nobody holds its stdin any more


def install() -> None:
    """From here on, in this process and its copies."""
    worker_process.run_in_group = onnx2tf_adapter.run_in_group = _run_in_group
    _installed_in[:] = [os.getpid()]


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
                env={**worker_process._environment(), "TF_CPP_MIN_LOG_LEVEL": "3"},
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
    """As the function that it stands in for, for workers of splitopt's own and for onnx2tf."""
    source = _source_of(command, folder)
    if source is None:
        return in_its_own_interpreter(command, folder, environment, stdout, stderr, timeout_s)
    connection = begin(source, command, folder, environment, (stdout.name, stderr.name))
    try:
        connection.settimeout(timeout_s)
        return int(connection.recv(16))
    except (TimeoutError, BlockingIOError):  # the latter of a limit of 0 s
        raise subprocess.TimeoutExpired(command, timeout_s) from None
    finally:
        end(connection)


def begin(
    source: str,
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    outputs: tuple[str, str],
) -> socket.socket:
    """Has the process behind `source` copied for the command, which is `python -m` and a module
    that it has loaded. The copy's group ends with `end`, or with this process."""
    asked = {
        "folder": str(folder),
        "environment": dict(environment),
        "outputs": outputs,
        "command": list(command),
    }
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(source)
    connection.sendall(json.dumps(asked).encode() + b"\n")
    return connection


def end(connection: socket.socket) -> None:
    with connection:
        connection.settimeout(None)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(16):  # the group has ended when the other end is closed
            pass


def _source_of(command: Sequence[str], folder: Path) -> str | None:
    """The socket of the process that is copied for this command, if there is to be one."""
    if _is_converter(command):
        if (CONVERTER, (SIMPLIFIER,)) not in _sockets and os.getpid() not in _installed_in:
            return None  # what a copy of the tests' process prepares would be used once
        return prepare(CONVERTER, (SIMPLIFIER,))
    if list(command[:2]) != [sys.executable, "-m"]:
        return None
    body = json.loads((folder / "request.json").read_text("utf-8"))["body"]
    libraries = _LIBRARIES.get((command[2], body.get("kind")))
    return None if libraries is None else prepare(command[2], libraries)


def _is_converter(command: Sequence[str]) -> bool:
    words = list(command[: len(_BOUND)])
    return [*words[:_BYTES], "0", *words[_BYTES + 1 :]] == _BOUND


def _serve(listener: socket.socket, module: str, libraries: Sequence[str]) -> None:
    """Copies itself for each connection, until its stdin is closed."""
    for name in (module, *libraries):
        import_module(name)
    while 0 not in select.select([0, listener], [], [])[0]:
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            _watch(connection)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _watch(connection: socket.socket) -> None:
    """Starts the worker, and ends its group with it or with who asked; never returns."""
    with connection.makefile("rb") as lines:
        asked = json.loads(lines.readline())
    worker = os.fork()
    if not worker:
        connection.close()
        _work(asked)
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


def _work(asked: Mapping[str, Any]) -> None:
    """In the copy: what a new interpreter would have; never returns."""
    status = 1
    try:
        os.setsid()
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"], TMPDIR=asked["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for target, name in enumerate(asked["outputs"], 1):
            os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), target)
        status = _serve_request(asked["command"], Path(asked["folder"]))
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _serve_request(command: list[str], folder: Path) -> int:
    """The exit code of a worker, of another program, or of onnx2tf within its bound."""
    if not _is_converter(command):
        _, _, module, *words = command
        handle = getattr(import_module(module), "handle", None)
        return worker_process.serve(folder, handle) if handle else _run(module, words)
    bound_process.limit(resource.RLIMIT_AS, int(command[_BYTES]))
    subprocess.check_output = _simplified  # type: ignore[assignment]
    return _run(CONVERTER, command[len(_BOUND) :])


def _simplified(command: list[str], **how: Any) -> bytes:
    """What onnxsim prints, which onnx2tf starts as a program, three times a model and more."""
    if command[0] != SIMPLIFIER:
        return subprocess.run(command, stdout=subprocess.PIPE, check=True, **how).stdout
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exit_code = _run(SIMPLIFIER, command[1:])
    if exit_code:
        raise subprocess.CalledProcessError(exit_code, command)
    return printed.getvalue().encode()


def _run(module: str, words: list[str]) -> int:
    """The exit code of `python -m module` with these words."""
    kept, sys.argv = sys.argv, [module, *words]
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = kept
    return 0


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:])
