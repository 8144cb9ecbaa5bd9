"""The plan's tables for two memory layouts: 32-bit pointers as planned, 64-bit ones for a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from splitopt.arena.rules import target_rules
from splitopt.diagnosis.opened import OpenBundle
from splitopt.graph.segments import whole_model
from splitopt.segment_table import SegmentTable
from splitopt.target.links import PieceLinks, links_of

HOST_SLACK_BYTES = 4096
_ALIGNMENT = 16


@dataclass(frozen=True)
class Tables:
    """What the runner needs of a plan: bytes of each arena, links of each piece, and the region."""

    arena_bytes: tuple[int, ...]
    links: tuple[PieceLinks, ...]
    region_bytes: int


def planned_tables(
    bundle: OpenBundle, arenas: Sequence[int], offsets: Mapping[int, int], region_bytes: int
) -> Tables:
    """As the plan has them, for the Cortex-M55."""
    segments = [piece.segment for piece in bundle.pieces]
    return Tables(tuple(arenas), links_of(bundle.graph, segments, offsets), region_bytes)


def host_tables(bundle: OpenBundle) -> Tables:
    """Roomy ones for x86-64, whose structures are larger: boundary tensors lie one after another
    above the largest arena. They serve to check the sources on a PC, and are no plan."""
    arenas = tuple(_host_arena(bundle, k) for k in range(len(bundle.pieces)))
    graph, top = bundle.graph, max(arenas)
    offsets: dict[int, int] = {}
    read_later = {t for piece in bundle.pieces[1:] for t in piece.segment.inputs}
    for tensor in bundle.handed_over:
        if tensor in read_later:
            offsets[tensor] = top
            top += _aligned(graph.tensors[tensor].bytes)
    segments = [piece.segment for piece in bundle.pieces]
    return Tables(arenas, links_of(graph, segments, offsets), top)


def _host_arena(bundle: OpenBundle, index: int) -> int:
    piece = bundle.pieces[index].graph
    table = SegmentTable(piece, target_rules("x86_64"))
    segment = whole_model(piece)
    return table.figures(segment.start, segment.stop).arena_bytes + HOST_SLACK_BYTES


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // _ALIGNMENT) * _ALIGNMENT
