"""A stream → a stock .tflite file for each of its groups."""

from __future__ import annotations

from splitopt.graph.segments import segment_of
from splitopt.pieces.writer import write_piece
from splitopt.tiling.streams.placement import PlacedStream


def write_groups(placed: PlacedStream) -> tuple[bytes, ...]:
    """Inputs of a file stand in the order of the group's views, outputs in that of what it makes.
    The same stream gives the same bytes."""
    return tuple(
        write_piece(own.graph, segment_of(own.graph, 0, len(own.graph.ops)), own.offline, group.ops)
        for group, own in zip(placed.stream.groups, placed.groups, strict=True)
    )
