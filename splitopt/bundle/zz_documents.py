"""What reports are made of: the parsed files of a bundle or of a sweep's folder, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from splitopt.bundle.schema_explain import RunExplanation

Document = dict[str, Any]


@dataclass(frozen=True)
class RunDocuments:
    """The files of one bundle. `diagnosis`: outputs and memory, as in explain.json."""

    plan: Document
    memory: Document
    graph: Document
    verify: Document
    manifest: Document
    timing: Document | None = None
    diagnosis: RunExplanation | None = None


@dataclass(frozen=True)
class PointPlan:
    """plan.json and memory.json of one point of a sweep."""

    plan: Document
    memory: Document


@dataclass(frozen=True)
class SweepDocuments:
    """sweep.json, a record for each point, and by record id what was planned there."""

    sweep: Document
    records: tuple[Document, ...]
    plans: Mapping[str, PointPlan] = field(default_factory=dict)
