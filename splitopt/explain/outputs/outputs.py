"""Why the outputs are constant or wrong after splitting, or that they are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from splitopt.base.progress import Progress
from splitopt.base.text import first_few
from splitopt.base.units import plural
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.schema.outputs import (
    BoundaryHealth,
    Difference,
    Finding,
    Outputs,
    PieceHealth,
    SamplesRun,
    Severity,
)
from splitopt.explain.outputs.array_compare import sound
from splitopt.explain.outputs.chain import chain_findings, judge_chain
from splitopt.explain.outputs.host_runs import Reference, run_chain, run_reference
from splitopt.explain.outputs.isolated_piece import IsolatedRun, run_isolated
from splitopt.explain.outputs.model_input import input_findings, input_statistics
from splitopt.explain.outputs.piece_faults import piece_findings
from splitopt.explain.outputs.root_causes import root_causes
from splitopt.explain.outputs.samples import Samples
from splitopt.explain.outputs.tensor_contract import contract_findings
from splitopt.runtime.arrays import is_constant


def explain_outputs(
    bundle: OpenBundle,
    samples: Samples,
    progress: Progress = lambda _: None,
    known: Sequence[Finding] = (),
) -> Outputs:
    """Runs the pieces in several ways and says why their outputs differ from the whole model's.

    `known`: findings made before any run. Raises ToolError where TFLM cannot run the whole model.
    """
    progress(f"running the whole model in TFLM on {plural(samples.count, 'sample')}")
    reference = run_reference(bundle, samples.feeds)
    statistics = input_statistics(bundle, samples)
    chain = run_chain(bundle, samples.feeds, progress)
    runs = run_isolated(bundle, reference, chain, progress)
    passed = judge_chain(bundle, chain, reference)
    faults = piece_findings(bundle, runs, reference, progress)
    causes = root_causes(bundle, contract_findings(bundle, reference), faults)
    replaced = _replaced(bundle)
    if _is_right(bundle, passed, reference):
        causes, replaced = (list(map(_harmless, found)) for found in (causes, replaced))
    own = [*samples.findings, *input_findings(bundle, samples, statistics)]
    causes = [*known, *own, *causes]
    outputs = [p.chained for p in passed if p.tensor in bundle.graph.outputs and p.chained]
    worst = min(outputs, key=lambda d: d.sqnr_db, default=None)
    chained = chain_findings(bundle, chain, passed, reference, causes, is_random=samples.is_random)
    found = [*replaced, *causes, *chained]
    findings = tuple(sorted(found, key=lambda finding: finding.severity.rank))
    return Outputs(
        verdict=_verdict(bundle, samples, worst, findings, passed),
        samples=SamplesRun(
            source=samples.source,
            run=samples.count,
            total=samples.total,
            random=samples.is_random,
            statistics=statistics,
        ),
        outputs=worst,
        pieces=tuple(_piece_health(bundle, run, passed) for run in runs),
        boundaries=passed,
        findings=findings,
    )


def _is_right(bundle: OpenBundle, passed: Sequence[BoundaryHealth], reference: Reference) -> bool:
    """Whether the chain's outputs are right, on samples that would show it if they were not."""
    outputs = [p for p in passed if p.tensor in bundle.graph.outputs]
    telling = any(not is_constant(reference.arrays[p.tensor]) for p in outputs)
    return telling and all(p.chained is not None and p.chained.is_right for p in outputs)


def _harmless(cause: Finding) -> Finding:
    """What does not reach the outputs is no fault of theirs."""
    if cause.severity is not Severity.FAULT:
        return cause
    said = "the outputs of the whole chain are right all the same"
    return cause.model_copy(
        update={"severity": Severity.WARNING, "evidence": (*cause.evidence, said)}
    )


def _replaced(bundle: OpenBundle) -> list[Finding]:
    """Pieces that are not the run's own: its proof and its figures do not hold for them."""
    replaced = [p for p in bundle.pieces if p.replaced and p.written_as is None]
    if not replaced:
        return []
    names = first_few([piece.name for piece in replaced])
    what = "the piece" if len(replaced) == 1 else "the pieces"
    return [
        Finding(
            code="piece_replaced",
            severity=Severity.FAULT,
            title=f"{names}: not {what} that the run wrote",
            where="pieces",
            evidence=("SHA-256 differs from what plan.json has; the run's proof does not hold",),
            next_step="put back what the run wrote, or run the job again; nothing if the piece is "
            "yours, and is to be judged here (export refuses it)",
            pieces=tuple(piece.index for piece in replaced),
        )
    ]


def _piece_health(
    bundle: OpenBundle, run: IsolatedRun, passed: Sequence[BoundaryHealth]
) -> PieceHealth:
    piece = run.piece
    mine = [p for p in passed if p.maker == piece.index]
    distances = [p.chained for p in mine if p.chained is not None]
    chained = min(distances, key=lambda d: d.sqnr_db, default=None)
    return PieceHealth(
        index=piece.index,
        file=piece.name,
        start=piece.segment.start,
        stop=piece.segment.stop,
        isolated=run.worst,
        chained=chained,
        verdict=_piece_verdict(bundle, run, chained, passed),
    )


def _piece_verdict(
    bundle: OpenBundle,
    run: IsolatedRun,
    chained: Difference | None,
    passed: Sequence[BoundaryHealth],
) -> str:
    if not run.ran:
        return "does not run" if run.refused else "can not be fed"
    if run.is_wrong:
        return "wrong by itself"
    if chained is None:
        return "right by itself, not reached in the chain"
    if not chained.is_wrong:
        return "right"
    wrong = {p.tensor: p for p in passed if p.is_wrong}
    fed = [t for t in run.piece.segment.inputs if t in wrong]
    if fed:
        return f"right by itself, fed a wrong tensor {fed[0]} by piece {wrong[fed[0]].maker}"
    odd = [t for t, own in run.piece.inputs if _differs(bundle, t, own)]
    return (
        f"right by itself, misreads tensor {odd[0]}"
        if odd
        else "right by itself, wrong in the chain"
    )


def _differs(bundle: OpenBundle, tensor: int, own: Any) -> bool:
    whole = bundle.graph.tensors[tensor]
    return not sound(own) or own.quantization != whole.quantization or own.shape != whole.shape


def _verdict(
    bundle: OpenBundle,
    samples: Samples,
    worst: Difference | None,
    findings: Sequence[Finding],
    passed: Sequence[BoundaryHealth],
) -> str:
    """One sentence; where something is wrong, how wrong and how much was found."""
    faults = [f for f in findings if f.severity is Severity.FAULT]
    on = f"on {plural(samples.count, 'sample')} ({'random' if samples.is_random else 'real'})"
    pieces = plural(len(bundle.plan.segments), "piece")
    if worst is None:
        return f"The chain of {pieces} does not reach the outputs: {_count(faults)}."
    constant = any(p.constant for p in passed if p.tensor in bundle.graph.outputs)
    shape = ", the same for every sample" if constant else ""
    lsb = "" if worst.lsb is None else f", at most {worst.lsb:.3g} steps"
    if not faults and worst.is_right:
        warnings = [f for f in findings if f.severity is Severity.WARNING]
        more = f" ({plural(len(warnings), 'warning')} below)" if warnings else ""
        if worst.largest == 0:
            return (
                f"No fault found: the chain of {pieces} equals the whole model {on}, "
                f"worst difference 0{shape}{more}."
            )
        return (
            f"No fault found: the chain of {pieces} is as the whole model {on}, {worst}, worst "
            f"difference {worst.largest:.4g}{lsb}{shape}{more}."
        )
    state = "are right" if worst.is_right else "are off" if not worst.is_wrong else "are wrong"
    return (
        f"The outputs of {pieces} {state} against the whole model {on}: {worst}, worst difference "
        f"{worst.largest:.4g}{lsb}{shape}; {_count(faults)}."
    )


def _count(faults: Sequence[Finding]) -> str:
    return f"{plural(len(faults), 'fault')} found" if faults else "no single fault found"
