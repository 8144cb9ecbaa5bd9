"""splitopt export: a bundle as C++ sources for firmware."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import Json, Verbose

EXAMPLE = """\
Example: splitopt export results/my_job/20261123-055205 --out firmware/net

Example: splitopt export results/my_job/20261123-055205 --as zephyr --out modules/net"""


class Layout(StrEnum):
    """Those of workflows/export/layouts.py."""

    CMAKE = "cmake"
    ZEPHYR = "zephyr"
    CMSIS_PACK = "cmsis-pack"
    ARDUINO = "arduino"


def export(
    run_dir: Annotated[Path, typer.Argument(help="A bundle of `splitopt run`.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; must be absent or empty.")],
    layout: Annotated[
        Layout,
        typer.Option(
            "--as",
            help="A flat folder with a CMakeLists.txt, a Zephyr module, a CMSIS-Pack (.pdsc, "
            "clayer.yml), or an Arduino library. The C++ is the same.",
        ),
    ] = Layout.CMAKE,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Of the C++ namespace and build target, so that several exports go into one "
            "firmware; the job's name if not given.",
        ),
    ] = None,
    verbose: Verbose = False,
    json: Json = False,
) -> None:
    """Write the runner, the pieces as C arrays, the plan, build files, a README, and a check.

    On a board the check prints what `splitopt time --log` and `splitopt calibrate --log` read.
    """
    from splitopt.cli import console
    from splitopt.workflows.export.exported import export_bundle, export_lines

    with console.progress() as progress:
        written = export_bundle(run_dir, out, progress, layout=layout.value, name=name)
    if json:
        names = [path.relative_to(out).as_posix() for path in written.files]
        document = {"out": str(out), "as": layout.value, "files": names}
        console.show_json(document | {"unproved": written.unproved or None})
    elif verbose:
        console.show_lines("\n".join(map(str, written.files)))
    if not json:
        console.show_lines("\n".join(export_lines(run_dir, out, written)))
    if written.unproved:
        console.show_warning(written.unproved)
