"""The chain as a runner runs it: which boundary is the first to be wrong, constant, saturated?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from splitopt.bundle.open import OpenBundle
from splitopt.bundle.schema.outputs import BoundaryHealth, Finding, Severity
from splitopt.explain.outputs.array_compare import (
    distance,
    hardly_varies,
    percent,
    share,
)
from splitopt.explain.outputs.host_runs import Chain, Reference
from splitopt.runtime.arrays import Array, is_constant

_LIMIT = 0.5


def judge_chain(
    bundle: OpenBundle, chain: Chain, reference: Reference
) -> tuple[BoundaryHealth, ...]:
    """Every tensor that a piece makes for the outside, in the order they are made."""
    tensors = [t for t in bundle.handed_over if t in bundle.makers]
    return tuple(_passed(bundle, chain, reference, tensor) for tensor in tensors)


def _passed(bundle: OpenBundle, chain: Chain, reference: Reference, tensor: int) -> BoundaryHealth:
    want, got = reference.real(tensor), None
    if tensor in chain.arrays and chain.real(tensor)[0].size == want[0].size:
        got = chain.real(tensor)
    more = 0.0
    if got is not None:
        more = _at_limits(chain.arrays[tensor]) - _at_limits(reference.arrays[tensor])
    return BoundaryHealth(
        tensor=tensor,
        name=bundle.tensor_name(tensor),
        maker=bundle.makers[tensor].index,
        readers=tuple(piece.index for piece in bundle.readers.get(tensor, ())),
        chained=None if got is None else distance(want, got, reference.grid(tensor)),
        constant=got is not None and (is_constant(got) or hardly_varies(got, want)),
        saturated_share=max(0.0, more),
    )


def _at_limits(array: Array) -> float:
    if not np.issubdtype(array.dtype, np.integer):
        return 0.0
    limits = np.iinfo(array.dtype)
    return share((array == limits.min) | (array == limits.max))


def chain_findings(
    bundle: OpenBundle,
    chain: Chain,
    passed: Sequence[BoundaryHealth],
    reference: Reference,
    causes: Sequence[Finding],
    *,
    is_random: bool,
) -> Iterator[Finding]:
    """Constant outputs, and a chain that is wrong although nothing else was found."""
    faults = [cause for cause in causes if cause.severity is Severity.FAULT]
    if chain.stopped and not faults:
        yield Finding(
            code="chain_stopped",
            severity=Severity.FAULT,
            title="the chain of pieces does not run to its end",
            where="chain",
            evidence=(chain.stopped,),
            next_step="convert the piece that is named again",
        )
    lost = [p for p in passed if p.constant and not is_constant(reference.arrays[p.tensor])]
    yield from _constant_outputs(bundle, passed, lost, faults)
    if not faults and not chain.stopped:
        known = {tensor for cause in causes for tensor in cause.tensors}
        yield from _drift(bundle, [p for p in passed if p.tensor not in known])
    yield from _constant_model(bundle, reference, is_random=is_random)


def _constant_outputs(
    bundle: OpenBundle,
    passed: Sequence[BoundaryHealth],
    lost: Sequence[BoundaryHealth],
    faults: Sequence[Finding],
) -> Iterator[Finding]:
    """`lost`: what is constant in the chain only."""
    outputs = [p for p in lost if p.tensor in bundle.graph.outputs]
    if not outputs:
        return
    first = lost[0]
    saturated = next((p for p in passed if p.saturated_share > _LIMIT), None)
    evidence = [
        f"the first to be constant is {first.name}, made by "
        f"{bundle.makers[first.tensor].label}; the whole model's varies there",
    ]
    if saturated is not None:
        evidence.append(
            f"the first to be saturated is {saturated.name}: {percent(saturated.saturated_share)} "
            "more of its values lie at the limits of int8 than in the whole model"
        )
    cause = f"fix this first: {faults[0].title}" if faults else "look at the first piece named"
    yield Finding(
        code="constant_output",
        severity=Severity.FAULT,
        title="the output of the pieces is the same for every sample, the whole model's is not",
        where=f"chain, {outputs[0].name}",
        evidence=tuple(evidence),
        next_step=cause,
        tensors=(first.tensor,),
        pieces=() if first.maker is None else (first.maker,),
    )


def _drift(bundle: OpenBundle, passed: Sequence[BoundaryHealth]) -> Iterator[Finding]:
    """Every piece is right by itself and every boundary agrees: small errors have added up."""
    wrong = [p for p in passed if p.is_wrong]
    if not wrong:
        return
    first, reaches = wrong[0], any(p.tensor in bundle.graph.outputs for p in wrong)
    yield Finding(
        code="chain_drifts",
        severity=Severity.WARNING,
        title="errors add up along the chain, though every piece is close to right by itself",
        where=f"chain, {first.name}",
        evidence=(
            f"the first beyond tolerance is {first.name}: {first.chained}",
            "it reaches the outputs" if reaches else "the outputs are still close to right",
        ),
        next_step="use fewer pieces, or convert the whole model once and cut the int8 file: then "
        "the chain equals it bit for bit",
        tensors=(first.tensor,),
        pieces=() if first.maker is None else (first.maker,),
    )


def _constant_model(
    bundle: OpenBundle, reference: Reference, *, is_random: bool
) -> Iterator[Finding]:
    """A constant output that no cut causes. Of random inputs it tells only that they show little;
    one output of several may be the same for all of them and sound."""
    constant = [t for t in bundle.graph.outputs if is_constant(reference.arrays[t])]
    if is_random and len(constant) < len(bundle.graph.outputs):
        return
    for tensor in constant:
        yield Finding(
            code="constant_model",
            severity=Severity.WARNING if is_random else Severity.FAULT,
            title="the whole int8 model gives the same output for every sample, too",
            where=bundle.tensor_name(tensor),
            evidence=(f"{reference.count} samples through the unsplit model",),
            next_step="give samples as they are in use (--data): these say little of the pieces"
            if is_random
            else "splitting is not the cause: look at the model's calibration and at how the "
            "samples are prepared",
            tensors=(tensor,),
        )
