"""splitopt time: a bundle's pieces on a simulated Cortex-M55."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import AllowCommands, Json

EXAMPLE = "Example: splitopt time results/my_job/20261123-055205 --target qemu --per-op"


def time(
    run_dir: Annotated[Path, typer.Argument(help="A bundle of `splitopt run`.")],
    target: Annotated[
        str, typer.Option("--target", help="qemu, fvp, or a .yaml file of a target.")
    ] = "qemu",
    inputs: Annotated[
        int | None, typer.Option("--inputs", min=1, max=64, help="Random inputs to run.")
    ] = None,
    per_op: Annotated[bool, typer.Option("--per-op", help="Time every op, too.")] = False,
    allow_commands: AllowCommands = False,
    json: Json = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for timing.json.")] = None,
) -> None:
    """Run unsplit model and pieces on a simulator: bytes, instructions, outputs against the host.

    Needs a build of TFLM for the Cortex-M55 (SPLITOPT_TFLM, or tflm: of the target or board).
    """
    from splitopt.bundle.folder import write_new
    from splitopt.cli import console, terminal
    from splitopt.config.own import allowed_target

    spec = allowed_target(target, allow_commands=allow_commands).changed(
        inputs=inputs, per_op=per_op
    )
    from splitopt.workflows.run import require_equal
    from splitopt.workflows.time import time_bundle

    with console.progress() as progress:
        timing = time_bundle(run_dir, spec, progress)
    if out is not None:
        write_new(out, "timing.json", timing.document)
    if json:
        console.show_json(timing.document)
    else:
        terminal.show_timing(timing.document)
    require_equal(run_dir, timing.checks)
