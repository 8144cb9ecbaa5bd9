"""splitopt explain: of a model, where its RAM goes; of a bundle, what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from splitopt.base.errors import UsageError
from splitopt.convert.open_model import open_model
from splitopt.explain.model import ModelFacts
from splitopt.explain.outputs.samples import data_file
from splitopt.explain.run import Diagnosis, diagnose_folder
from splitopt.explain.subject import subject_of
from splitopt.workflows.explain_model import facts_of

Progress = Callable[[str], None]


def explain(
    what: str | Path,
    board: str | None = None,
    *,
    data: str | Path | None = None,
    key: str | None = None,
    progress: Progress = lambda _: None,
) -> ModelFacts | Diagnosis:
    """Says where a model's RAM goes, or why a run's outputs or memory are what they are.

    `what`: a `.tflite` model (then `board` is wanted, too), a job's YAML file, or the folder of a
    run. `data`, `key`: of a folder, samples as they are fed in use: an .npy, or an .npz and the
    name of its array, of shape [samples, *the model's input without its batch*].

    Returns ModelFacts for a model or job, Diagnosis for a folder; all sizes in bytes, all times in
    estimated instructions. Raises UsageError and ModelError for wrong input, ToolError where TFLM
    cannot run a run's model.

    >>> facts = explain("configs/models/squeeze_digits_int8.tflite", "corstone300_64k")
    >>> facts.ram.ram_bytes
    52944
    """
    what = Path(what)
    if what.is_dir():
        if board is not None:
            raise UsageError("--board: a bundle has its own; want it with a model only")
        given = data_file(None if data is None else Path(data), key)
        return diagnose_folder(what, given, progress)
    if data is not None or key is not None:
        raise UsageError("--data: want it with a bundle only")
    job = subject_of(what, board)
    return facts_of(job, open_model(job, progress), progress)
