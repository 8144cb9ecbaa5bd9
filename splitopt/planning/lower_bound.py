"""What limits a result: the op whose live set no cut can get below, in bytes and in words."""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.base.units import format_bytes
from splitopt.graph.model import ModelGraph
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan


@dataclass(frozen=True, slots=True)
class Floor:
    """The op that needs most RAM in whatever piece it stands.

    `least_ram_bytes`: no set of cuts gets below it: every piece with the op in it needs that much,
    headroom included. `live_bytes`: activations and scratch alive while the op runs.
    """

    op: int
    least_ram_bytes: int
    live_bytes: int


def floor_of(table: SegmentTable) -> Floor:
    """For each op the least bound over all segments around it; the op where that is largest."""
    n = len(table.graph.ops)
    bound = table.ram_bound
    least = [int(bound[: op + 1, op + 1 :].min()) for op in range(n)]
    op = max(range(n), key=least.__getitem__)
    at = (op, op + 1)
    return Floor(op, least[op], int(table.peak_load[at] + table.boundary.through[at]))


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
    least, op = format_bytes(floor.least_ram_bytes), graph.op_name(floor.op)
    live = f"({format_bytes(floor.live_bytes)} of it live at once)"
    if plan.peak_ram_bytes < floor.least_ram_bytes:
        return (
            f"{where} sets the peak ({held}), below the {least} that a piece with {op} needs on "
            f"all rows {live}: no cut gets there without bands."
        )
    return (
        f"{where} sets the peak ({held}); no cut gets below {least}, the least that a piece with "
        f"{op} needs on all rows {live}."
    )
