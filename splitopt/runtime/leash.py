"""Runs a command that dies with its parent and keeps to its memory: `leash.py BYTES COMMAND...`.

A script by itself: it is run by its path, and imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_NOT_FOUND = 127


def leashed(command: Sequence[str], memory_bytes: int) -> list[str]:
    """The words that run `command` with this much address space. Linux ends it with its parent."""
    return [sys.executable, "-I", "-S", __file__, str(memory_bytes), *command]


def _main() -> int:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    most, command = int(sys.argv[1]), sys.argv[2:]
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        os.execvp(command[0], command)  # noqa: S606 - a list of words, no shell
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(_main())
