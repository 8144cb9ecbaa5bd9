"""Of two findings with one root, the one that a user can mend."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.bundle.schema_outputs import Finding, Severity

_OF_ITS_RANGE = frozenset({"calibration_range", "edited_scale", "computes_something_else"})


def refused_by_scale(contract: Sequence[Finding], alone: list[Finding]) -> list[Finding]:
    """Where TFLM refuses a piece one of whose ends has another scale than its neighbour's, the
    scale is the fault and the refusal its evidence; `alone` loses the refusal."""
    found = []
    for finding in contract:
        mine = [f for f in alone if f.code == "does_not_run" and {*f.pieces} & {*finding.pieces}]
        if finding.code == "boundary_quantisation" and mine:
            for refusal in mine:
                alone.remove(refusal)
            said = tuple(f"{f.title}: {text}" for f in mine for text in f.evidence)
            evidence = (*finding.evidence, *said)
            update = {"severity": Severity.FAULT, "evidence": evidence}
            found.append(finding.model_copy(update=update))
        else:
            found.append(finding)
    return found


def without_own_inputs(contract: Sequence[Finding], alone: Sequence[Finding]) -> list[Finding]:
    """A piece that was converted by itself may want the model's input in a scale of its own and be
    fed so: no fault, as long as it is right."""
    faulty = {index for finding in alone for index in finding.pieces}
    return [f for f in contract if not _is_of_input(f) or {*f.pieces} & faulty]


def not_explained_by_input(alone: Sequence[Finding], contract: Sequence[Finding]) -> list[Finding]:
    """Without what a piece does wrong because it reads the model's input in another scale."""
    faults = [f for f in contract if f.severity is Severity.FAULT]
    misread = {f.pieces for f in faults if _is_of_input(f)}
    return [f for f in alone if not (f.code in _OF_ITS_RANGE and f.pieces in misread)]


def _is_of_input(finding: Finding) -> bool:
    """Whether the maker of the tensor is no piece."""
    return finding.code == "boundary_quantisation" and len(finding.pieces) == 1
