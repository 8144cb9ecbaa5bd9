"""What ends a command from outside: Ctrl-C, and a request to end, raise KeyboardInterrupt."""

from __future__ import annotations

import signal
from types import FrameType

_LATER_S = 0.02
_OF_IMPORTS = "<frozen importlib"


def end_as_after_ctrl_c() -> None:
    """SIGTERM and SIGHUP clean up as Ctrl-C does, unless they are ignored, as nohup has it."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, interrupt)
    signal.signal(signal.SIGALRM, interrupt)


def interrupt(_number: int, frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt; a little later where a module is being imported.

    Extension modules drop it: what Cython writes into them registers types with `except: pass`.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith(_OF_IMPORTS):
            signal.setitimer(signal.ITIMER_REAL, _LATER_S)  # SIGALRM comes back here
            return
        frame = frame.f_back
    raise KeyboardInterrupt
