"""splitopt explain: of a model, where its RAM goes; of a run, what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.base.files import refuse_to_overwrite
from splitopt.base.progress import Progress
from splitopt.bundle.schema.explain import ModelExplanation, RunExplanation
from splitopt.config.job import Job
from splitopt.convert.open_model import open_model
from splitopt.explain.model import explain_model
from splitopt.explain.outputs.samples import data_file
from splitopt.explain.run import explain_run
from splitopt.explain.subject import subject_of
from splitopt.explain.written import MODEL_FILES, RUN_FILES, write_model, write_run
from splitopt.verify.probe import why_not_runnable


def explain(
    what: str | Path,
    board: str | None = None,
    *,
    data: str | Path | None = None,
    key: str | None = None,
    out: str | Path | None = None,
    allow_commands: bool = False,
    progress: Progress = lambda _: None,
) -> ModelExplanation | RunExplanation:
    """Says where a model's RAM goes, or why a run's outputs or memory are what they are.

    `what`: a `.tflite` model (then `board` is wanted, too), a job's YAML file, or the folder of a
    run. `data`, `key`: of a folder, samples as they are fed in use: an .npy, or an .npz and the
    name of its array, of shape [samples, *the model's input without its batch*]. `out`: a folder
    for the same as files. `allow_commands`: whether programs that a job names may run.

    Returns a ModelExplanation for a model or job, a RunExplanation for a folder; all sizes in
    bytes, all times in estimated instructions. Raises UsageError and ModelError for wrong input or
    files that exist, ToolError where TFLM cannot run a run's model.

    >>> found = explain("configs/models/squeeze_digits_int8.tflite", "corstone300_64k")
    >>> found.ram.ram_bytes
    52944
    """
    what, out = Path(what), None if out is None else Path(out)
    if what.is_dir():
        if board is not None:
            raise UsageError("--board: a bundle has its own; want it with a model only")
        return _run(what, None if data is None else Path(data), key, out, progress)
    if data is not None or key is not None:
        raise UsageError("--data: want it with a bundle only")
    return _model(subject_of(what, board, allow_commands=allow_commands), out, progress)


def _model(job: Job, out: Path | None, progress: Progress) -> ModelExplanation:
    if out is not None:
        refuse_to_overwrite(out, MODEL_FILES)
    source = open_model(job, progress)
    not_run = why_not_runnable(job, source, progress)
    found = explain_model(job, source, progress).model_copy(update={"not_run": not_run})
    if out is not None:
        write_model(found, out)
    return found


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
