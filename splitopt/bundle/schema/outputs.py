"""What is explained of a run's outputs: findings, each piece and each boundary by itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from splitopt.bundle.schema.common import Count, Index, Line, Long, Number, Op, Shape, Text

EQUAL_DB = 200.0
RIGHT_DB = 25.0
"""From here on two int8 computations of the same thing count as one: 6 % of the signal apart."""
WRONG_DB = 15.0
"""Below this they do not: more than 18 % of the signal apart."""
_FEW_LSB = 1.5
_LARGEST = 1e300


def _plain(value: Any) -> Any:
    """What JSON can hold: None for numbers that are not finite or huge, tuples for lists."""
    if isinstance(value, float):
        return round(value, 9) if abs(value) <= _LARGEST else None
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


Plain = BeforeValidator(_plain)
Finite = Annotated[Number | None, Plain]
Figure = Annotated[int | Number | Text | tuple[int | Number | None, ...] | None, Plain]


class Severity(StrEnum):
    """FAULT: outputs are wrong because of it. WARNING: it may become one. NOTE: worth knowing."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Finding(Shape):
    """One thing found. `code` is stable, for programs; `figures` are the numbers of `evidence`.

    `tensors` and `pieces`: what it concerns, as indices of the whole model and of the plan.
    """

    code: Line
    severity: Annotated[Severity, Field(strict=False)]
    title: Long
    where: Long
    evidence: tuple[Long, ...]
    next_step: Long
    figures: dict[Line, Figure] = Field(default={})
    tensors: tuple[Index, ...] = ()
    pieces: tuple[Op, ...] = ()


class Difference(Shape):
    """How far values are from the whole model's, both as real values; `lsb` counts steps of the
    whole model's scale."""

    sqnr_db: Number
    largest: Number
    lsb: Finite

    @property
    def is_right(self) -> bool:
        return self.sqnr_db >= RIGHT_DB or self._is_rounding

    @property
    def is_wrong(self) -> bool:
        return self.sqnr_db < WRONG_DB and not self._is_rounding

    @property
    def _is_rounding(self) -> bool:
        return self.lsb is not None and self.lsb <= _FEW_LSB

    def __str__(self) -> str:
        return "equal" if self.sqnr_db >= EQUAL_DB else f"SQNR {self.sqnr_db:.1f} dB"


class InputStatistics(Shape):
    """The samples in use beside what the input can hold. Per channel: mean, standard deviation."""

    low: Number
    high: Number
    mean: tuple[Number, ...]
    std: tuple[Number, ...]
    can_hold: tuple[Number, Number]
    calibrated: tuple[Finite, Finite] | None
    clipped_share: Number

    def __str__(self) -> str:
        channels = "; ".join(f"{m:.3g} ± {s:.3g}" for m, s in zip(self.mean, self.std, strict=True))
        per = " per channel" if len(self.mean) > 1 else ""
        return (
            f"samples {self.low:.4g} to {self.high:.4g}, mean ± standard deviation{per} "
            f"{channels}; the input can hold {self.can_hold[0]:.4g} to {self.can_hold[1]:.4g}"
        )


class SamplesRun(Shape):
    """Which samples were run, and what they look like where they are real."""

    source: Long
    run: Count
    total: Count
    random: bool
    statistics: InputStatistics | None


class PieceHealth(Shape):
    """One piece fed with the whole model's values (`isolated`), and the worst that it makes in
    the chain (`chained`); None where it did not run."""

    index: Op
    file: Text
    start: Op
    stop: Op
    isolated: Difference | None
    chained: Difference | None
    verdict: Text


class BoundaryHealth(Shape):
    """A tensor that is handed over, or an output, as the chain makes it, beside the whole model's.

    `chained` is None where the chain stopped before it. `saturated_share`: of its integers, at the
    limits of their type beyond the whole model's own.
    """

    tensor: Index
    name: Text
    maker: Op | None
    readers: tuple[Op, ...]
    chained: Difference | None
    constant: bool
    saturated_share: Number

    @property
    def is_wrong(self) -> bool:
        return self.chained is not None and self.chained.is_wrong


class Outputs(Shape):
    """The verdict on what the pieces compute. `outputs`: the worst of them, in the chain."""

    verdict: Long
    samples: SamplesRun
    outputs: Difference | None
    pieces: tuple[PieceHealth, ...]
    boundaries: tuple[BoundaryHealth, ...]
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity is Severity.FAULT)
