"""Boundary tensors that are left in place, judged by the arenas on both sides alone.

TFLM takes an offline plan as it is, and AllocateTensors writes over the low end of an arena.
"""

from __future__ import annotations

from splitopt.planning.split_plan import BoundaryPlacement, PlannedSegment
from splitopt.solvers.invalid import InvalidPlan


def placed_in_place(
    tensor: int, maker: PlannedSegment, reader: PlannedSegment
) -> BoundaryPlacement:
    """The tensor that one piece makes where the next one reads it.

    Raises InvalidPlan where the two have it elsewhere, a rebuilt reader would write over it, or
    some other piece than these two needs it.
    """
    where = f"tensor {tensor}, left in place between pieces {maker.index} and {reader.index}"
    if maker.is_apart or reader.is_apart:
        raise InvalidPlan(f"{where}: only pieces on all rows leave something in place")
    if reader.stored is None and reader.kept is None:
        raise InvalidPlan(f"{where}: AllocateTensors of the latter would write over it")
    if tensor not in maker.figures.segment.outputs or tensor not in reader.figures.segment.inputs:
        raise InvalidPlan(f"{where}: the one does not make it, or the other not read it")
    places = [_place(tensor, segment) for segment in (maker, reader)]
    if places[0] is None or places[0] != places[1]:
        raise InvalidPlan(f"{where}: is at {places[0]} of the region, then at {places[1]}")
    offset, size = places[0]
    return BoundaryPlacement(tensor, offset, size, maker.index, reader.index, in_place=True)


def _place(tensor: int, segment: PlannedSegment) -> tuple[int, int] | None:
    """(offset in the region, bytes), if an offline plan says so; the tail ends above."""
    arena = segment.figures.arena
    end = segment.figures.arena_bytes - (0 if segment.kept else arena.tail_bytes)
    for buffer in arena.buffers:
        if buffer.tensor == tensor and buffer.pinned and buffer.offset + buffer.size_bytes <= end:
            return segment.arena_offset + buffer.offset, buffer.size_bytes
    return None
