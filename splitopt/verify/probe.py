"""One inference of the unsplit model in TFLM, before any work is put into a plan."""

from __future__ import annotations

from splitopt.base.errors import ModelError, SplitoptError, ToolError
from splitopt.base.progress import Progress
from splitopt.config.job import Job
from splitopt.convert.open_model import ModelSource
from splitopt.runtime.arrays import arena_bytes, numpy_dtype
from splitopt.runtime.host import refusal_of_tflm

_SHARE_OF_TIME_LIMIT = 20
NO_VERIFY = "--no-verify plans without running it"
PROVE_NONE = "prove: none plans without running it"


def why_not_runnable(job: Job, source: ModelSource, progress: Progress) -> str:
    """What `require_runnable` raises, as a sentence; empty where TFLM runs the model."""
    try:
        require_runnable(job, source, progress)
    except SplitoptError as error:
        return str(error)
    return ""


def require_runnable(
    job: Job,
    source: ModelSource,
    progress: Progress = lambda _: None,
    way_out: str = NO_VERIFY,
) -> None:
    """AllocateTensors and one Invoke, in a child process that makes the inputs itself.

    A proof runs some twenty inferences within `verify.time_limit_s`: one may take a twentieth.
    Raises UsageError for inputs of a type that cannot be fed, ModelError with TFLM's own reason
    where it refuses the model, ToolError where the child crashed or took too long.
    """
    limit_s = job.spec.verify.time_limit_s / _SHARE_OF_TIME_LIMIT
    for tensor in source.graph.inputs:
        numpy_dtype(source.graph.tensors[tensor])
    progress("trying one inference in TFLM")
    try:
        refusal = refusal_of_tflm(source.path, arena_bytes(source.graph), timeout_s=limit_s)
    except ToolError as error:
        raise ToolError(
            f"{error}; this was one inference on trial before planning: if it is slow, raise "
            f"verify.time_limit_s (it gets a {_SHARE_OF_TIME_LIMIT}th); {way_out}"
        ) from error
    if refusal is not None:
        raise ModelError(
            f"{job.model_path}: TFLM on this machine cannot run it: {refusal}; {way_out}"
        )
