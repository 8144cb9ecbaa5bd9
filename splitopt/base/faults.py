"""Faults of splitopt itself: one sentence for the person, and a file with the details."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from splitopt.base.text import clean_lines, one_line
from splitopt.base.version import VERSION

FAULT = 70
"""Exit code, after sysexits.h: EX_SOFTWARE."""
_MOST_CHARS = 1 << 20
_SAID_CHARS = 300


def fault_sentence(error: BaseException) -> str:
    """What happened, and where the traceback was written."""
    said = one_line(f"{type(error).__name__}: {error}".removesuffix(": "))[:_SAID_CHARS]
    if isinstance(error, MemoryError):
        said = "out of memory"
    try:
        details = f"details in {_write_details(error)}"
    except OSError as why:
        details = f"details could not be written ({why.strerror})"
    return f"a fault of splitopt itself ({said}); {details}; please report it"


def _write_details(error: BaseException) -> Path:
    """The file, in `$XDG_STATE_HOME/splitopt` (`~/.local/state/splitopt`), or in TMPDIR where that
    cannot be written. Raises OSError."""
    trace = "".join(traceback.format_exception(error))[-_MOST_CHARS:]
    words = f"splitopt {VERSION}, Python {platform.python_version()}, {platform.platform()}"
    text = clean_lines(f"{words}\ncommand: {sys.argv}\n\n{trace}")
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    home = os.environ.get("XDG_STATE_HOME")
    state = (Path(home) if home else Path.home() / ".local" / "state") / "splitopt"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _new_file(state, stamp, text)
    except (OSError, RuntimeError):  # RuntimeError: no home folder
        return _new_file(Path(tempfile.gettempdir()), stamp, text)


def _new_file(folder: Path, stamp: str, text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f"splitopt-fault-{stamp}-", suffix=".txt", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)
