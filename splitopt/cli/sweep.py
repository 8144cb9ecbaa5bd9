"""splitopt sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import AllowCommands, Board, Calibration, InputShape, Json, TimeLimit


def sweep(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="SWEEP|MODEL|JOB",
            help="A sweep file (splitopt schema sweep); of a model or job, every budget is looked "
            "at.",
        ),
    ],
    board: Board = None,
    calibration: Calibration = None,
    input_shape: InputShape = None,
    time_limit: TimeLimit = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for results (default: the sweep's).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes (default: one for each core).")
    ] = None,
    allow_commands: AllowCommands = False,
    json: Json = False,
) -> None:
    """Plan one job over budgets, boards, models, objectives and limits; resumes what was killed."""
    from splitopt.cli import console, terminal
    from splitopt.config.given import Given
    from splitopt.workflows.sweep import sweep as workflow

    with terminal.sweep_progress() as notify:
        result = workflow.sweep(
            file,
            given=Given(
                board=board,
                calibration=calibration,
                input_shapes=tuple(input_shape or ()),
                time_limit_s=time_limit,
            ),
            out=out,
            workers=workers,
            allow_commands=allow_commands,
            notify=notify,
        )
    if not json:
        terminal.show_sweep(result)
    elif not result.has_failed:
        console.show_json(result.to_dict())
    result.require()  # with --json, the error's document has it all


EXAMPLE = "Example: splitopt sweep model.tflite --board corstone300_256k"
