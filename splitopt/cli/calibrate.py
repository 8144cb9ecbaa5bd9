"""splitopt calibrate: a cost table, measured on generated models, or fitted on logs of boards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import AllowCommands, Json

EXAMPLE = """\
Example: splitopt calibrate --target qemu --out tables --held-out my_model.tflite

Example: splitopt calibrate --log kws.log --run results/kws/20261123-055205 --out tables"""


def calibrate(
    out: Annotated[Path, typer.Option("--out", help="Folder for costs.json.")],
    target: Annotated[
        str | None, typer.Option("--target", help="qemu (the default), or a .yaml file.")
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option("--held-out", help="A .tflite model to judge the table on; repeatable."),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option("--log", help="What an export's check printed on a board; repeatable."),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option("--run", help="A bundle that a --log is of, in any order; repeatable."),
    ] = None,
    allow_commands: AllowCommands = False,
    json: Json = False,
) -> None:
    """Measure a cost table on generated models; jobs name it as cost_table: costs.json.

    With --log: fit one on logs of boards, in the unit of their counter, cycles where it counts
    these.

    Without --log it needs a build of TFLM for the Cortex-M55 (SPLITOPT_TFLM, or tflm: of the
    target file).
    """
    from splitopt.base.errors import UsageError
    from splitopt.base.files import refuse_to_overwrite
    from splitopt.bundle.folder import write_new
    from splitopt.cli import console
    from splitopt.config.own import allowed_target

    if log and (target is not None or held_out):
        raise UsageError("--log: nothing is run; leave --target and --held-out out")
    if run and not log:
        raise UsageError("--run: names what a --log is of; give the log, too")
    refuse_to_overwrite(out, ["costs.json"])
    spec = allowed_target(target or "qemu", allow_commands=allow_commands)
    from splitopt.workflows.calibrate.calibrate import calibrate as measure
    from splitopt.workflows.calibrate.from_logs import calibrate_from_logs
    from splitopt.workflows.calibrate.text import calibration_text, log_calibration_text

    with console.progress() as progress:
        if log:
            document = calibrate_from_logs(log, run or [], progress)
        else:
            document = measure(spec, held_out or [], progress)
    written = write_new(out, "costs.json", document)
    if json:
        console.show_json({**document, "path": str(written)})
    else:
        text = (log_calibration_text if log else calibration_text)(document)
        console.show_lines(f"{text}\nTable: {written}")
