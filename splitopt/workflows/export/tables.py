"""The plan's tables for two memory layouts: 32-bit pointers as planned, 64-bit ones for a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.bundle.open import OpenBundle
from splitopt.graph.model import ModelGraph
from splitopt.planning.job_table import Pricing, priced_segments
from splitopt.planning.unsplit import unsplit
from splitopt.runtime.links import PieceLinks, links_of

HOST_SLACK_BYTES = 4096


@dataclass(frozen=True)
class Tables:
    """What the runner needs of a plan: (offset, bytes) of each arena, links of each piece, and
    the region."""

    arenas: tuple[tuple[int, int], ...]
    links: tuple[PieceLinks, ...]
    region_bytes: int


def planned_tables(
    bundle: OpenBundle,
    arenas: Sequence[tuple[int, int]],
    offsets: Mapping[int, int],
    region_bytes: int,
) -> Tables:
    """As the plan has them, for the Cortex-M55."""
    return Tables(tuple(arenas), _links(bundle, offsets), region_bytes)


def host_tables(bundle: OpenBundle) -> Tables:
    """Roomy ones for x86-64, whose structures are larger: boundary tensors lie one after another
    above the largest arena. They serve to check the sources on a PC, and are no plan."""
    arenas = [_host_arena(piece.graph) for piece in bundle.pieces]
    graph, top = bundle.graph, max(arenas)
    offsets: dict[int, int] = {}
    read_later = {t for piece in bundle.pieces[1:] for t in piece.segment.inputs}
    banded = [piece.segment for piece in bundle.pieces if piece.executions]
    in_rows = {t for segment in banded for t in (*segment.inputs, *segment.outputs)}
    for tensor in bundle.handed_over:
        if tensor in read_later | in_rows:
            offsets[tensor] = top
            top += align_up(graph.tensors[tensor].bytes, ARENA_ALIGNMENT)
    return Tables(tuple((0, size) for size in arenas), _links(bundle, offsets), top)


def _host_arena(piece: ModelGraph) -> int:
    table = priced_segments(piece, Pricing(abi="x86_64"))
    return unsplit(table).ram_bytes + HOST_SLACK_BYTES


def _links(bundle: OpenBundle, offsets: Mapping[int, int]) -> tuple[PieceLinks, ...]:
    segments = [piece.segment for piece in bundle.pieces]
    executions = [piece.executions for piece in bundle.pieces]
    return links_of(bundle.graph, segments, offsets, executions)
