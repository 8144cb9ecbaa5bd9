"""splitopt explain: of a bundle, what is wrong with it; of a model, where its RAM goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.base.errors import UsageError
from splitopt.cli.options import Json

EXAMPLE = (
    "Example: splitopt explain results/resnet8_digits/20261123-055205 --json; or: "
    "splitopt explain configs/models/mbv2_digits_int8.tflite --board corstone300_256k"
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
    from splitopt.cli import terminal
    from splitopt.explain.text import model_text
    from splitopt.workflows.explain import explain_model_file, explain_run_folder

    if what.is_dir():
        if board is not None:
            raise UsageError("--board: a bundle has its own; want it with a model only")
        with terminal.progress(quiet=json) as progress:
            run = explain_run_folder(what, data, key, out=out, progress=progress)
        if json:
            terminal.show_json(run.model_dump(mode="json"))
        else:
            terminal.show_explanation(run)
        return
    if data is not None or key is not None:
        raise UsageError("--data: want it with a bundle only")
    with terminal.progress(quiet=json) as progress:
        found = explain_model_file(what, board, out=out, progress=progress)
    if json:
        terminal.show_json(found.model_dump(mode="json"))
    else:
        typer.echo(model_text(found), nl=False)
