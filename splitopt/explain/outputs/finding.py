"""What a diagnosis says: findings with where, evidence and next step, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Figure = float | int | str | None | Sequence[float] | Sequence[int]


class Severity(StrEnum):
    """FAULT: outputs are wrong because of it. WARNING: it may become one. NOTE: worth knowing."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


@dataclass(frozen=True)
class Finding:
    """One thing found. `code` is stable, for programs; `figures` are the numbers of `evidence`.

    `tensors` and `pieces`: what it concerns, as indices of the whole model and of the plan.
    """

    code: str
    severity: Severity
    title: str
    where: str
    evidence: tuple[str, ...]
    next_step: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tensors: tuple[int, ...] = ()
    pieces: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity.value,
            "title": self.title,
            "where": self.where,
            "evidence": list(self.evidence),
            "next_step": self.next_step,
            "figures": {key: plain(value) for key, value in self.figures.items()},
            "tensors": list(self.tensors),
            "pieces": list(self.pieces),
        }


def by_severity(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Worst first; of equal severity in the order they were found."""
    return tuple(sorted(findings, key=lambda finding: finding.severity.rank))


def plain(value: Any) -> Any:
    """What JSON can hold: None for numbers that are not finite."""
    if isinstance(value, float):
        return round(value, 9) if math.isfinite(value) else None
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
