"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for results (default: the job's).")]
AllowCommands = Annotated[
    bool,
    typer.Option("--allow-commands", help="Run the programs that a job or target file names."),
]
OutJson = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for the same as JSON; never overwritten."),
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on", help="Exit 1 where this holds, e.g. 'peak_ram_bytes>65536'; repeatable."
    ),
]
