"""plan.json as a stranger may have left it → the checked parts that a diagnosis rests on.

Knows the format of the file, not whether it fits the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from splitopt.base.errors import UsageError
from splitopt.base.json_input import load_json
from splitopt.base.yaml_input import Strict, check
from splitopt.config.board import MAX_RAM_BYTES, Board
from splitopt.config.job import (
    CalibrationSpec,
    CutSpec,
    ObjectiveSpec,
    PiecesSpec,
    PreprocessSpec,
    VerifySpec,
)

MAX_PLAN_BYTES = 16 << 20
_MOST_OPS = 100_000
_LONGEST_TEXT = 4096

Index = Annotated[int, Field(ge=0, lt=2**31)]
Text = Annotated[str, Field(max_length=_LONGEST_TEXT)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Lenient(Strict):
    """Keys that a diagnosis does not read may be anything."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class SettingsEntry(_Lenient):
    """What the job asked for, as far as it bears on a diagnosis."""

    calibration: CalibrationSpec | None = None
    preprocess: PreprocessSpec = PreprocessSpec()
    objective: ObjectiveSpec = ObjectiveSpec()
    pieces: PiecesSpec = PiecesSpec()
    cut: CutSpec = CutSpec()
    verify: VerifySpec = VerifySpec()
    cost_table: Text | None = None


class JobEntry(_Lenient):
    name: Text
    path: Text
    settings: SettingsEntry


class ModelEntry(_Lenient):
    path: Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class SpanEntry(_Lenient):
    tensor: Index
    row: Index
    rows: Annotated[int, Field(ge=1, lt=2**31)]
    from_row: Index = 0


class ExecutionEntry(_Lenient):
    inputs: Annotated[tuple[SpanEntry, ...], Field(min_length=1, max_length=64)]
    outputs: Annotated[tuple[SpanEntry, ...], Field(min_length=1, max_length=64)]


class SegmentEntry(_Lenient):
    """One piece. `bands`: its executions, where it runs on rows; null where it runs once."""

    start: Annotated[int, Field(ge=0, lt=_MOST_OPS)]
    stop: Annotated[int, Field(ge=1, le=_MOST_OPS)]
    inputs: Annotated[tuple[Index, ...], Field(min_length=1)]
    outputs: Annotated[tuple[Index, ...], Field(min_length=1)]
    piece: Text
    sha256: Text | None = None
    arena_bytes: Annotated[int, Field(ge=0, le=2**40)] | None = None
    bands: Annotated[tuple[ExecutionEntry, ...], Field(min_length=1, max_length=4096)] | None = None


class BoundaryEntry(_Lenient):
    tensor: Index
    onnx_tensor: Text | None = None


class LayoutEntry(_Lenient):
    boundary: tuple[BoundaryEntry, ...] = ()


class PreprocessEntry(_Lenient):
    mean: tuple[Number, ...] = ()
    std: tuple[Annotated[Number, Field(gt=0)], ...] = ()


class ConversionEntry(_Lenient):
    """How the int8 model was made: the ranges of the samples it was calibrated on."""

    calibration_range: tuple[Number, Number] | None = None
    preprocess: PreprocessEntry = PreprocessEntry()


class PlanFile(_Lenient):
    """One plan.json. `conversion` is there for models that were converted or quantised here."""

    schema_version: Literal[1]
    job: JobEntry
    model: ModelEntry
    board: Board
    budget_bytes: Annotated[int, Field(gt=0, le=MAX_RAM_BYTES)]
    route: Literal["whole", "pieces"] = "whole"
    peak_ram_bytes: Annotated[int, Field(gt=0, le=2**40)]
    segments: Annotated[tuple[SegmentEntry, ...], Field(min_length=1, max_length=_MOST_OPS)]
    layout: LayoutEntry = LayoutEntry()
    conversion: ConversionEntry | None = None


def read_plan(folder: Path) -> PlanFile:
    """Raises UsageError, in one sentence, for a folder that is no bundle."""
    path = folder / "plan.json"
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; want a bundle that `splitopt run` wrote")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: not a file; want a bundle that `splitopt run` wrote")
    return check(load_json(path, MAX_PLAN_BYTES), PlanFile, where=str(path))
