"""splitopt sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import AllowCommands, Json


def sweep(
    file: Annotated[Path, typer.Argument(help="A sweep file (splitopt schema sweep).")],
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
    from splitopt.workflows.sweep import sweep as workflow

    with terminal.sweep_progress() as notify:
        result = workflow.sweep(
            file, out=out, workers=workers, allow_commands=allow_commands, notify=notify
        )
    if not json:
        terminal.show_sweep(result)
    elif not result.has_failed:
        console.show_json(result.to_dict())
    result.require()  # with --json, the error's document has it all


EXAMPLE = "Example: splitopt sweep my_sweep.yaml --json"
