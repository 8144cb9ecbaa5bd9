"""splitopt boards."""

from __future__ import annotations

from typing import Annotated

import typer

from splitopt.cli.options import Json, OutJson

EXAMPLE = "Example: splitopt boards --json"


def boards(
    json: Json = False,
    out: OutJson = None,
    sources: Annotated[
        bool, typer.Option("--sources", help="Say where each board's figures come from.")
    ] = False,
) -> None:
    """List the boards that jobs can name, with their RAM and where the figures come from."""
    from splitopt.cli import console
    from splitopt.config.board import known_boards

    known = known_boards()
    document = [{**b.model_dump(), "budget_bytes": b.budget_bytes} for b in known]
    if out is not None:
        from splitopt.bundle.folder import write_new

        write_new(out, "boards.json", document)
    if json:
        console.show_json(document)
        return
    rows = [
        (b.name, f"{b.sram_bytes:,}", f"{b.budget_bytes:,}", f"{b.headroom_bytes:,}", b.abi)
        for b in known
    ]
    console.show_table(("board", "SRAM B", "budget B", "headroom B", "ABI"), rows)
    if sources:
        for b in known:
            console.out.print(f"{b.name}: {b.description} Source: {b.source}\n", markup=False)
    else:
        console.out.print("Where the figures come from: splitopt boards --sources")
