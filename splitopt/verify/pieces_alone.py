"""Pieces by themselves, on random values of their inputs, where the chain feeds them constants.

A boundary tensor that is the same for all inputs of the model says little of the piece behind it.
Such a piece is run on random values of it, and so are the unsplit model's ops of its segment, as a
model of their own on all rows: outputs must be equal, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.base.owned_folder import scratch_folder
from splitopt.base.units import plural
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.pieces.writer import write_piece
from splitopt.planning.state import stateful_ops
from splitopt.runtime.arrays import Array, arena_bytes, difference, is_constant, random_values
from splitopt.runtime.host import Stage, run_tflm_chain
from splitopt.verify.chains import PieceFile, names_of, stage_of
from splitopt.verify.check import Check, CheckStatus, named_tensor

_SEED = 0
_FED, _OPS, _PIECE = "fed", "ops", "piece"
_WIDE_BYTES = 4
"""Integers of so many bytes are shapes, axes and indices, for which not every value will do."""


@dataclass(frozen=True)
class _Alone:
    """A segment whose pieces are to be run by themselves."""

    segment: Segment
    pieces: tuple[PieceFile, ...]

    def name(self, kind: str, tensor: object) -> str:
        return f"{kind} {self.segment.start} {tensor}"

    def named(self, stage: Stage, kind: str) -> Stage:
        """The stage with names that no other segment has; `kind`: of what it makes."""
        places, inputs = stage.places, {*stage.inputs}
        if places is not None:
            offsets = {
                self.name(_FED if end in inputs else kind, end): offset
                for end, offset in places.offsets.items()
            }
            places = replace(places, offsets=offsets)
        return replace(
            stage,
            inputs=tuple(self.name(_FED, tensor) for tensor in stage.inputs),
            outputs=tuple(self.name(kind, tensor) for tensor in stage.outputs),
            places=places,
        )


def pieces_alone(
    graph: ModelGraph,
    pieces: Sequence[PieceFile],
    fed: Mapping[int, Array],
    whole: Mapping[int, Array],
    timeout_s: float,
) -> Iterator[Check]:
    """Nothing where the chain feeds no piece a constant, and for models that keep a state.

    `fed`: the model's inputs, tensor → [N, *shape]; `whole`: what pieces hand over and its outputs,
    inside the unsplit model.
    """
    whole = {**fed, **whole}
    chosen = [
        _Alone(own[0].segment, own)
        for own in _by_segment(pieces)
        if any(_is_replaced(whole[t]) for t in own[0].segment.inputs if t not in fed)
    ]
    if not chosen or stateful_ops(graph):
        return
    count = len(whole[graph.outputs[0]])
    compared = (
        f"{plural(len(chosen), 'piece')} with inputs that are constant in the chain, alone on "
        "random ones = the same ops of the unsplit model in TFLM"
    )
    try:
        made = _run(graph, chosen, whole, timeout_s)
    except ToolError as error:
        yield Check.skipped("pieces_alone", compared, f"could not be made: {error}")
        return
    pairs = [(alone, tensor) for alone in chosen for tensor in alone.segment.outputs]
    for alone, tensor in pairs:
        want, got = (made[alone.name(kind, tensor)] for kind in (_OPS, _PIECE))
        if want.tobytes() != got.tobytes():
            detail = f"{alone.pieces[0].name}: {named_tensor(graph, tensor)} differs"
            worst = difference(want, got)
            yield Check("pieces_alone", CheckStatus.FAILED, compared, count, worst, detail)
            return
    yield Check("pieces_alone", CheckStatus.PASSED, compared, count, 0)


def _by_segment(pieces: Sequence[PieceFile]) -> list[tuple[PieceFile, ...]]:
    """One for each segment: one in bands has a piece for each height."""
    groups = groupby(pieces, lambda piece: (piece.segment.start, piece.segment.stop))
    return [tuple(group) for _, group in groups]


def _is_replaced(values: Array) -> bool:
    narrow = values.dtype.kind == "f" or values.dtype.itemsize < _WIDE_BYTES
    return values.size > 0 and narrow and values.dtype.kind != "b" and is_constant(values)


def _run(
    graph: ModelGraph, chosen: Sequence[_Alone], whole: Mapping[int, Array], timeout_s: float
) -> dict[str, Array]:
    """All that pieces and ops make, by name, from one child process. Raises ToolError."""
    random = np.random.default_rng(_SEED)
    stages: list[Stage] = []
    feeds: dict[str, Array] = {}
    with scratch_folder("alone") as folder:
        for alone in chosen:
            for tensor in alone.segment.inputs:
                values = whole[tensor]
                if _is_replaced(values):
                    values = random_values(graph.tensors[tensor], len(values), random)
                feeds[alone.name(_FED, tensor)] = values
            stages.append(alone.named(_ops_stage(graph, alone.segment, folder), _OPS))
            stages += [alone.named(stage_of(piece, graph), _PIECE) for piece in alone.pieces]
        return run_tflm_chain(stages, feeds, timeout_s=timeout_s)


def _ops_stage(graph: ModelGraph, segment: Segment, folder: Path) -> Stage:
    path = folder / f"{segment.start}.tflite"
    path.write_bytes(write_piece(graph, segment))
    ends = names_of(segment.inputs), names_of(segment.outputs)
    return Stage(path, *ends, arena_bytes(graph))
