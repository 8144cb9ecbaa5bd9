"""Ctrl-C while a model is planned: the first ends the planning with what it has, the second all."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

from splitopt.base.ending import interrupt
from splitopt.base.progress import Progress
from splitopt.solvers.interrupt import ask_to_stop, go_on, is_asked_to_stop

_SAYS = "interrupted: ending with the best plan so far (Ctrl-C again stops at once)"


@contextmanager
def ends_on_interrupt(is_wanted: bool, progress: Progress = lambda _: None) -> Iterator[None]:
    """In this block, the first SIGINT asks all solvers to stop; the next raises KeyboardInterrupt.

    Nothing changes where that is not wanted, outside the main thread (which alone may catch
    signals), and where SIGINT is ignored or caught by somebody else. Behind the block, solvers may
    go on, and SIGINT raises KeyboardInterrupt again.
    """
    before = signal.getsignal(signal.SIGINT)
    is_ours = before in (signal.default_int_handler, interrupt)
    if not (is_wanted and is_ours and current_thread() is main_thread()):
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        if is_asked_to_stop():
            raise KeyboardInterrupt
        ask_to_stop()
        progress(_SAYS)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        go_on()
