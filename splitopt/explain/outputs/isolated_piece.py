"""Each piece by itself, fed with the whole model's own values: is it right?

A piece that is right here and wrong in the chain is not at fault: it is fed the wrong thing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splitopt.base.progress import Progress
from splitopt.base.units import plural
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.schema.outputs import Difference
from splitopt.explain.outputs.array_compare import distance, real, stored
from splitopt.explain.outputs.host_runs import (
    Chain,
    Outputs,
    Reference,
    Refused,
    can_be_fed,
    isolated,
    run_trials,
    timeout_s,
)
from splitopt.runtime.arrays import Array


@dataclass(frozen=True)
class IsolatedRun:
    """A piece by itself. `outputs`: as stored, one per output; empty where it did not run.

    `distances`: each output from the same tensor inside the whole model. `refused`: what TFLM
    said; empty where it ran or could not be fed at all.
    """

    piece: Piece
    outputs: Outputs
    distances: tuple[Difference, ...]
    refused: str = ""

    @property
    def ran(self) -> bool:
        return bool(self.outputs)

    @property
    def worst(self) -> Difference | None:
        return min(self.distances, key=lambda d: d.sqnr_db, default=None)

    @property
    def is_wrong(self) -> bool:
        return any(d.is_wrong for d in self.distances)

    @property
    def is_right(self) -> bool:
        return self.ran and all(d.is_right for d in self.distances)

    def real(self, position: int) -> Array:
        graph = self.piece.graph
        return real(self.outputs[position], graph.tensors[graph.outputs[position]])


def run_isolated(
    bundle: OpenBundle, reference: Reference, chain: Chain, progress: Progress
) -> tuple[IsolatedRun, ...]:
    """One answer per piece of the plan, in its order."""
    fit = [piece for piece in bundle.pieces if can_be_fed(piece, bundle.graph)]
    made: dict[int, Outputs | Refused] = {}
    for piece in fit:
        same = _as_in_chain(piece, reference, chain)
        if same is not None:
            made[piece.index] = same
    rest = [piece for piece in fit if piece.index not in made]
    progress(f"running {plural(len(rest), 'piece')} by itself in TFLM")
    trials = run_trials([isolated(piece, reference) for piece in rest], timeout_s(bundle))
    made |= {piece.index: outputs for piece, outputs in zip(rest, trials, strict=True)}
    found = {piece.index: _judge(piece, made[piece.index], reference) for piece in fit}
    return tuple(found.get(piece.index, IsolatedRun(piece, (), ())) for piece in bundle.pieces)


def _as_in_chain(piece: Piece, reference: Reference, chain: Chain) -> Outputs | None:
    """What the chain made of it, where that fed it, bit for bit, as it is to be fed by itself."""
    if any(
        tensor not in chain.arrays for tensor in (*piece.segment.inputs, *piece.segment.outputs)
    ):
        return None
    for tensor, own in piece.inputs:
        fed = chain.arrays[tensor]
        want = stored(reference.real(tensor), own)
        if fed.dtype != want.dtype or fed.shape != want.shape or not np.array_equal(fed, want):
            return None
    return tuple(chain.arrays[tensor] for tensor in piece.segment.outputs)


def _judge(piece: Piece, made: Outputs | Refused, reference: Reference) -> IsolatedRun:
    if isinstance(made, Refused):
        return IsolatedRun(piece, (), (), made.reason)
    distances = tuple(
        distance(reference.real(tensor), real(array, own), reference.grid(tensor))
        for array, (tensor, own) in zip(made, piece.outputs, strict=True)
    )
    return IsolatedRun(piece, made, distances)
