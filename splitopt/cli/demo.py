"""splitopt demo."""

from __future__ import annotations

from splitopt.cli.options import Json, Out

EXAMPLE = "Example: splitopt demo"


def demo(out: Out = None, json: Json = False) -> None:
    """Run the packaged job: a MobileNetV2 that exceeds its RAM budget is cut to fit."""
    import splitopt
    from splitopt.cli import console, terminal
    from splitopt.config.board import PACKAGED

    job = splitopt.read_job(PACKAGED / "jobs" / "mbv2_digits.yaml")
    with console.progress(quiet=json) as progress:
        result = splitopt.run(job, out=out, progress=progress)
    if json:
        console.show_json(result.to_dict())
    else:
        terminal.show_result(result)
    result.require()
