"""splitopt explain: of a bundle, what is wrong with it; of a model, where its RAM goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.base.errors import UsageError
from splitopt.cli.options import Json

EXAMPLE = (
    "Example: splitopt explain results/my_job/20261123-055205 --json; or: "
    "splitopt explain my_model.tflite --board corstone300_256k"
)


def explain(
    what: Annotated[
        Path, typer.Argument(help="A bundle of `splitopt run`, a .tflite model, or a job's .yaml.")
    ],
    board: Annotated[
        str | None,
        typer.Option("--board", help="Of a model: board name or file; a job has its own."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Of a bundle: samples as they are fed in use, .npy or .npz."),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The array of --data's .npz.")] = None,
    json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for explain.txt, explain.json (of a model: .html too)."),
    ] = None,
) -> None:
    """Say why outputs are wrong or memory did not go down; or, of a model, where its RAM goes.

    Faults that it finds are its answer, not its failure: the exit code is 0.
    """
    if what.is_dir():
        if board is not None:
            raise UsageError("--board: a bundle has its own; want it with a model only")
        _explain_bundle(what, data, key, json, out)
        return
    if data is not None or key is not None:
        raise UsageError("--data: want it with a bundle only")
    _explain_model(what, board, json, out)


def _explain_bundle(
    folder: Path, data: Path | None, key: str | None, json: bool, out: Path | None
) -> None:
    from splitopt.base.files import refuse_to_overwrite
    from splitopt.cli import console, terminal
    from splitopt.explain.outputs.samples import data_file
    from splitopt.explain.run import diagnose_folder
    from splitopt.explain.written import DIAGNOSIS_FILES, write_diagnosis

    given = data_file(data, key)
    if out is not None:
        refuse_to_overwrite(out, DIAGNOSIS_FILES)
    with console.progress(quiet=json) as progress:
        diagnosis = diagnose_folder(folder, given, progress)
    if out is not None:
        write_diagnosis(diagnosis, out)
    if json:
        console.show_json(diagnosis.to_dict())
    else:
        terminal.show_diagnosis(diagnosis)


def _explain_model(model: Path, board: str | None, json: bool, out: Path | None) -> None:
    from splitopt.base.files import refuse_to_overwrite
    from splitopt.cli import console
    from splitopt.convert.open_model import open_model
    from splitopt.explain.model_text import facts_text
    from splitopt.explain.subject import subject_of
    from splitopt.explain.written import FACTS_FILES, write_facts
    from splitopt.workflows.explain_model import facts_of

    job = subject_of(model, board)
    if out is not None:
        refuse_to_overwrite(out, FACTS_FILES)
    with console.progress(quiet=json) as progress:
        facts = facts_of(job, open_model(job, progress), progress)
    if out is not None:
        write_facts(facts, out)
    if json:
        console.show_json(facts.to_dict())
    else:
        typer.echo(facts_text(facts), nl=False)
