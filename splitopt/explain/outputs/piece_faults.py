"""What is wrong with an isolated piece: its connections, its ranges, or what it computes.

The first of the three that explains it is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from splitopt.base.owned_folder import scratch_folder
from splitopt.base.progress import Progress
from splitopt.base.units import plural
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.schema.outputs import Difference, Finding, Severity
from splitopt.explain.outputs.constants import OddBias, Weights, compare_weights, odd_bias
from splitopt.explain.outputs.host_runs import Reference
from splitopt.explain.outputs.isolated_piece import IsolatedRun
from splitopt.explain.outputs.unsplit_coverage import (
    End,
    Inside,
    coarse_or_clipped,
    ends_of,
    explained_by_ends,
    worst_inside,
)
from splitopt.explain.outputs.wiring import find_rewiring, rewiring_findings
from splitopt.runtime.arrays import is_constant

_RECALIBRATE = (
    "calibrate this piece on what the model before it really makes of your samples, not on random "
    "data, or convert the whole model once and cut the int8 file"
)


def piece_findings(
    bundle: OpenBundle,
    runs: Sequence[IsolatedRun],
    reference: Reference,
    progress: Progress,
) -> list[Finding]:
    """One cause for each piece that is not right by itself, in the order of the pieces."""
    found: list[Finding] = []
    with scratch_folder("pieces") as folder:
        for run in runs:
            if run.refused:
                odd = odd_bias(run.piece.graph)
                found.append(_does_not_run(run) if odd is None else _edited_scale(run, odd))
            elif run.is_wrong:
                progress(f"looking for what is wrong with {run.piece.label}")
                found += _why_wrong(bundle, run, reference, folder)
            elif run.ran and not run.is_right:
                found.append(_noisy(run, reference))
    return found


def _does_not_run(run: IsolatedRun) -> Finding:
    return Finding(
        code="does_not_run",
        severity=Severity.FAULT,
        title=f"{run.piece.label} does not run in TFLM",
        where=run.piece.label,
        evidence=(run.refused,),
        next_step="convert it again with ops and element types that TFLM registers",
        pieces=(run.piece.index,),
    )


def _why_wrong(
    bundle: OpenBundle, run: IsolatedRun, reference: Reference, folder: Path
) -> Iterator[Finding]:
    rewiring = find_rewiring(bundle, run, reference)
    if rewiring is not None:
        yield from rewiring_findings(bundle, run, rewiring)
        return
    bad = coarse_or_clipped(ends_of(run.piece, reference))
    if bad:
        explained = explained_by_ends(bundle, run, reference, folder)
        yield _range_finding(bundle, run, bad, explained)
        return
    odd = odd_bias(run.piece.graph)
    if odd is not None:
        yield _edited_scale(run, odd)
        return
    other = _other_ops(bundle, run.piece)
    weights = compare_weights(bundle, run.piece)
    inside = None if other else worst_inside(bundle, run, reference, folder)
    if inside is not None and not weights.missing:
        yield _inner_range(run, inside)
        return
    if inside is not None:
        other.append(str(inside))
    yield _computes_something_else(bundle, run, other, weights)


def _edited_scale(run: IsolatedRun, odd: OddBias) -> Finding:
    return Finding(
        code="edited_scale",
        severity=Severity.FAULT,
        title=f"the scales inside {run.piece.label} do not fit together",
        where=f"{run.piece.label}, {odd.op}",
        evidence=(str(odd), run.refused or _said(run)),
        next_step="do not edit scales in a file: leave them as they were converted and insert a "
        "QUANTIZE op at the boundary, or convert this piece again",
        figures={"factor": odd.factor},
        pieces=(run.piece.index,),
    )


def _inner_range(run: IsolatedRun, inside: Inside) -> Finding:
    return Finding(
        code="inner_range",
        severity=Severity.FAULT,
        title=f"the calibration of {run.piece.label} does not cover what happens inside it",
        where=run.piece.label,
        evidence=(str(inside), _said(run), "its ops and its weights are the model's"),
        next_step=_RECALIBRATE,
        figures={"clipped_share": inside.clipped, "usual_share": inside.usual},
        pieces=(run.piece.index,),
    )


def _said(run: IsolatedRun) -> str:
    worst = run.worst
    assert worst is not None
    return f"fed with the whole model's own values it is wrong: {worst}"


def _range_finding(
    bundle: OpenBundle, run: IsolatedRun, bad: Sequence[End], explained: bool
) -> Finding:
    """The worst end in the title, all of them as evidence."""
    first, piece = bad[0], run.piece
    narrow = first.clipped > 0 and not (first.is_coarse and first.clipped < 0.005)
    what = "does not cover the data" if narrow else "is far wider than the data"
    worst = run.worst
    evidence = [*map(str, bad[:4])]
    evidence.append(f"by itself: {worst}")
    if explained:
        evidence.append(
            "squeezed into the same ranges, our own piece does the same: no more is wrong with it"
        )
    return Finding(
        code="calibration_range",
        severity=Severity.FAULT,
        title=f"the calibration range of {piece.label} {what}",
        where=f"{piece.label}, {bundle.tensor_name(first.tensor)}",
        evidence=tuple(evidence),
        next_step=_RECALIBRATE,
        figures={
            "clipped_share": first.clipped,
            "piece_low": first.grid.low,
            "piece_high": first.grid.high,
            "data_low": first.low,
            "data_high": first.high,
            "explained": str(explained).lower(),
        },
        tensors=tuple(dict.fromkeys(end.tensor for end in bad)),
        pieces=(piece.index,),
    )


def _noisy(run: IsolatedRun, reference: Reference) -> Finding:
    """Not wrong, but further off than one int8 computation is from another."""
    bad = coarse_or_clipped(ends_of(run.piece, reference))
    worst = run.worst
    assert worst is not None
    return Finding(
        code="noisy_piece",
        severity=Severity.WARNING if bad else Severity.NOTE,
        title=f"{run.piece.label} is less exact than an int8 piece is as a rule",
        where=run.piece.label,
        evidence=(_off_by(worst), *map(str, bad[:4])),
        next_step=_RECALIBRATE if bad else "nothing, if the outputs are good enough",
        figures={"sqnr_db": worst.sqnr_db},
        tensors=tuple(dict.fromkeys(end.tensor for end in bad)),
        pieces=(run.piece.index,),
    )


def _off_by(worst: Difference) -> str:
    steps = "" if worst.lsb is None else f", at most {worst.lsb:.3g} steps of the whole model off"
    return f"by itself, fed with the whole model's own values: {worst}{steps}"


def _computes_something_else(
    bundle: OpenBundle, run: IsolatedRun, other: Sequence[str], weights: Weights
) -> Finding:
    evidence = [_said(run), *other]
    if weights.missing:
        tensors = plural(weights.total, "weight tensor")
        evidence.append(f"{weights.missing} of the model's {tensors} are not in the file")
    elif not other:
        evidence.append("its ops and weights are the model's: biases or options differ")
    if any(is_constant(array) for array in run.outputs):
        evidence.append("its output is the same for every sample, whatever it is fed")
    return Finding(
        code="computes_something_else",
        severity=Severity.FAULT,
        title=f"{run.piece.label} computes something else than ops {run.piece.segment.start} to "
        f"{run.piece.segment.stop - 1} of the model",
        where=run.piece.label,
        evidence=tuple(evidence),
        next_step="cut this piece again from the model that the plan names; no other order of its "
        "inputs and outputs, no other layout and no range explains it",
        pieces=(run.piece.index,),
    )


def _other_ops(bundle: OpenBundle, piece: Piece) -> list[str]:
    """How its ops differ from the plan's, and whose they are; empty where they are the same."""
    whole = [op.type for op in bundle.graph.ops]
    got = [op.type for op in piece.graph.ops]
    want = whole[piece.segment.start : piece.segment.stop]
    if sorted(got) == sorted(want):
        return []
    said = [
        f"it has {plural(len(got), 'op')} ({_types(got)}), the plan {len(want)} ({_types(want)})"
    ]
    said += [
        f"these are the ops of {other.label}'s place (ops {other.segment.start} to "
        f"{other.segment.stop - 1}): the files may be exchanged"
        for other in bundle.pieces
        if other is not piece and whole[other.segment.start : other.segment.stop] == got
    ][:1]
    return said


def _types(types: Sequence[str]) -> str:
    counts = Counter(types).most_common(5)
    return ", ".join(f"{count} {name}" for name, count in counts)
