"""The part of plan.json that a run on a target is held against, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from splitopt.base.json_input import load_json
from splitopt.base.yaml_input import Strict, check

Count = Annotated[int, Field(ge=0, lt=2**53)]
Offset = Annotated[int, Field(ge=0, lt=2**32 - 1)]


class _Lenient(Strict):
    """Keys that are not read may be anything."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Figures(_Lenient):
    """What the plan predicts of a model or a piece, in bytes and estimated instructions."""

    arena_used_bytes: Count
    estimated_allocate_insn: Count
    estimated_invoke_insn: Count
    exact: bool


class UnsplitFigures(Figures):
    ram_bytes: Count


class SegmentFigures(Figures):
    arena_bytes: Offset
    arena_offset: Offset = 0


class Placed(_Lenient):
    """A boundary tensor's place in the region."""

    tensor: Count
    offset: Offset


class LayoutFigures(_Lenient):
    region_bytes: Offset
    boundary: tuple[Placed, ...]


class PlanFigures(_Lenient):
    baseline: UnsplitFigures
    segments: tuple[SegmentFigures, ...]
    layout: LayoutFigures
    added_insn: Count


def read_figures(folder: Path) -> PlanFigures:
    """Of a bundle. Raises UsageError that names the first wrong key."""
    path = folder / "plan.json"
    return check(load_json(path), PlanFigures, where=str(path))
