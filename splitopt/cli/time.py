"""splitopt time: a bundle's pieces on a simulated Cortex-M55, or on a board by its log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from splitopt.cli.options import AllowCommands, Json

EXAMPLE = """\
Example: splitopt time results/my_job/20261123-055205 --target qemu --per-op

Example: splitopt time results/my_job/20261123-055205 --log board.log --out board"""


def time(
    run_dir: Annotated[Path, typer.Argument(help="A bundle of `splitopt run`.")],
    target: Annotated[
        str | None,
        typer.Option("--target", help="qemu (the default), fvp, or a .yaml file of a target."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", help="What the check of `splitopt export` printed on a board: nothing is run."
        ),
    ] = None,
    inputs: Annotated[
        int | None, typer.Option("--inputs", min=1, max=64, help="Random inputs to run.")
    ] = None,
    per_op: Annotated[bool, typer.Option("--per-op", help="Time every op, too.")] = False,
    allow_commands: AllowCommands = False,
    json: Json = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for timing.json.")] = None,
) -> None:
    """Run unsplit model and pieces on a simulator: bytes, instructions, outputs against the host.

    With --log: bytes, outputs and times of the pieces as a board's log has them, cycles where it
    counts these.

    Without --log it needs a build of TFLM for the Cortex-M55 (SPLITOPT_TFLM, or tflm: of the
    target or board).
    """
    from splitopt.base.errors import UsageError
    from splitopt.cli import console, terminal
    from splitopt.config.own import allowed_target

    if log is not None:
        if target is not None or inputs is not None or per_op:
            raise UsageError(
                "--log: what a board ran is over; leave --target, --inputs, --per-op out"
            )
        from splitopt.workflows.time_log import time_log

        with console.progress() as progress:
            logged = time_log(run_dir, log, progress)
        _end(run_dir, logged, out, json, terminal.show_board)
        return
    spec = allowed_target(target or "qemu", allow_commands=allow_commands)
    spec = spec.changed(inputs=inputs, per_op=per_op)
    from splitopt.workflows.time import time_bundle

    with console.progress() as progress:
        timed = time_bundle(run_dir, spec, progress)
    _end(run_dir, timed, out, json, terminal.show_timing)


def _end(
    run_dir: Path, found: Any, out: Path | None, json: bool, show: Callable[[Any], None]
) -> None:
    """Writes and shows the document; raises where a check failed."""
    from splitopt.bundle.folder import write_new
    from splitopt.cli import console
    from splitopt.workflows.run import require_equal

    if out is not None:
        write_new(out, "timing.json", found.document)
    if json:
        console.show_json(found.document)
    else:
        show(found.document)
    require_equal(run_dir, found.checks)
