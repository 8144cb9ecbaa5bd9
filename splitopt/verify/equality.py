"""Pieces run one after another in real TFLM equal the unsplit model, bit for bit.

Two comparisons, each on every input: outputs of the chain of pieces against the unsplit model in
TFLM, and every boundary tensor against the same tensor inside the unsplit model, so that the first
piece that differs is named. Where the unsplit model hands over what is the same for all inputs,
both say little: pieces are then run alone, too, and a warning says where no output varies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from splitopt.base.units import plural
from splitopt.graph.model import ModelGraph
from splitopt.runtime.arrays import Array, difference
from splitopt.verify.chains import PieceFile, boundary_tensors, run_pieces, run_whole
from splitopt.verify.check import Check, CheckStatus, named_tensor
from splitopt.verify.pieces_alone import pieces_alone
from splitopt.verify.varied import varied_check


def verify_pieces(
    graph: ModelGraph,
    model: Path,
    pieces: Sequence[PieceFile],
    feeds: Sequence[Array],
    *,
    timeout_s: float,
) -> tuple[Check, ...]:
    """Runs model and pieces on the feeds (one array [N, *shape] per model input).

    Raises ToolError where an interpreter cannot run a file at all.
    """
    fed = dict(zip(graph.inputs, feeds, strict=True))
    inner = [t for t in boundary_tensors(pieces) if t not in graph.outputs]
    whole = run_whole(graph, model, fed, timeout_s)
    tapped = run_whole(graph, model, fed, timeout_s, inner) if inner else whole
    chained = run_pieces(pieces, [graph] * len(pieces), fed, timeout_s)
    count = len(feeds[0])
    return (
        _output_check(graph, pieces, whole, chained, count),
        _boundary_check(graph, pieces, tapped, chained, inner, count),
        *pieces_alone(graph, pieces, fed, tapped, timeout_s),
        *varied_check(graph, fed, tapped, inner),
    )


def _output_check(
    graph: ModelGraph,
    pieces: Sequence[PieceFile],
    want: Mapping[int, Array],
    got: Mapping[int, Array],
    count: int,
) -> Check:
    compared = f"pieces in TFLM{_by_rows(pieces)} = unsplit model in TFLM"
    worst = max((difference(want[t], got[t]) for t in graph.outputs), default=0.0)
    wrong = [t for t in graph.outputs if not _same_bits(want[t], got[t])]
    if not wrong:
        return Check("outputs", CheckStatus.PASSED, compared, count, worst)
    k = next(k for k, piece in enumerate(pieces) if wrong[0] in piece.segment.outputs)
    detail = (
        f"output {named_tensor(graph, wrong[0])} differs, made by piece {k} ({pieces[k].name}"
        f"{first_wrong_row(pieces[k], wrong[0], want, got)})"
    )
    return Check("outputs", CheckStatus.FAILED, compared, count, worst, detail)


def _by_rows(pieces: Sequence[PieceFile]) -> str:
    """How many run in bands and as streams, in brackets."""
    banded = [len(piece.executions) for piece in pieces if piece.executions]
    streams = [piece.stream.stream for piece in pieces if piece.stream is not None]
    said = []
    if banded:
        said.append(f"{len(banded)} of them in {plural(sum(banded), 'band')}")
    if streams:
        groups = plural(sum(len(stream.groups) for stream in streams), "group")
        invokes = sum(stream.invokes for stream in streams)
        said.append(f"{len(streams)} of them streamed, by {groups} and {invokes} Invokes")
    return f" ({', '.join(said)})" if said else ""


def first_wrong_row(
    piece: PieceFile, tensor: int, want: Mapping[int, Array], got: Mapping[int, Array]
) -> str:
    """Of what a stream makes, the first row that differs in some sample, and whose it is."""
    if piece.stream is None or want[tensor].shape != got[tensor].shape:
        return ""
    differs = (want[tensor] != got[tensor]).any(axis=(0, 1, *range(3, want[tensor].ndim)))
    maker = next(
        group
        for group, own in enumerate(piece.stream.stream.groups)
        if any(made.tensor == tensor and made.is_output for made in own.outputs)
    )
    row, path = int(np.argmax(differs)), piece.stream.paths[maker]
    return f", from row {row} on, by group {maker} ({path.name})"


def _boundary_check(
    graph: ModelGraph,
    pieces: Sequence[PieceFile],
    want: Mapping[int, Array],
    got: Mapping[int, Array],
    inner: Sequence[int],
    count: int,
) -> Check:
    """The first boundary tensor that differs names the piece that made it."""
    if not inner:
        return Check.skipped("boundaries", "no boundary tensors", "one piece")
    compared = (
        f"{plural(len(inner), 'boundary tensor')} = the same inside the unsplit model in TFLM"
    )
    for k, piece in enumerate(pieces):
        for tensor in (t for t in piece.segment.outputs if t in inner):
            if not _same_bits(want[tensor], got[tensor]):
                name = named_tensor(graph, tensor)
                row = first_wrong_row(piece, tensor, want, got)
                detail = f"piece {k} ({piece.name}) is the first to differ: {name}{row}"
                worst = difference(want[tensor], got[tensor])
                return Check("boundaries", CheckStatus.FAILED, compared, count, worst, detail)
    return Check("boundaries", CheckStatus.PASSED, compared, count, 0)


def _same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
