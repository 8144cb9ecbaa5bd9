"""A worker process: limits, endings and what is left; nothing that takes this process down."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from limits import seconds
from processes import all_gone

from splitopt.base.errors import ToolError
from splitopt.runtime import worker_process

WORKER_TIMEOUT_S = seconds(20)


def a_worker(
    name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., worker_process.Reply]:
    """A worker module whose `handle(task)` has the body `code`."""
    head = "import os, subprocess, sys, time\nfrom pathlib import Path\nimport numpy as np\n"
    head += "from splitopt.runtime.worker_process import serve\ndef handle(task):\n"
    tail = "sys.exit(serve(Path(sys.argv[1]), handle))\n"
    body = textwrap.indent(textwrap.dedent(code).strip(), "    ")
    (tmp_path / f"{name}.py").write_text(f"{head}{body}\n{tail}")
    monkeypatch.syspath_prepend(tmp_path)

    def run(
        request=None, arrays=None, timeout_s=WORKER_TIMEOUT_S, memory_bytes=1 << 30
    ) -> worker_process.Reply:
        return worker_process.run_worker(
            name, request or {}, arrays or {}, timeout_s=timeout_s, memory_bytes=memory_bytes
        )

    return run


def test_time_limit_kills_the_whole_process_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[int], temporary_folder: Path
) -> None:
    code = """
        task.working_on("a long sleep")
        grandchild = subprocess.Popen(["sleep", "60"])
        Path(task.request["pids"]).write_text(f"[{os.getpid()}, {grandchild.pid}]")
        time.sleep(60)
    """
    run = a_worker("sleeping_worker", code, tmp_path, monkeypatch)
    pids_file = tmp_path / "pids.json"
    with pytest.raises(ToolError, match=r"^a long sleep: took longer than the time limit of 2 s"):
        run({"pids": str(pids_file)}, timeout_s=2)

    pids = json.loads(pids_file.read_text())
    assert pids[0] == started[0]
    assert len(set(pids)) == 2
    assert all_gone(pids)
    assert not list(temporary_folder.iterdir())


def test_an_interrupt_kills_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[int]
) -> None:
    run = a_worker("interrupted_worker", "time.sleep(60)", tmp_path, monkeypatch)
    real_wait, waits = worker_process.subprocess.Popen.wait, []

    def interrupted_once(process, timeout=None):
        waits.append(timeout)
        if len(waits) == 1:
            raise KeyboardInterrupt
        return real_wait(process, timeout)

    monkeypatch.setattr(worker_process.subprocess.Popen, "wait", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert started
    assert all_gone(started)


def test_a_grandchild_does_not_outlive_a_worker_that_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = 'return {"pid": subprocess.Popen(["sleep", "60"]).pid}, {}'
    reply = a_worker("leaving_worker", code, tmp_path, monkeypatch)()
    assert all_gone([reply.json["pid"]])


def test_limits_and_environment_reach_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        import resource
        kinds = (resource.RLIMIT_AS, resource.RLIMIT_CORE, resource.RLIMIT_CPU)
        names = ("OMP_NUM_THREADS", "PYTHONHASHSEED")
        limits = [resource.getrlimit(kind)[0] for kind in kinds]
        return {"limits": limits, "env": [os.environ[name] for name in names]}, {}
    """
    reply = a_worker("limited_worker", code, tmp_path, monkeypatch)()
    cpu_s = math.ceil(WORKER_TIMEOUT_S) + 5
    assert reply.json == {"limits": [1 << 30, 0, cpu_s], "env": ["1", "0"]}


def test_any_array_name_survives_the_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_worker("echo_worker", "return {}, task.arrays", tmp_path, monkeypatch)
    arrays = {"../up": np.arange(3), "file": np.array(1.5), "": np.zeros((0, 2), np.int8)}
    back = run(arrays=arrays).arrays
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os.kill(os.getpid(), 6)", "busy: the process was killed by SIGABRT$"),
        ("os._exit(3)", "busy: the process ended with exit code 3$"),
        ("os._exit(0)", "busy: ended without a reply$"),
        ("bytearray(2 << 30)", r"busy: ran out of memory \(limit 1073741824 bytes\)$"),
        ("raise ValueError('bad\\nthing')", "busy: ValueError: bad thing$"),
        (
            "os.write(2, b'cause \\x1b[31m\\nINFO: noise\\n'); os._exit(3)",
            r"busy: .* exit code 3 \(cause \?\[31m\)$",
        ),
    ],
)
def test_every_ending_is_told_in_one_sentence(
    code: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_worker("ending_worker", f"task.working_on('busy')\n{code}", tmp_path, monkeypatch)
    with pytest.raises(ToolError) as caught:
        run()
    assert re.search(says, str(caught.value))
    assert "\n" not in str(caught.value)


def test_stderr_is_bounded_when_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "os.write(2, b'x' * 100_000 + b'\\nthe end'); os._exit(3)"
    with pytest.raises(ToolError, match=r"\(the end\)") as caught:
        a_worker("loud_worker", code, tmp_path, monkeypatch)()
    assert len(caught.value.__notes__[0]) <= worker_process.STDERR_TAIL_BYTES


def test_a_module_that_cannot_start_is_named() -> None:
    with pytest.raises(ToolError, match=r"^no_such_worker: .*No module named no_such_worker\)"):
        worker_process.run_worker(
            "no_such_worker", {}, {}, timeout_s=WORKER_TIMEOUT_S, memory_bytes=1 << 30
        )
