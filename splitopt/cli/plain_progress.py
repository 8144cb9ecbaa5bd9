"""What is under way, as lines for pipes and logs: the first after a second, then one in a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from splitopt.base.progress import Heading

FIRST_S, EVERY_S = 1.0, 5.0


@contextmanager
def plain_progress(write: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Takes steps as they come; writes `[12 s] the latest of them`, once every five seconds, and
    headings at once.

    A thread writes, so that a step that never reports is named, too.
    """
    latest, is_over, started = ["starting"], Event(), time.monotonic()

    def lines() -> None:
        wait_s = FIRST_S
        while not is_over.wait(wait_s):
            show()
            wait_s = EVERY_S

    def show() -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more
            write(f"[{time.monotonic() - started:.0f} s] {latest[0]}")

    def say(step: str) -> None:
        latest[0] = step
        if isinstance(step, Heading):
            show()

    writer = Thread(target=lines, name="progress", daemon=True)
    writer.start()
    try:
        yield say
    finally:
        is_over.set()
        writer.join()
