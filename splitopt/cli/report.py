"""splitopt report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import Json

EXAMPLE = "Example: splitopt report results/my_job/20261123-055205 --out review"


def report(
    folder: Annotated[Path, typer.Argument(help="A bundle, or a sweep's folder.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write to (default: ./report, then ./report-2, ...)."),
    ] = None,
    timing: Annotated[
        Path | None,
        typer.Option("--timing", help="A timing.json of `splitopt time` to show with a bundle."),
    ] = None,
    json: Json = False,
) -> None:
    """Write report.html and its figures (SVG, PNG) again, from the files of a finished run."""
    from splitopt.cli import console
    from splitopt.workflows.report import free_folder, write_report

    with console.progress() as progress:
        progress("writing the report")
        written = write_report(folder, out or free_folder(Path("report")), timing)
    if json:
        console.show_json({"files": [str(path) for path in written]})
    else:
        console.out.print(f"{len(written)} files; open {written[0]}", markup=False)
