"""splitopt run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from splitopt.cli.options import FailOn, Json, Out

EXAMPLE = "Example: splitopt run configs/jobs/resnet8_digits.yaml --budget 60000 --json"


def run(
    job: Annotated[Path, typer.Argument(help="A job file, e.g. configs/jobs/resnet8_digits.yaml.")],
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
) -> None:
    """Plan, cut and prove one job; the bundle lands under results/<job>/<run>."""
    from splitopt.bundle.documents import dump
    from splitopt.bundle.run_record import record_of
    from splitopt.bundle.thresholds import broken, parse_thresholds, require_none_broken
    from splitopt.cli import terminal
    from splitopt.config.job import read_job
    from splitopt.workflows.run import not_equal, run_job

    limits = parse_thresholds(fail_on or ())
    if board is not None and board.endswith((".yaml", ".yml")):
        board = str(Path(board).absolute())  # unlike a path in the job, it is the caller's own
    given: dict[str, Any] = {"budget_bytes": budget, "board": board}
    read = read_job(job, {key: value for key, value in given.items() if value is not None})
    with terminal.progress(quiet=json) as progress:
        result = run_job(read, out=out, verify=not no_verify, progress=progress)
    checks = [{"name": c.name, "status": c.status.value} for c in result.checks]
    document = {**dump(result.document), "run_dir": str(result.folder), "checks": checks}
    record = record_of(result.document, [(c["name"], c["status"]) for c in checks])
    passed = broken(limits, record.figures, record.unsplit)
    if not json:
        terminal.show_result(result)
    elif not passed or not result.is_equal:
        terminal.show_json(document)
    if not result.is_equal:
        raise not_equal(result)
    require_none_broken(passed, document)  # with --json, the error's document has it all
