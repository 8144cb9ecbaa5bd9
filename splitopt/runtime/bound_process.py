"""Runs a command that ends with its parent and keeps to a memory limit.

Started as `bound_process.py BYTES COMMAND...`, by its path: imports only the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_NOT_FOUND = 127
_LIFELINE = "SPLITOPT_LIFELINE"


class Lifeline:
    """A pipe whose write end this process alone holds: when it ends, however that comes about,
    Linux kills all that is tied to the read end.

    PR_SET_PDEATHSIG alone misses grandchildren, and a child whose parent was gone before it asked.
    """

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()

    @property
    def environment(self) -> dict[str, str]:
        """What tells a child which of its descriptors is the read end."""
        return {_LIFELINE: str(self.read_end)}

    def tie_group(self, leader: int) -> None:
        """Called by the parent: the process group of a child that inherited the read end."""
        with contextlib.suppress(OSError):
            _kill_at_end(self.read_end, -leader)

    def tie_self(self) -> None:
        """Called by a forked child, of which many may share the pipe: this process alone."""
        end_with_parent()
        os.close(self._write_end)
        _leave_if_alone(self.read_end)
        with contextlib.suppress(OSError):
            own = os.open(f"/proc/self/fd/{self.read_end}", os.O_RDONLY | os.O_NONBLOCK)
            _kill_at_end(own, os.getpid())  # `own` stays open for good
        _leave_if_alone(self.read_end)

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self._write_end)


def _kill_at_end(read_end: int, owner: int) -> None:
    """Has Linux send SIGKILL to a process, or to the group -owner, when the write end closes."""
    fcntl.fcntl(read_end, fcntl.F_SETOWN, owner)
    fcntl.fcntl(read_end, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(read_end, fcntl.F_SETFL, fcntl.fcntl(read_end, fcntl.F_GETFL) | os.O_ASYNC)


def _leave_if_alone(read_end: int) -> None:
    """Ends this process where nobody holds the write end any more."""
    watched = select.poll()
    watched.register(read_end, select.POLLIN)
    if any(event & select.POLLHUP for _, event in watched.poll(0)):
        os._exit(1)


def bound_command(command: Sequence[str], memory_bytes: int) -> list[str]:
    """The words that run `command` with this much address space. Linux ends it with its parent."""
    return [sys.executable, "-I", "-S", __file__, str(memory_bytes), *command]


def end_with_parent() -> None:
    """Asks Linux to kill this process when its parent has ended; does nothing elsewhere."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(KeyError, ValueError, OSError):
        _leave_if_alone(int(os.environ[_LIFELINE]))


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
