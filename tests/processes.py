"""Processes that tests start, seen from outside: which ones, and whether they have ended."""

from __future__ import annotations

import time
from pathlib import Path

from limits import seconds


def is_running(pid: int) -> bool:
    """A zombie that nobody has reaped yet counts as dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def all_gone(pids: list[int], within_s: float = 10) -> bool:
    deadline = time.monotonic() + seconds(within_s)
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(is_running, pids))
