"""One process at a time works on a sweep; the others wait for it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

Waiting = Callable[[str], None]


@contextmanager
def alone_in(folder: Path, waiting: Waiting) -> Iterator[bool]:
    """Holds the lock of a folder, which need not exist; True if another process held it before.

    `waiting` is told who that is. The lock is a file beside the folder, which is gone when nobody
    holds or wants it; the system frees it when its holder dies. Raises OSError.
    """
    path = folder.with_name(f"{folder.name}.lock")
    holder = folder.with_name(f"{folder.name}.holder")
    lock = FileLock(path)
    has_waited = False
    try:
        lock.acquire(blocking=False)
    except Timeout:
        has_waited = True
        waiting(f"waiting for {_read(holder)}, which runs this sweep")
        lock.acquire()
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()}", "utf-8")
        yield has_waited
    finally:
        holder.unlink(missing_ok=True)
        path.unlink(missing_ok=True)  # while it is held: who waits for it sees that it is gone
        lock.release()


def _read(holder: Path) -> str:
    try:
        return holder.read_text("utf-8") or "another process"
    except OSError:
        return "another process"
