"""splitopt calibrate: a cost table, measured on generated models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import Json

EXAMPLE = (
    "Example: splitopt calibrate --target qemu --out tables "
    "--held-out configs/models/mbv2_digits_int8.tflite"
)


def calibrate(
    out: Annotated[Path, typer.Option("--out", help="Folder for costs.json.")],
    target: Annotated[str, typer.Option("--target", help="qemu, or a .yaml file.")] = "qemu",
    held_out: Annotated[
        list[Path] | None,
        typer.Option("--held-out", help="A .tflite model to judge the table on; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure a cost table on generated models; jobs name it as cost_table: costs.json.

    Needs a build of TFLM for the Cortex-M55 (SPLITOPT_TFLM, or tflm: of the target file).
    """
    from splitopt.base.errors import UsageError
    from splitopt.base.text import table
    from splitopt.bundle.folder import write_new
    from splitopt.cli import terminal
    from splitopt.config.target import read_target
    from splitopt.workflows.calibrate.calibrate import calibrate as measure
    from splitopt.workflows.calibrate.text import (
        COLUMNS,
        HELD_OUT_COLUMNS,
        held_out_rows,
        lines,
        rows,
    )

    if (out / "costs.json").exists():
        raise UsageError(f"{out / 'costs.json'}: already exists; pass another --out")
    spec = read_target(target, Path())
    with terminal.progress(quiet=json) as progress:
        document = measure(spec, held_out or [], progress)
    written = write_new(out, "costs.json", document)
    if json:
        terminal.show_json({**document, "path": str(written)})
        return
    terminal.out.print(table(COLUMNS, rows(document)), markup=False, soft_wrap=True)
    if document["held_out"]:
        shown = table(HELD_OUT_COLUMNS, held_out_rows(document))
        terminal.out.print(f"\n{shown}", markup=False, soft_wrap=True)
    for line in (*lines(document), f"Table: {written}"):
        terminal.out.print(line, markup=False, soft_wrap=True)
