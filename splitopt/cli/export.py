"""splitopt export: a bundle as C++ sources for firmware."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import Json

EXAMPLE = "Example: splitopt export results/my_job/20261123-055205 --out firmware/net"


def export(
    run_dir: Annotated[Path, typer.Argument(help="A bundle of `splitopt run`.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; must be absent or empty.")],
    json: Json = False,
) -> None:
    """Write the runner, the pieces as C arrays, the plan, a CMake file and a README."""
    from splitopt.cli import console
    from splitopt.workflows.export.exported import export_bundle

    with console.progress() as progress:
        written = export_bundle(run_dir, out, progress)
    if json:
        console.show_json({"out": str(out), "files": [path.name for path in written]})
    else:
        for path in written:
            console.out.print(str(path), markup=False, soft_wrap=True)
