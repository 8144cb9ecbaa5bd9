"""Runs a command whose CPU time is limited and counted."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

GRACE_S = 30
"""CPU seconds beyond the limit before it is stopped: imports, reading, checks."""


@dataclass(frozen=True)
class Ran:
    """`end` is empty where it went well, else says how it ended. `cpu_s` and `memory_mib` are those
    of the process and its children; `first_s`: wall seconds until it first wrote anything."""

    output: str
    end: str
    cpu_s: float
    memory_mib: float
    first_s: float


def bounded(command: Sequence[str], limit_s: float) -> Ran:
    """Runs it in an empty folder; `output` holds stdout and stderr."""
    most_s = int(limit_s) + GRACE_S
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_CPU, (most_s, most_s + 1)),
        )
        assert child.stdout is not None
        first = child.stdout.read(1)
        first_s = time.monotonic() - started_s
        output = (first + child.stdout.read()).decode(errors="replace")
        _, status, usage = os.wait4(child.pid, 0)
        code = child.returncode = os.waitstatus_to_exitcode(status)
    end = ""
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        end = f"STOPPED after {most_s} CPU seconds"
    elif code:
        end = f"FAILED with {code}: {output.strip().rpartition(chr(10))[2]}"
    cpu_s = usage.ru_utime + usage.ru_stime
    return Ran(output, end, cpu_s, usage.ru_maxrss / 1024, first_s)
