"""The pieces of a plan as bytes, whichever route made them, and what their boundaries agree on."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.graph.model import ModelGraph
from splitopt.pieces.boundary_scales import Agreement
from splitopt.pieces.writer import write_piece
from splitopt.planning.split_plan import SplitPlan
from splitopt.tiling.resized import resized


@dataclass(frozen=True)
class PieceSet:
    """The pieces of `plan`, one for each of its segments.

    `graphs`: for each piece, the graph that its figures are computed from: the whole model's, that
    with the rows of a band, or the piece's own.
    On route `pieces`, `conversion_s` is how long all conversions took when they were made, and
    `agreements` say where two sides of a boundary differ.
    """

    route: str
    plan: SplitPlan
    data: tuple[bytes, ...]
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
    data = tuple(
        write_piece(own, segment.figures.segment, segment.figures.arena.offline_plan)
        for own, segment in zip(graphs, plan.segments, strict=True)
    )
    return PieceSet("whole", plan, data, graphs)
