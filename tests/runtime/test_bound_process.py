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
