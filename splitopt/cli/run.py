"""splitopt run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import (
    AllowCommands,
    Board,
    Budget,
    Calibration,
    FailOn,
    InputShape,
    Json,
    Out,
    TimeLimit,
    Verbose,
)

EXAMPLE = "Example: splitopt run model.tflite --board corstone300_256k --budget 240K"


def run(
    jobs: Annotated[
        list[Path],
        typer.Argument(
            metavar="JOB|MODEL",
            help="A job file, or a .tflite or .onnx model with --board; of several, or of a folder "
            "of models, one line each.",
        ),
    ],
    board: Board = None,
    budget: Budget = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            "--plan",
            metavar="NAME",
            help="Which plan is written: balanced, fit or smallest; overrides the job's.",
        ),
    ] = None,
    calibration: Calibration = None,
    input_shape: InputShape = None,
    time_limit: TimeLimit = None,
    out: Out = None,
    json: Json = False,
    verbose: Verbose = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not run the pieces; the bundle says so.")
    ] = False,
    fail_on: FailOn = None,
    allow_commands: AllowCommands = False,
) -> None:
    """Plan, cut and prove a model; the bundle lands under results/<job>/<run>."""
    from splitopt.bundle.thresholds import parse_thresholds
    from splitopt.cli import console, terminal
    from splitopt.config.given import Given, found_models, read_given

    limits = parse_thresholds(fail_on or ())
    given = Given(
        board=board,
        budget=budget,
        objective=_only(objective or []),
        calibration=calibration,
        input_shapes=tuple(input_shape or ()),
        time_limit_s=time_limit,
    )
    found = found_models(jobs)
    if len(found) > 1 or jobs[0].is_dir():
        from splitopt.workflows.run_each import run_each

        with console.progress() as progress:
            every = run_each(
                found,
                given,
                out=out,
                verify=not no_verify,
                limits=limits,
                allow_commands=allow_commands,
                progress=progress,
            )
        if json:
            console.show_json(every.to_dict())
        else:
            terminal.show(every.text)
        raise typer.Exit(every.exit_code)
    read = read_given(found[0], given, allow_commands=allow_commands)
    console.show_notices(read.notices)
    from splitopt.workflows.run import run_job  # not loaded for a job that cannot be read

    with terminal.unfit_shown(quiet=json), console.progress() as progress:
        result = run_job(
            read, out=out, verify=not no_verify, keep_interrupted=True, progress=progress
        )
    broken = () if result.is_interrupted else result.broken(limits)
    if not json:
        terminal.show_result(result, verbose=verbose)
    elif not broken or not result.is_equal:
        console.show_json(result.to_dict())
    result.require(broken)  # with --json, the error's document has it all
    if result.is_interrupted:
        raise KeyboardInterrupt


def _only(aims: list[str]) -> str | None:
    """The one that was named. Raises UsageError for several, of which one would be dropped."""
    from splitopt.base.errors import UsageError

    if len(aims) > 1:
        raise UsageError(
            f"--objective, --plan: got {' and '.join(aims)}, want one; they are one option"
        )
    return aims[0] if aims else None
