"""Runs a command that ends with its parent and keeps to a memory limit.

Started as `bound_process.py BYTES COMMAND...`, by its path: imports only the standard library.
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


def bound_command(command: Sequence[str], memory_bytes: int) -> list[str]:
    """The words that run `command` with this much address space. Linux ends it with its parent."""
    return [sys.executable, "-I", "-S", __file__, str(memory_bytes), *command]


def end_with_parent() -> None:
    """Asks Linux to kill this process when its parent has ended; does nothing elsewhere."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit(kind: int, value: int) -> None:
    """Sets one of `resource`'s limits to `value`, or to the hard limit where that is lower."""
    _, hard = resource.getrlimit(kind)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _main() -> int:
    end_with_parent()
    command = sys.argv[2:]
    limit(resource.RLIMIT_AS, int(sys.argv[1]))
    limit(resource.RLIMIT_CORE, 0)
    try:
        os.execvp(command[0], command)  # noqa: S606 - a list of words, no shell
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(_main())
