"""splitopt explain: of a run, what is wrong with it; of a model, where its RAM goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from splitopt.base.files import refuse_to_overwrite
from splitopt.bundle.schema_explain import ModelExplanation, RunExplanation
from splitopt.convert.open_model import open_model
from splitopt.explain.model import explain_model
from splitopt.explain.outputs.samples import data_file
from splitopt.explain.run import explain_run
from splitopt.explain.subject import subject_of
from splitopt.explain.written import MODEL_FILES, RUN_FILES, write_model, write_run

Progress = Callable[[str], None]


def explain_model_file(
    model: Path,
    board: str | None,
    *,
    out: Path | None = None,
    progress: Progress = lambda _: None,
) -> ModelExplanation:
    """A .tflite on a board, or a job's .yaml; `out`: a folder for the same as files.

    Raises SplitoptError: UsageError for a wrong subject or files that exist, ModelError for a
    broken model.
    """
    job = subject_of(model, board)
    if out is not None:
        refuse_to_overwrite(out, MODEL_FILES)
    found = explain_model(job, open_model(job, progress), progress)
    if out is not None:
        write_model(found, out)
    return found


def explain_run_folder(
    folder: Path,
    data: Path | None = None,
    key: str | None = None,
    *,
    out: Path | None = None,
    progress: Progress = lambda _: None,
) -> RunExplanation:
    """A bundle; `data`, `key`: samples as they are fed in use. Raises SplitoptError."""
    given = data_file(data, key)
    if out is not None:
        refuse_to_overwrite(out, RUN_FILES)
    found = explain_run(folder, given, progress)
    if out is not None:
        write_run(found, out)
    return found
