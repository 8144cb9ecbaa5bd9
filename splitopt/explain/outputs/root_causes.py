"""Of findings with one root, the one that a user can fix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from splitopt.base.text import printable
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.schema.outputs import Finding, Severity

_OF_ITS_RANGE = frozenset({"calibration_range", "edited_scale", "computes_something_else"})
_CONNECTIONS = frozenset({"wrong_tensor", "wrong_layout"})
_TRACES = frozenset({"boundary_quantisation", "boundary_shape", "wrong_tensor"})


def root_causes(
    bundle: OpenBundle, boundaries: Sequence[Finding], pieces: Sequence[Finding]
) -> list[Finding]:
    """`boundaries`: what was found where tensors are handed over; `pieces`: in isolated pieces.

    Pieces that stand in one another's places explain all that was found of them.
    """
    boundaries, pieces = _refused_by_scale(boundaries, pieces)
    if bundle.plan.route == "pieces":
        boundaries = _without_own_inputs(boundaries, pieces)
    pieces = _not_explained_by_input(pieces, boundaries)
    swapped = _swapped(bundle)
    places = {index for finding in swapped for index in finding.pieces}
    found = [*_without_traces(boundaries, pieces), *pieces]
    return [*swapped, *(finding for finding in found if not places & {*finding.pieces})]


def _refused_by_scale(
    boundaries: Sequence[Finding], pieces: Sequence[Finding]
) -> tuple[list[Finding], list[Finding]]:
    """Where TFLM refuses a piece one of whose ends has another scale than its neighbour's, the
    scale is the fault and the refusal its evidence."""
    found, rest = [], list(pieces)
    for finding in boundaries:
        mine = [f for f in rest if f.code == "does_not_run" and {*f.pieces} & {*finding.pieces}]
        if finding.code == "boundary_quantisation" and mine:
            rest = [f for f in rest if f not in mine]
            said = (f"{f.title}: {text}" for f in mine for text in f.evidence)
            changed = {"severity": Severity.FAULT, "evidence": (*finding.evidence, *said)}
            finding = finding.model_copy(update=changed)
        found.append(finding)
    return found, rest


def _without_own_inputs(boundaries: Sequence[Finding], pieces: Sequence[Finding]) -> list[Finding]:
    """A piece that was converted by itself may want the model's input in a scale of its own and be
    fed so: no fault, as long as it is right."""
    faulty = {index for finding in pieces for index in finding.pieces}
    return [f for f in boundaries if not _is_of_input(f) or {*f.pieces} & faulty]


def _not_explained_by_input(
    pieces: Sequence[Finding], boundaries: Sequence[Finding]
) -> list[Finding]:
    """Without what a piece does wrong because it reads the model's input in another scale."""
    faults = [f for f in boundaries if f.severity is Severity.FAULT]
    misread = {f.pieces for f in faults if _is_of_input(f)}
    return [f for f in pieces if not (f.code in _OF_ITS_RANGE and f.pieces in misread)]


def _is_of_input(finding: Finding) -> bool:
    """Whether no piece makes the tensor."""
    return finding.code == "boundary_quantisation" and len(finding.pieces) == 1


def _without_traces(boundaries: Sequence[Finding], pieces: Sequence[Finding]) -> list[Finding]:
    """Without differences at a boundary that are but the trace of a wrong connection."""
    rewired = [finding for finding in pieces if finding.code in _CONNECTIONS]

    def is_trace(finding: Finding) -> bool:
        return finding.code in _TRACES and any(
            {*finding.tensors} & {*cause.tensors}
            and (finding.code == "wrong_tensor" or {*finding.pieces} & {*cause.pieces})
            for cause in rewired
        )

    return [finding for finding in boundaries if not is_trace(finding)]


def _swapped(bundle: OpenBundle) -> list[Finding]:
    """One fault that names every file that holds the bytes of another place, by SHA-256."""
    moved = [(p, _home(bundle, p.written_as)) for p in bundle.pieces if p.written_as is not None]
    if not moved:
        return []
    return [
        Finding(
            code="pieces_exchanged",
            severity=Severity.FAULT,
            title=_title(moved),
            where="pieces",
            evidence=tuple(
                f"{piece.name} has the SHA-256 that the run wrote as {home}"
                for piece, home in moved[:8]
            ),
            next_step="put each file back in its place: "
            + ", ".join(f"{piece.name} to {home}" for piece, home in moved[:8]),
            pieces=tuple(piece.index for piece, _ in moved),
        )
    ]


def _home(bundle: OpenBundle, place: int) -> str:
    """The name of the file that the run wrote there."""
    name = bundle.plan.segments[place].piece
    return f"the groups of segment {place}" if name is None else printable(Path(name).name)


def _title(moved: Sequence[tuple[Piece, str]]) -> str:
    first, home = moved[0]
    if len(moved) == 1:
        return f"{first.name} holds the piece that belongs to {home}"
    second = moved[1][0]
    if len(moved) == 2 and (first.written_as, second.written_as) == (second.index, first.index):
        return f"pieces {first.name} and {second.name} are exchanged"
    return f"{', '.join(piece.name for piece, _ in moved[:8])} stand in one another's places"
