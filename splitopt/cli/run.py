"""splitopt run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import AllowCommands, FailOn, Json, Out

EXAMPLE = "Example: splitopt run my_job.yaml --budget 60000 --json"


def run(
    job: Annotated[Path, typer.Argument(help="A job file (splitopt schema job).")],
    out: Out = None,
    json: Json = False,
    budget: Annotated[
        int | None,
        typer.Option("--budget", min=1, help="RAM budget in bytes; overrides the job's."),
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", help="Board name or file; overrides the job's.")
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not run the pieces; the bundle says so.")
    ] = False,
    fail_on: FailOn = None,
    allow_commands: AllowCommands = False,
) -> None:
    """Plan, cut and prove one job; the bundle lands under results/<job>/<run>."""
    from splitopt.bundle.thresholds import parse_thresholds
    from splitopt.cli import console, terminal
    from splitopt.config.board import from_here
    from splitopt.config.job import read_job
    from splitopt.workflows.run import run_job

    limits = parse_thresholds(fail_on or ())
    given = {"budget_bytes": budget, "board": board and from_here(board)}
    read = read_job(job, given, allow_commands=allow_commands)
    with console.progress() as progress:
        result = run_job(
            read, out=out, verify=not no_verify, keep_interrupted=True, progress=progress
        )
    broken = () if result.is_interrupted else result.broken(limits)
    if not json:
        terminal.show_result(result)
    elif not broken or not result.is_equal:
        console.show_json(result.to_dict())
    result.require(broken)  # with --json, the error's document has it all
    if result.is_interrupted:
        raise KeyboardInterrupt
