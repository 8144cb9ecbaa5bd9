"""splitopt demo."""

from __future__ import annotations

from splitopt.cli.options import Json, Out, Verbose

EXAMPLE = "Example: splitopt demo"


def demo(out: Out = None, json: Json = False, verbose: Verbose = False) -> None:
    """Run the packaged job: a MobileNetV2 that exceeds its RAM budget is cut to fit."""
    from splitopt.cli import console, terminal
    from splitopt.config.board import PACKAGED
    from splitopt.config.job import read_job
    from splitopt.workflows.run import run_job

    job = read_job(PACKAGED / "jobs" / "mbv2_digits.yaml")
    with console.progress() as progress:
        result = run_job(job, out=out, keep_interrupted=True, progress=progress)
    if json:
        console.show_json(result.to_dict())
    else:
        terminal.show_result(result, verbose=verbose)
    result.require()
    if result.is_interrupted:
        raise KeyboardInterrupt
