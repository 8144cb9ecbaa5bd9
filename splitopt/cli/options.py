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
Board = Annotated[
    str | None, typer.Option("--board", help="Board, by name or file; overrides the job's.")
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget", metavar="SIZE", help="RAM budget: 245760, 240K or 240KiB; overrides the job's."
    ),
]
Calibration = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        metavar="DATA[:KEY]",
        help="Samples of an ONNX or float model's input: data.npz:key, an .npy or a folder.",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print the details behind the answer, too.")
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        help="For planning, 60 where the job says nothing; overrides the job's.",
    ),
]
InputShape = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="NAME=SIZES",
        help="Shape of an ONNX model's input whose axes its file leaves open: image=1,3,48,192.",
    ),
]
