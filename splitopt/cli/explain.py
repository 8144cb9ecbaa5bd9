"""splitopt explain: of a bundle, what is wrong with it; of a model, where its RAM goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import (
    AllowCommands,
    Board,
    Budget,
    Calibration,
    InputShape,
    Json,
    TimeLimit,
    Verbose,
)

EXAMPLE = "Example: splitopt explain model.tflite --board corstone300_256k"


def explain(
    what: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|MODEL|JOB", help="A bundle of `splitopt run`, a model, or a job's .yaml."
        ),
    ],
    board: Board = None,
    budget: Budget = None,
    calibration: Calibration = None,
    input_shape: InputShape = None,
    time_limit: TimeLimit = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Of a bundle: samples as they are fed in use, .npy or .npz."),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The array of --data's .npz.")] = None,
    allow_commands: AllowCommands = False,
    json: Json = False,
    verbose: Verbose = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for explain.txt, explain.json (of a model: .html too)."),
    ] = None,
) -> None:
    """Say why outputs are wrong or memory did not go down; or, of a model, where its RAM goes.

    Faults that it finds are its answer, not its failure: the exit code is 0.
    """
    from splitopt.base.progress import Heading
    from splitopt.cli import console

    with console.progress() as progress:
        progress(Heading(f"reading {what}"))  # before imports that take their time
        from splitopt.workflows import explain as workflow

        found = workflow.explain(
            what,
            board,
            data=data,
            key=key,
            budget=budget,
            calibration=calibration,
            input_shapes=input_shape or (),
            time_limit_s=time_limit,
            out=out,
            allow_commands=allow_commands,
            keep_interrupted=True,
            progress=progress,
        )
    from splitopt.bundle.schema.explain import ModelExplanation
    from splitopt.cli import terminal

    if json:
        console.show_json(found)
    else:
        terminal.show_explanation(found, verbose=verbose)
    if isinstance(found, ModelExplanation) and found.is_interrupted:
        raise KeyboardInterrupt
