"""Folders that one process owns while it lives, each with a lock beside it that says so.

A killed process cannot delete what it made, but its locks are let go: whoever comes next deletes
folders whose lock is free. Process ids are not asked: another container has its own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from splitopt.base.errors import ToolError

_LOCK = ".lock"
_WAIT_S = 10.0


@contextmanager
def owned_folder(home: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `home`, mode 700, deleted when the block is left unless it was renamed.

    Its lock is held before it exists and until it is gone, so a free lock means an orphan.
    Raises OSError where `home` cannot be written.
    """
    from filelock import FileLock

    folder = home / f"{prefix}{secrets.token_hex(6)}"
    lock = home / f"{folder.name}{_LOCK}"
    with FileLock(lock, timeout=_WAIT_S):
        try:
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)  # whoever waits for it sees that it has no name any more


def remove_orphans(home: Path, prefix: str) -> None:
    """Deletes the folders of that prefix in `home` whose owners have ended."""
    from filelock import FileLock, Timeout

    for name in sorted({entry.name.removesuffix(_LOCK) for entry in home.glob(f"{prefix}*")}):
        lock = home / f"{name}{_LOCK}"
        with suppress(Timeout, OSError), FileLock(lock, timeout=0):
            shutil.rmtree(home / name, ignore_errors=True)
            lock.unlink(missing_ok=True)


@contextmanager
def scratch_folder(purpose: str = "work") -> Iterator[Path]:
    """A temporary folder below `scratch_home()`; the first one of a process sweeps that place.

    Raises ToolError where there is none to be had.
    """
    home = scratch_home()
    _sweep_once(home)
    with owned_folder(home, f"{purpose}-") as folder:
        yield folder


def scratch_home() -> Path:
    """`$TMPDIR/splitopt-UID`, which nobody else can read. Raises ToolError."""
    home = Path(tempfile.gettempdir()) / f"splitopt-{os.getuid()}"
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        found = home.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ToolError(f"{home}: not a folder of yours; set TMPDIR to another place")
        if found.st_mode & 0o077:
            home.chmod(0o700)
    except OSError as error:
        raise ToolError(
            f"{home}: cannot be written ({error.strerror}); set TMPDIR to another place"
        ) from error
    return home


@cache
def _sweep_once(home: Path) -> None:
    remove_orphans(home, "")
