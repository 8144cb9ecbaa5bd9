"""What is to be explained, as the command line names it → a job without limits of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.config.board import Board, find_board, read_board
from splitopt.config.job import (
    CutSpec,
    Job,
    JobSpec,
    ModelFile,
    PiecesSpec,
    read_job,
)
from splitopt.config.objective import ObjectiveSpec

_JOB_SUFFIXES = (".yaml", ".yml")


def subject_of(model: Path, board: str | None, *, allow_commands: bool = False) -> Job:
    """A .tflite on a board, or a job file, whose board `board` then replaces.

    The job's limits on cuts, pieces and time are dropped: facts are the model's. Raises UsageError.
    """
    if model.suffix.lower() in _JOB_SUFFIXES:
        return without_limits(_job(model, board, allow_commands))
    if model.is_dir():
        raise UsageError(f"{model}: a folder; want a .tflite model or a job's .yaml")
    if model.suffix.lower() == ".onnx":
        raise UsageError(
            f"{model}: an .onnx model has no RAM of its own before it is quantised; name a job "
            "with calibration (model: {path: ...}, calibration: {path: ...}) instead"
        )
    if model.suffix.lower() != ".tflite":
        raise UsageError(f"{model}: want a .tflite model, or a job's .yaml")
    if board is None:
        raise UsageError(f"{model}: want --board NAME as well (splitopt boards lists them)")
    found = _board(board)
    spec = JobSpec(model=ModelFile(path=str(model)), board=found)
    return without_limits(Job(model.stem, model, spec, found, model))


def _job(file: Path, board: str | None, allow_commands: bool) -> Job:
    if board is not None and board.endswith(_JOB_SUFFIXES):
        board = str(Path(board).absolute())
    return read_job(file, {"board": board}, allow_commands=allow_commands)


def _board(reference: str) -> Board:
    if reference.endswith(_JOB_SUFFIXES):
        return read_board(Path(reference))
    try:
        return read_board(find_board(reference, Path("configs/jobs")))
    except UsageError as error:
        raise UsageError(f"--board: {str(error).removeprefix('$.board: ')}") from error


def without_limits(job: Job) -> Job:
    """The same model and board, nothing but the lowest peak asked for."""
    free = {
        "cut": CutSpec(),
        "pieces": PiecesSpec(zero_arena=job.spec.pieces.zero_arena),
        "objective": ObjectiveSpec(minimise="peak_ram"),
    }
    return replace(job, spec=job.spec.model_copy(update=free))
