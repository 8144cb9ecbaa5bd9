"""splitopt pack: offsets with the lowest high-water mark for buffers with live ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from splitopt.cli.options import Json

EXAMPLE = "Example: splitopt pack buffers.csv --capacity 1048576 --time-limit 10"


def pack(
    file: Annotated[Path, typer.Argument(help="A CSV file with the columns id,lower,upper,size.")],
    capacity: Annotated[
        int | None,
        typer.Option(
            "--capacity", min=0, help="Bytes that there are; any plan within them will do."
        ),
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.0, max=86400.0, help="Seconds.")
    ] = 60.0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Threads.")] = 2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the searches.")] = 0,
    json: Json = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for plan.csv.")] = None,
) -> None:
    """Pack buffers into a capacity, or say that they do not fit; without one, into the least bytes.

    The format is google/minimalloc's: a buffer lives in [lower, upper). Exit code 3: it does not
    fit the capacity.
    """
    from splitopt.bundle.folder import write_new_text
    from splitopt.cli import console
    from splitopt.workflows import pack as packing

    with console.progress() as progress:
        progress("packing")
        packed = packing.pack(file, capacity, time_limit_s=time_limit, workers=workers, seed=seed)
    document = {**packed.document, "offsets": list(packed.offsets)}
    if out is not None:
        document["plan"] = str(write_new_text(out, "plan.csv", packed.plan_csv))
    if json:
        console.show_json(document)
    else:
        console.show_lines(packed.line)
