"""splitopt init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import Board, Budget, Calibration, InputShape, Json

EXAMPLE = "Example: splitopt init model.tflite --board corstone300_256k"


def init(
    model: Annotated[Path, typer.Argument(help="A .tflite or .onnx model.")],
    board: Board = None,
    budget: Budget = None,
    calibration: Calibration = None,
    input_shape: InputShape = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The job's file (default: here, as the model).")
    ] = None,
    json: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Write a job file for a model, with a comment for each key, to be edited and run."""
    from splitopt.cli import console
    from splitopt.config.given import Given
    from splitopt.config.job_text import DEFAULT_BOARD
    from splitopt.workflows.init import init as workflow

    given = Given(
        board=board, budget=budget, calibration=calibration, input_shapes=tuple(input_shape or ())
    )
    file = workflow(model, given, out=out, force=force)
    if json:
        console.show_json({"job": str(file)})
    else:
        assumed = "" if board else f" for {DEFAULT_BOARD} (assumed; --board names another)"
        console.show_lines(f"Wrote {file}{assumed}. Next: splitopt run {file}")
