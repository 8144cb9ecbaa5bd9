"""The pieces of a plan as bytes, whichever route made them, and what their boundaries agree on."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.graph.model import ModelGraph
from splitopt.pieces.contract import Agreement
from splitopt.pieces.writer import write_piece
from splitopt.plan import SplitPlan


@dataclass(frozen=True)
class PieceSet:
    """Pieces in the places that `plan` gives them, one for each of its segments.

    `route` `pieces`: each was converted on its own, in `conversion_s` all together, when they were
    made; `agreements` say where two sides of a boundary differ. `graphs`: the graph that the
    figures of each segment speak of: the whole model's, or the piece's own.
    """

    route: str
    plan: SplitPlan
    data: tuple[bytes, ...]
    graphs: tuple[ModelGraph, ...]
    agreements: tuple[Agreement, ...] = ()
    conversion_s: float = 0.0
    log: str = ""


def cut_flatbuffer(graph: ModelGraph, plan: SplitPlan) -> PieceSet:
    """Route `whole`: one int8 model, cut as a file; both sides of a boundary are one tensor."""
    data = tuple(write_piece(graph, segment.figures.segment) for segment in plan.segments)
    return PieceSet("whole", plan, data, (graph,) * len(data))
