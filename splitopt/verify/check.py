"""A check: one comparison of what was run, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from splitopt.graph.model import ModelGraph

VARIED = "varied_outputs"
"""The check that warns where the unsplit model gives the same for all inputs."""


class CheckStatus(StrEnum):
    """How a check ended. WARNING: something differs, and the pieces are not the cause, or passed
    checks prove little; SKIPPED: it could not be made."""

    PASSED = "passed"
    FAILED = "failed"
    WARNING = "warning"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: what with what, on how many inputs, and how far apart at worst.

    `worst_difference` is in LSB of integers, in absolute value for floats.
    """

    name: str
    status: CheckStatus
    compared: str
    inputs: int
    worst_difference: float
    detail: str = ""

    @classmethod
    def skipped(cls, name: str, compared: str, why: str) -> Check:
        return cls(name, CheckStatus.SKIPPED, compared, 0, 0, why)


def named_tensor(graph: ModelGraph, tensor: int) -> str:
    return f"tensor {tensor} {graph.tensors[tensor].name!r}"
