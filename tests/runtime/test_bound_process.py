"""Programs of others: they end with us, however we end, and keep to their memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import all_gone

from splitopt.runtime.bound_process import bound_command

PARENT = """
import subprocess, sys
from splitopt.runtime.bound_process import bound_command
child = subprocess.Popen(bound_command(["sleep", "60"], 1 << 30), start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_command_ends_with_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    while Path(f"/proc/{child}/comm").read_text("utf-8").strip() != "sleep":
        time.sleep(0.01)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert all_gone([child])


TREE = """
import os, sys
from pathlib import Path
from splitopt.runtime.bound_process import bound_command
from splitopt.runtime.worker_process import run_in_group
with open(os.devnull, "wb") as nowhere:
    words = ["sh", "-c", "echo $$ > pids; sleep 60 & echo $! >> pids; sleep 60"]
    print("started", flush=True)
    run_in_group(bound_command(words, 1 << 30), Path(sys.argv[1]), os.environ, nowhere, nowhere, 60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
@pytest.mark.parametrize("after_ms", [0, 1, 3, 10, 100])
def test_grandchildren_end_with_a_parent_that_was_killed(after_ms: int, tmp_path: Path) -> None:
    """Also where it dies before its child could ask for that."""
    parent = subprocess.Popen([sys.executable, "-c", TREE, tmp_path], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    time.sleep(after_ms / 1000)
    parent.kill()
    parent.wait()
    time.sleep(0.3)
    pids = tmp_path / "pids"
    assert all_gone([int(pid) for pid in pids.read_text().split()] if pids.exists() else [])


POOL = """
import time
from os_pid import slow_pid
from multiprocessing import get_context
from concurrent.futures import ProcessPoolExecutor
from splitopt.runtime.bound_process import Lifeline
lifeline = Lifeline()
pool = ProcessPoolExecutor(2, get_context("fork"), lifeline.tie_self)
pids = set()
while len(pids) < 2:
    pids |= set(pool.map(slow_pid, range(4)))
print(*pids, flush=True)
pool.submit(time.sleep, 60)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_pool_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "os_pid.py").write_text(
        "import os, time\ndef slow_pid(_):\n    time.sleep(0.2)\n    return os.getpid()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", POOL], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    assert all_gone(pids)


def test_memory_is_bounded() -> None:
    hungry = [sys.executable, "-c", "bytearray(1 << 30)"]
    done = subprocess.run(
        bound_command(hungry, 512 << 20), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "MemoryError" in done.stderr


def test_a_command_that_is_absent_is_named() -> None:
    words = bound_command(["no-such-program"], 1 << 30)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (127, "no-such-program: No such file or directory\n")
