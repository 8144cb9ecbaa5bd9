"""splitopt explain: of a model, where its RAM goes; of a run, what is wrong with it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.base.files import refuse_to_overwrite
from splitopt.base.progress import Heading, Progress
from splitopt.base.text import clean, printable
from splitopt.base.units import format_bytes, plural
from splitopt.bundle.schema.explain import ModelExplanation, RunExplanation
from splitopt.config.given import Given
from splitopt.config.job import Job
from splitopt.convert.open_model import ModelSource, open_model
from splitopt.explain.model import explain_model
from splitopt.explain.outputs.samples import data_file
from splitopt.explain.run import explain_run
from splitopt.explain.subject import subject_of
from splitopt.explain.written import MODEL_FILES, RUN_FILES, write_model, write_run
from splitopt.solvers.interrupt import is_asked_to_stop
from splitopt.verify.probe import why_not_runnable
from splitopt.workflows.interrupt import ends_on_interrupt


def explain(
    what: str | Path,
    board: str | None = None,
    *,
    data: str | Path | None = None,
    key: str | None = None,
    budget: str | None = None,
    calibration: str | None = None,
    input_shapes: Sequence[str] = (),
    time_limit_s: float | None = None,
    out: str | Path | None = None,
    allow_commands: bool = False,
    keep_interrupted: bool = False,
    progress: Progress = lambda _: None,
) -> ModelExplanation | RunExplanation:
    """Says where a model's RAM goes, or why a run's outputs or memory are what they are.

    `what`: a model (then `board` is wanted, too), a job's YAML file, or the folder of a run.
    `budget`: RAM in place of the board's, as `240K`; `calibration`: samples of an ONNX or float
    model, as `data.npz:key`; `input_shapes`: of an ONNX model's inputs whose axes its file leaves
    open, each as `image=1,3,48,192`; `time_limit_s`: of planning, in place of the job's. `data`,
    `key`: of a folder, samples as they are fed in use: an .npy, or an .npz and the name of its
    array, of shape [samples, *the model's input without its batch*].
    `out`: a folder for the same as files. `allow_commands`: whether programs of a job may run.
    `keep_interrupted`: Ctrl-C while a model is planned ends the planning, and what was found until
    then is explained.

    Returns a ModelExplanation for a model or job, a RunExplanation for a folder; all sizes in
    bytes, all times in estimated instructions. Raises UsageError and ModelError for wrong input or
    files that exist, ToolError where TFLM cannot run a run's model.

    >>> found = explain("configs/models/squeeze_digits_int8.tflite", "corstone300_64k")
    >>> found.ram.ram_bytes
    52944
    """
    what, out = Path(what), None if out is None else Path(out)
    given = Given(
        board=board,
        budget=budget,
        calibration=calibration,
        input_shapes=tuple(input_shapes),
        time_limit_s=time_limit_s,
    )
    if what.is_dir():
        if given.words:
            raise UsageError(f"{given.words[0]}: a bundle has its own; want it with a model only")
        return _run(what, None if data is None else Path(data), key, out, progress)
    if data is not None or key is not None:
        raise UsageError("--data: want it with a bundle only")
    job = subject_of(what, given, allow_commands=allow_commands)
    asked = clean(shlex.join((str(what), *given.words)))
    return _model(job, asked, out, keep_interrupted, progress)


def _model(
    job: Job, asked: str, out: Path | None, keep_interrupted: bool, progress: Progress
) -> ModelExplanation:
    if out is not None:
        refuse_to_overwrite(out, MODEL_FILES)
    source = open_model(job, progress)
    progress(Heading(_about(job, source)))
    more: dict[str, Any] = {"asked": asked, "not_run": why_not_runnable(job, source, progress)}
    with ends_on_interrupt(keep_interrupted, progress):
        found = explain_model(job, source, progress)
        more["is_interrupted"] = is_asked_to_stop()
    found = found.model_copy(update=more)
    if out is not None:
        write_model(found, out)
    return found


def _about(job: Job, source: ModelSource) -> str:
    graph, board = source.graph, job.board
    return (
        f"{printable(job.model_path.name)}: {plural(len(graph.ops), 'op')}, "
        f"{plural(len(graph.tensors), 'tensor')}, file {format_bytes(len(graph.source))}; target "
        f"{board.name} ({board.abi}), budget {format_bytes(job.budget_bytes)}; at most "
        f"{job.spec.solve.time_limit_s:g} s for planning"
    )


def _run(
    folder: Path, data: Path | None, key: str | None, out: Path | None, progress: Progress
) -> RunExplanation:
    given = data_file(data, key)
    if out is not None:
        refuse_to_overwrite(out, RUN_FILES)
    found = explain_run(folder, given, progress)
    if out is not None:
        write_run(found, out)
    return found
