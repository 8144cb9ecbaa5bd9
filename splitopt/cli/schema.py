"""splitopt schema."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from splitopt.cli.options import Json, OutJson

EXAMPLE = "Example: splitopt schema job > job.schema.json"


class Kind(StrEnum):
    """What there is a schema of."""

    JOB = "job"
    BOARD = "board"
    SWEEP = "sweep"
    TARGET = "target"
    PLAN = "plan"


def schema(
    kind: Annotated[Kind, typer.Argument(help="Which file it is of; plan: a bundle's plan.json.")],
    json: Json = False,
    out: OutJson = None,
) -> None:
    """Print the JSON Schema of a file, for editors that complete and check what you type."""
    from splitopt.bundle.folder import write_new
    from splitopt.cli import console
    from splitopt.workflows.schema import schema_of

    document = schema_of(kind.value)
    if out is not None:
        write_new(out, f"{kind.value}.schema.json", document)
    console.show_json(document)
