"""splitopt sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import Json


def sweep(
    file: Annotated[Path, typer.Argument(help="A sweep file, e.g. configs/sweeps/budgets.yaml.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for results (default: the sweep's).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes (default: one for each core).")
    ] = None,
    json: Json = False,
) -> None:
    """Plan one job over budgets, boards, models, objectives and limits; resumes what was killed."""
    from splitopt.bundle.documents import dump
    from splitopt.cli import terminal
    from splitopt.workflows.sweep.run import run_sweep

    with terminal.sweep_progress(quiet=json) as notify:
        result = run_sweep(file, out=out, workers=workers, notify=notify)
    if json:
        terminal.show_json({**dump(result.document), "run_dir": str(result.folder)})
    else:
        terminal.show_sweep(result)


EXAMPLE = "Example: splitopt sweep configs/sweeps/mbv2_digits.yaml --json"
