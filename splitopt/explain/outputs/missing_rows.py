"""What runs on some rows as it would be on all: faults of it are found as those of any piece.

A banded piece differs from one on all rows in nothing but the rows of its activations. So its file
is written again with all of them, beside the bundle, and judged in its place; what its bands read
and keep is judged apart, by geometry. In place of a stream's groups stands one piece of the model's
ops with the weights of their files; fills, rows and places are judged by running the groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from splitopt.base.owned_folder import scratch_folder
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.schema.outputs import Finding, Severity
from splitopt.explain.outputs.streamed_rows import stage_findings, stages_of
from splitopt.graph.model import ABSENT, ModelGraph, Tensor
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.writer import write_piece
from splitopt.tiling.check import InvalidBands, check_bands
from splitopt.tiling.resized import resized
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.group_graph import SIZED

Rows = dict[int, tuple[int, int]]
"""Tensor of the whole model → (tensor of the piece, its rows in the whole model)."""


@contextmanager
def on_all_rows(bundle: OpenBundle) -> Iterator[tuple[OpenBundle, tuple[Finding, ...]]]:
    """The bundle with one piece on all rows for each segment in bands or as a stream, and what is
    wrong with bands and streams.

    A piece that is none of its segment stays as it is: it does not fit, and that is found.
    Raises ToolError where a stream is to be judged and TFLM cannot run the whole model.
    """
    with scratch_folder("rows") as folder:
        pieces: list[Piece] = []
        stages = {stage.piece.index: stage for stage in stages_of(bundle)}
        findings: list[Finding] = []
        for _, group in groupby(bundle.pieces, lambda p: (p.segment.start, p.segment.stop)):
            own = list(group)
            if own[0].executions:
                findings += _band_findings(bundle.graph, own)
                raised = [_raised(bundle.graph, piece, folder) for piece in own]
                findings += _height_findings(own, raised)
                own = [next((p for p in raised if p.replaced), raised[0])]
            elif own[0].index in stages:
                findings += stage_findings(bundle.graph, stages[own[0].index])
                own = [_joined(bundle.graph, own[0], folder)]
            pieces += own
        yield replace(bundle, pieces=tuple(pieces)), tuple(findings)


def _raised(graph: ModelGraph, piece: Piece, folder: Path) -> Piece:
    rows = _rows(graph, piece)
    if rows is None:
        return piece
    heights = dict(rows.values())
    tall = resized(piece.graph, 0, len(piece.graph.ops), heights)
    data = write_piece(tall, whole_model(piece.graph))
    path = folder / piece.name
    path.write_bytes(data)
    raised = parse_tflite(data, name=path.stem, where=str(piece.path))
    return replace(piece, path=path, graph=raised, executions=())


def _joined(graph: ModelGraph, piece: Piece, folder: Path) -> Piece:
    """The groups as one piece on all rows: the model's ops, with constants from their files."""
    assert piece.stream is not None
    tensors = list(graph.tensors)
    for file, group in zip(piece.groups, piece.stream.groups, strict=True):
        for own, op in zip(file.graph.ops, (graph.ops[k] for k in group.ops), strict=False):
            pairs = enumerate(zip(op.inputs, own.inputs, strict=False))
            for place, (tensor, theirs) in pairs if own.type == op.type else ():
                if place != SIZED.get(op.type):
                    _take_constant(tensors, tensor, file.graph, theirs)
    data = write_piece(replace(graph, tensors=tuple(tensors)), piece.segment)
    path = folder / f"{piece.index:02d}.tflite"
    path.write_bytes(data)
    joined = parse_tflite(data, name=path.stem, where=str(piece.path))
    return replace(piece, path=path, graph=joined, stream=None, groups=())


def _take_constant(tensors: list[Tensor], tensor: int, graph: ModelGraph, theirs: int) -> None:
    """Of the same form only: others are none of the model's."""
    if ABSENT in (tensor, theirs) or not tensors[tensor].is_constant:
        return
    found = graph.tensors[theirs]
    if found.is_constant and len(found.data) == len(tensors[tensor].data):
        tensors[tensor] = replace(tensors[tensor], data=found.data)


def _rows(graph: ModelGraph, piece: Piece) -> Rows | None:
    """None where its ops are not those of its segment."""
    ops = graph.ops[piece.segment.start : piece.segment.stop]
    found = {whole: (own.index, rows_of(graph.tensors[whole])) for whole, own in piece.inputs}
    alike = [op.type for op in piece.graph.ops] == [op.type for op in ops]
    if not alike or not piece.has_all_ends:
        return None
    for own_op, op in zip(piece.graph.ops, ops, strict=True):
        pairs = zip(op.outputs, own_op.outputs, strict=False)
        found |= {whole: (own, rows_of(graph.tensors[whole])) for whole, own in pairs}
    images = all(rows and rows_of(piece.graph.tensors[own]) for own, rows in found.values())
    return found if images else None


def _band_findings(graph: ModelGraph, pieces: Sequence[Piece]) -> Iterator[Finding]:
    """The rows that bands read and keep, against the geometry of the segment's ops."""
    segment = pieces[0].segment
    schedule = []
    for piece in pieces:
        rows = _rows(graph, piece)
        if rows is None:
            return
        heights = {t: rows_of(piece.graph.tensors[own]) for t, (own, _) in rows.items()}
        schedule.append((heights, piece.executions))
    try:
        check_bands(graph, segment.start, segment.stop, schedule)
    except (InvalidBands, LookupError) as error:
        names = ", ".join(piece.name for piece in pieces)
        yield Finding(
            code="band_rows",
            severity=Severity.FAULT,
            title=f"The bands of {names} do not make every row once, and right",
            where=f"plan.json, segments {', '.join(str(piece.index) for piece in pieces)}",
            evidence=(str(error)[:300] or type(error).__name__,),
            next_step="run the job again: rows and heights belong together",
            tensors=segment.outputs,
            pieces=tuple(piece.index for piece in pieces),
        )


def _height_findings(pieces: Sequence[Piece], raised: Sequence[Piece]) -> Iterator[Finding]:
    """Two pieces of one segment are one model at two heights."""
    if len({piece.path.read_bytes() for piece in raised}) > 1:
        yield Finding(
            code="heights_differ",
            severity=Severity.FAULT,
            title=f"{' and '.join(p.name for p in pieces)} differ in more than their rows",
            where=f"pieces {' and '.join(str(p.index) for p in pieces)}",
            evidence=("written with all rows, they are not the same bytes",),
            next_step="put back the one that does not come from this run, or run the job again",
            tensors=pieces[0].segment.outputs,
            pieces=tuple(piece.index for piece in pieces),
        )
