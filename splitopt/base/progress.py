"""What a long step calls to say what it does now."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

Progress = Callable[[str], None]


class Heading(str):
    """A step that says what all the following are about: shown at once, and left standing."""

    __slots__ = ()


def within(progress: Progress, task: str) -> Progress:
    """The progress of a part of a task: every step with the task in front."""
    return lambda step: progress(f"{task}: {step}")


def counted(progress: Progress, task: str, total: int) -> Callable[[], None]:
    """To be called for each item of a task: `task: 210 of 12,216`."""
    done = count(1)
    return lambda: progress(f"{task}: {next(done):,} of {total:,}")
