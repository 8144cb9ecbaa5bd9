"""The single-op bound: the RAM that no set of cuts gets below, in bytes and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splitopt.base.units import format_bytes
from splitopt.graph.model import ModelGraph
from splitopt.planning.cut_nodes import LEFT_ENDS, Ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import PlannedSegment, SplitPlan
from splitopt.planning.state import stateful_ops
from splitopt.solvers.partition.shortest_paths import Matrix


@dataclass(frozen=True, slots=True)
class SingleOpBound:
    """The op that needs most RAM, in whichever piece it is.

    `least_ram_bytes`: every piece with the op in it needs that much on all rows, headroom
    included. `live_bytes`: activations and scratch alive while the op runs.
    """

    op: int
    least_ram_bytes: int
    live_bytes: int


def single_op_bound(table: SegmentTable) -> SingleOpBound:
    """The op whose smallest RAM over all segments around it is the largest: no set of cuts on all
    rows needs less, wherever the board lets boundary tensors lie."""
    least, few = lowest_ram_by_op(table), fewest_inside(table)
    op = max(range(len(least)), key=least.__getitem__)
    at = (op, op + 1)
    return SingleOpBound(op, least[op], int(few.peak_load[at] + few.boundary.through[at]))


def fewest_inside(table: SegmentTable) -> SegmentTable:
    """With as few boundary tensors in the main SRAM as the board lets."""
    return table.placed(table.techniques.switching.outsides[-1])


def lowest_ram_by_op(table: SegmentTable) -> tuple[int, ...]:
    """For each op, the smallest RAM of any piece with it on all rows, wherever the board lets
    boundary tensors lie, in bytes."""
    outsides = table.techniques.switching.outsides
    ends = {outside: table.placed(outside) for outside in (outsides[0], outsides[-1])}
    return tuple(map(min, zip(*map(_lowest_ram_here, ends.values()), strict=True)))


def _lowest_ram_here(table: SegmentTable) -> tuple[int, ...]:
    """With boundary tensors in the places of the table.

    A piece [a, b) holds op k where a <= k < b: first the minimum over all starts up to a, then over
    all stops from b on, so that entry (k, k + 1) is the minimum over all pieces with op k.
    """
    over_starts = np.minimum.accumulate(_ram_bound(table), axis=0)
    over_both = np.minimum.accumulate(over_starts[:, ::-1], axis=1)[:, ::-1]
    return tuple(int(over_both[op, op + 1]) for op in range(len(table.graph.ops)))


def ram_in_place(table: SegmentTable, ends: Ends) -> Matrix:
    """Lower bound of the RAM while a segment with these ends in place runs on all rows, as
    `ram_bound` has it."""
    held = table.nodes.held
    beside = table.boundary.beside(held[:, None] * ends.read, held[None, :] * ends.made)
    bound: Matrix = table.ram_bound - table.boundary.load + beside
    return bound


def _ram_bound(table: SegmentTable) -> Matrix:
    """Of every segment, with boundary tensors in place or not."""
    least = table.ram_bound
    for ends in LEFT_ENDS if table.nodes.left else ():
        ram = np.minimum(least, ram_in_place(table, ends))
        least = np.where(table.nodes.offered(ends), ram, least)
    return least


def limiting_sentence(graph: ModelGraph, table: SegmentTable, plan: SplitPlan) -> str:
    """One sentence: which piece sets the peak, what it is made of, and, where the model can be cut,
    what no cut can change."""
    segment, bound = plan.limiting_segment, single_op_bound(table)
    held = _held(plan, segment)
    where = f"Piece {segment.index} (ops {segment.start} to {segment.stop - 1}) sets the peak"
    level = [str(s.index) for s in plan.segments if s.ram_bytes == segment.ram_bytes]
    if len(level) > 1:
        where = f"Pieces {', '.join(level[:-1])} and {level[-1]} set the peak"
        held = f"piece {segment.index}: {held}"
    if len(plan.segments) == 1 and not segment.is_apart:
        where = "The unsplit model sets the peak"
    if stateful_ops(graph):
        return f"{where} ({held})."
    least, op = format_bytes(bound.least_ram_bytes), graph.op_name(bound.op)
    live = f"({format_bytes(bound.live_bytes)} of it live at once)"
    if plan.peak_ram_bytes < bound.least_ram_bytes:
        return (
            f"{where} ({held}), below the {least} that a piece with {op} needs on "
            f"all rows {live}: no cut gets there without bands or streams."
        )
    return (
        f"{where} ({held}); no cut gets below {least}, the least that a piece with "
        f"{op} needs on all rows {live}."
    )


def _held(plan: SplitPlan, segment: PlannedSegment) -> str:
    """The parts of its RAM; where resident pieces keep bytes, all that adds up to the peak."""
    arena, kept = segment.figures.arena, plan.kept_bytes
    tail_bytes = 0 if segment.kept else arena.tail_bytes
    parts = {"head": arena.head_bytes, "tail": tail_bytes}
    if segment.kept:
        del parts["tail"]
    if kept:
        parts["headroom and rest"] = segment.figures.arena_bytes - arena.head_bytes - tail_bytes
    if segment.boundary_bytes:
        parts["boundary tensors"] = segment.boundary_bytes
    if kept:
        parts["kept by resident pieces"] = kept
    return ", ".join(f"{name} {format_bytes(size)}" for name, size in parts.items())
