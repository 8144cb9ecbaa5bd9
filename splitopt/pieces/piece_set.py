"""The files of a plan as bytes, whichever route made them, and what their boundaries agree on."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.graph.model import ModelGraph
from splitopt.pieces.boundary_scales import Agreement
from splitopt.pieces.group_files import write_groups
from splitopt.pieces.writer import write_piece
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.split_plan import SplitPlan
from splitopt.tiling.resized import resized

Files = tuple[bytes, ...]
"""What a segment is written as: one piece, or the groups of a stream in their order."""


@dataclass(frozen=True)
class PieceSet:
    """The files of `plan`, those of each of its segments; none where none were written.

    `graphs`: for each segment, the graph that its figures are computed from: the whole model's,
    that with the rows of a band, or the piece's own.
    On route `pieces`, `conversion_s` is how long all conversions took when they were made, and
    `agreements` say where two sides of a boundary differ.
    """

    route: str
    plan: SplitPlan
    files: tuple[Files, ...]
    graphs: tuple[ModelGraph, ...]
    agreements: tuple[Agreement, ...] = ()
    conversion_s: float = 0.0
    log: str = ""


def graphs_of(graph: ModelGraph, plan: SplitPlan) -> tuple[ModelGraph, ...]:
    """For each segment, the whole model's graph; of a banded segment, the graph with its bands'
    rows."""
    return tuple(
        resized(graph, segment.start, segment.stop, segment.figures.rows)
        if segment.figures.rows
        else graph
        for segment in plan.segments
    )


def cut_flatbuffer(graph: ModelGraph, plan: SplitPlan) -> PieceSet:
    """Route `whole`: one int8 model, cut as a file; both sides of a boundary are one tensor."""
    graphs = graphs_of(graph, plan)
    files = tuple(
        segment_files(own, segment.figures)
        for own, segment in zip(graphs, plan.segments, strict=True)
    )
    return PieceSet("whole", plan, files, graphs)


def segment_files(graph: ModelGraph, figures: SegmentFigures) -> Files:
    """The files of one segment. The same figures give the same bytes."""
    if figures.stream is not None:
        return write_groups(figures.stream)
    return (write_piece(graph, figures.segment, figures.arena.offline_plan),)
