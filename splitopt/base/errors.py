"""What can go wrong, in the user's words, each with its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of the signal, as shells have it."""


class SplitoptError(Exception):
    """A failure that a user can act on; its text says where, what was got, and what to do."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.facts: Mapping[str, Any] = {}
        """What a program wants to know beyond the sentence."""


class ThresholdError(SplitoptError):
    """A figure breaks a limit that the caller set (`--fail-on`)."""

    exit_code = 1


class UsageError(SplitoptError):
    """A job, board or option is wrong."""


class ModelError(SplitoptError):
    """A model file is broken, or holds what splitopt does not plan."""


class InfeasibleError(SplitoptError):
    """No plan fits the budget."""

    exit_code = 3


class NotEqualError(SplitoptError):
    """The pieces compute something else than the model."""

    exit_code = 4


class ToolError(SplitoptError):
    """A tool or a target is missing, crashed, or took too long."""

    exit_code = 5
