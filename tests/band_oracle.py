"""Band plans and their bounds one segment and one height at a time: the oracle of the columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.costs import estimate_invoke
from splitopt.graph.liveness import live_ranges
from splitopt.graph.model import ModelGraph, Op
from splitopt.graph.segments import segment_of
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.packing.instance import peak_load
from splitopt.tiling.check_single_rows import looks_right_on_one_row
from splitopt.tiling.geometry import MOST_BANDS, SegmentRows, banded_segments
from splitopt.tiling.plan import BandPlan
from splitopt.tiling.resized import resized
from splitopt.tiling.rows import row_rule
from splitopt.tiling.schedule import copied_bytes, executions_of, heights_of


def plans_of(
    rows: SegmentRows,
    *,
    two_heights: bool = True,
    is_fit: Callable[[int], bool] = lambda height: True,
) -> Iterator[BandPlan]:
    """The plans of a segment, in their order: of each number of bands the lowest, and its variants
    with the lowest ends. `is_fit`: whether bands may have that height."""
    fewest = MOST_BANDS + 1
    usable = np.flatnonzero(rows.usable).tolist()
    for tall in usable:
        step, height = int(rows.step(tall, tall)), int(rows.heights[tall])
        if step <= 0:
            continue
        count = 1 - (height - rows.image_rows) // step
        if count >= fewest or not is_fit(height):
            continue
        fewest = count
        yield rows.plan(count, height, height, 0)
        for ends in (1, 2) if two_heights else ():
            if ends == 2 and count < 3:
                continue
            lower = (
                low
                for low in usable
                if low < tall
                and _covers(rows, count, tall, low, ends)
                and is_fit(int(rows.heights[low]))
            )
            low = next(lower, None)
            if low is not None:
                yield rows.plan(count, height, int(rows.heights[low]), ends)


def _covers(rows: SegmentRows, count: int, tall: int, low: int, ends: int) -> bool:
    """Whether the last band may start where it has to; `tall`, `low`: indices of heights."""
    reached, inner = 0, count - 2
    if ends == 2:
        reached, inner = int(rows.step(low, tall)), count - 3
        if reached <= 0:
            return False
    reached += inner * int(rows.step(tall, tall)) + int(rows.step(tall, low))
    return rows.image_rows - int(rows.heights[low]) <= reached


class Figures(NamedTuple):
    """What the columns say of a plan."""

    variant: int
    heights: tuple[int, int]
    counts: tuple[int, int]
    peak_load: int
    requests: int
    insn: int
    copied: int
    copies: int


def figures_of(
    table: SegmentTable, *, two_heights: bool = True
) -> Iterator[tuple[int, int, list[tuple[BandPlan, Figures]]]]:
    """(start, stop, plans and their figures) of every segment that has band plans."""
    graph, costs = table.graph, table.costs
    known = [None if costs.invoke(graph, op) is None else row_rule(graph, op) for op in graph.ops]
    for start in range(len(graph.ops)):
        for stop, rows in banded_segments(graph, start, known):
            if rows.outputs and set(segment_of(graph, start, stop).inputs) <= rows.tensors.keys():
                found = list(_priced(table, start, stop, rows, two_heights=two_heights))
                if found:
                    yield start, stop, found


class _Piece(NamedTuple):
    peak_load: int
    requests: int
    insn: int | None
    """None where an op is not run on so many rows."""


def _priced(
    table: SegmentTable, start: int, stop: int, rows: SegmentRows, *, two_heights: bool
) -> Iterator[tuple[BandPlan, Figures]]:
    segment = segment_of(table.graph, start, stop)

    @cache
    def piece_of(height: int) -> _Piece:
        return _piece(table, start, stop, rows, height)

    def is_fit(height: int) -> bool:
        return piece_of(height).insn is not None

    plans = plans_of(rows, two_heights=two_heights, is_fit=is_fit)
    for variant, plan in enumerate(plans, start=1):
        pieces = [piece_of(height) for height in plan.heights]
        insn = [piece.insn or 0 for piece in pieces]
        schedule = executions_of(table.graph, segment, rows, plan)
        copies = [size for part in schedule for size in copied_bytes(table.graph, part)]
        yield (
            plan,
            Figures(
                variant,
                (plan.heights[0], plan.heights[-1]),
                (len(plan.bands), sum(band.piece for band in plan.bands)),
                max(piece.peak_load for piece in pieces),
                min(piece.requests for piece in pieces),
                sum(insn[band.piece] for band in plan.bands),
                sum(copies),
                len(copies),
            ),
        )


def _piece(table: SegmentTable, start: int, stop: int, rows: SegmentRows, height: int) -> _Piece:
    graph = resized(table.graph, start, stop, heights_of(rows, height))
    buffers = [
        (align_up(graph.tensors[tensor].bytes, ARENA_ALIGNMENT), live.start, live.stop)
        for tensor, live in live_ranges(graph, segment_of(graph, start, stop)).items()
    ]
    scratch = [table.rules.memory(graph, op).scratch for op in graph.ops[start:stop]]
    for step, sizes in enumerate(scratch, start=1):
        buffers += [(align_up(size, ARENA_ALIGNMENT), step, step + 1) for size in sizes]
    insn = [table.costs.invoke(graph, op) for op in graph.ops[start:stop]]
    if any(_is_wrong(graph, op) for op in graph.ops[start:stop]):
        insn.append(None)
    whole = None if None in insn else estimate_invoke(table.costs, graph, start, stop).insn
    own = None if whole is None else whole - estimate_invoke(table.costs, graph, 0, 0).insn
    return _Piece(peak_load(buffers), sum(map(len, scratch)), own)


def _is_wrong(graph: ModelGraph, op: Op) -> bool:
    """Whether CMSIS-NN gets the op wrong, on the rows that it has here."""
    is_on_one = "CONV_2D" in op.type and graph.tensors[op.inputs[0]].shape[1] == 1
    return is_on_one and not looks_right_on_one_row(graph, op)
