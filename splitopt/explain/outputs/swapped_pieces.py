"""Pieces of this run in one another's places, told by their SHA-256 before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from splitopt.base.text import printable
from splitopt.bundle.open import OpenBundle, Piece
from splitopt.explain.outputs.finding import Finding, Severity


def exchanged_findings(bundle: OpenBundle) -> list[Finding]:
    """One fault that names every file that holds the bytes of another place; or none."""
    moved = [piece for piece in bundle.pieces if piece.written_as is not None]
    if not moved:
        return []
    return [
        Finding(
            code="pieces_exchanged",
            severity=Severity.FAULT,
            title=_title(bundle, moved),
            where="pieces",
            evidence=tuple(
                f"{piece.name} has the SHA-256 that the run wrote as {_home(bundle, piece)}"
                for piece in moved[:8]
            ),
            next_step="put each file back in its place: "
            + ", ".join(f"{piece.name} to {_home(bundle, piece)}" for piece in moved[:8]),
            pieces=tuple(piece.index for piece in moved),
        )
    ]


def without_moved(findings: Sequence[Finding], moved: Sequence[Finding]) -> list[Finding]:
    """Causes that do not come of files in wrong places."""
    places = {index for finding in moved for index in finding.pieces}
    return [finding for finding in findings if not places & {*finding.pieces}]


def _home(bundle: OpenBundle, piece: Piece) -> str:
    """The name of the file that the run wrote with these bytes."""
    assert piece.written_as is not None
    return printable(Path(bundle.plan.segments[piece.written_as].piece or "").name)


def _title(bundle: OpenBundle, moved: Sequence[Piece]) -> str:
    first = moved[0]
    if (
        len(moved) == 2
        and first.written_as == moved[1].index
        and moved[1].written_as == first.index
    ):
        return f"pieces {first.name} and {moved[1].name} are exchanged"
    if len(moved) == 1:
        return f"{first.name} holds the piece that belongs to {_home(bundle, first)}"
    return f"{', '.join(piece.name for piece in moved[:8])} stand in one another's places"
