"""What a diagnosis must hold for a report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from splitopt.bundle.schema.common import Shape, Text

Long = Annotated[str, Field(max_length=65536)]


class Finding(Shape):
    severity: Literal["fault", "warning", "note"]
    title: Long
    where: Long
    evidence: tuple[Long, ...]
    next_step: Long


class Reason(Shape):
    sentence: Long
    next_step: Long


class Outputs(Shape):
    verdict: Long
    findings: Annotated[tuple[Finding, ...], Field(max_length=2000)]


class Memory(Shape):
    verdict: Long
    reasons: Annotated[tuple[Reason, ...], Field(max_length=2000)]


class Diagnosis(Shape):
    """diagnosis.json, as far as it is shown; outputs are diagnosed where they are suspect."""

    job: Text = ""
    outputs: Outputs | None
    memory: Memory
