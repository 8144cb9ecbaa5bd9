"""splitopt calibrate: a cost table, measured on generated models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import AllowCommands, Json

EXAMPLE = "Example: splitopt calibrate --target qemu --out tables --held-out my_model.tflite"


def calibrate(
    out: Annotated[Path, typer.Option("--out", help="Folder for costs.json.")],
    target: Annotated[str, typer.Option("--target", help="qemu, or a .yaml file.")] = "qemu",
    held_out: Annotated[
        list[Path] | None,
        typer.Option("--held-out", help="A .tflite model to judge the table on; repeatable."),
    ] = None,
    allow_commands: AllowCommands = False,
    json: Json = False,
) -> None:
    """Measure a cost table on generated models; jobs name it as cost_table: costs.json.

    Needs a build of TFLM for the Cortex-M55 (SPLITOPT_TFLM, or tflm: of the target file).
    """
    from splitopt.base.files import refuse_to_overwrite
    from splitopt.bundle.folder import write_new
    from splitopt.cli import console
    from splitopt.config.own import allowed_target

    refuse_to_overwrite(out, ["costs.json"])
    spec = allowed_target(target, allow_commands=allow_commands)
    from splitopt.workflows.calibrate.calibrate import calibrate as measure
    from splitopt.workflows.calibrate.text import calibration_text

    with console.progress() as progress:
        document = measure(spec, held_out or [], progress)
    written = write_new(out, "costs.json", document)
    if json:
        console.show_json({**document, "path": str(written)})
    else:
        console.show_lines(f"{calibration_text(document)}\nTable: {written}")
