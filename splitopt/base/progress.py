"""What a long step calls to say what it does now."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]


class Heading(str):
    """A step that says what all the following are about: shown at once, and left standing."""

    __slots__ = ()


def within(progress: Progress, task: str) -> Progress:
    """The progress of a part of a task: every step with the task in front."""
    return lambda step: progress(f"{task}: {step}")
