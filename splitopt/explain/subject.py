"""What is to be explained, as the command line names it → a job without limits of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.config.given import Given, read_given
from splitopt.config.job import Job, is_model
from splitopt.config.job_keys import CutSpec, PiecesSpec
from splitopt.config.objective import ObjectiveSpec

_JOB_SUFFIXES = (".yaml", ".yml")


def subject_of(
    what: Path,
    given: Given,
    *,
    allow_commands: bool = False,
) -> Job:
    """A model, or a job file, under what the command line says beside it.

    The job's limits on cuts and pieces are dropped: facts are the model's. Raises UsageError.
    """
    if what.is_dir():
        raise UsageError(f"{what}: a folder; want a .tflite model or a job's .yaml")
    if not is_model(what) and what.suffix.lower() not in _JOB_SUFFIXES:
        raise UsageError(f"{what}: want a .tflite or .onnx model, or a job's .yaml")
    return without_limits(read_given(what, given, allow_commands=allow_commands))


def without_limits(job: Job) -> Job:
    """The same model and board, nothing but the lowest peak asked for."""
    free = {
        "cut": CutSpec(),
        "pieces": PiecesSpec(zero_arena=job.spec.pieces.zero_arena),
        "objective": ObjectiveSpec(minimise="smallest"),
    }
    return replace(job, spec=job.spec.model_copy(update=free))
