"""What limits a result: the op whose live set no cut can get below, in bytes and in words."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.graph.model import ModelGraph
from splitopt.plan import SplitPlan
from splitopt.segment_table import SegmentTable
from splitopt.units import format_bytes


@dataclass(frozen=True, slots=True)
class Floor:
    """The op with the largest live set: its activations, those that wait past it, its scratch.

    No set of cuts gets below `live_bytes`, and the op's own persistent data come on top.
    """

    op: int
    live_bytes: int


def floor_of(table: SegmentTable) -> Floor:
    """The least RAM of a piece that holds one op alone is a bound for every piece that holds it."""
    n = len(table.graph.ops)
    peaks, load = table.peak_load, table.boundary
    live = [int(peaks[op, op + 1] + load.through[op, op + 1]) for op in range(n)]
    op = max(range(n), key=live.__getitem__)
    return Floor(op, live[op])


def limiting_sentence(graph: ModelGraph, table: SegmentTable, plan: SplitPlan) -> str:
    """One sentence: which piece sets the peak, what it is made of, and what no cut can change."""
    segment, floor = plan.limiting_segment, floor_of(table)
    arena = segment.figures.arena
    held = f"head {format_bytes(arena.head_bytes)}, tail {format_bytes(arena.tail_bytes)}"
    if segment.boundary_bytes:
        held += f", boundary tensors {format_bytes(segment.boundary_bytes)}"
    where = f"Piece {segment.index} (ops {segment.start} to {segment.stop - 1})"
    if len(plan.segments) == 1:
        where = "The unsplit model"
    return (
        f"{where} sets the peak ({held}); no cut gets below the "
        f"{format_bytes(floor.live_bytes)} live at {graph.op_name(floor.op)}."
    )
