"""The plan's tables for two memory layouts: 32-bit pointers as planned, 64-bit ones for a check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from splitopt.arena.rules import target_rules
from splitopt.arena.shared import SharedModel, shared_arena
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.runner_links import (
    boundary_stores,
    bundle_links,
    kept_tails,
    planned_buffers,
    store_plans,
)
from splitopt.graph.model import ModelGraph
from splitopt.planning.job_table import Pricing, priced_segments
from splitopt.planning.unsplit import unsplit
from splitopt.runtime.kept_tails import STORE_HEADER_BYTES, KeptTail, StorePlan
from splitopt.runtime.links import PieceLinks
from splitopt.runtime.stream_tables import NOWHERE, PlacedBuffers

HOST_SLACK_BYTES = 4096
HOST_INTERPRETER_BYTES = 1024


@dataclass(frozen=True)
class Tables:
    """What the runner needs of a plan: (offset, bytes) of each arena, links of each piece, the
    region, and where tails of pieces that are built once are kept."""

    arenas: tuple[tuple[int, int], ...]
    links: tuple[PieceLinks, ...]
    region_bytes: int
    kept: tuple[KeptTail | None, ...]
    stores: tuple[StorePlan, ...]


def planned_tables(
    bundle: OpenBundle,
    arenas: Sequence[tuple[int, int]],
    offsets: Mapping[int, int],
    region_bytes: int,
) -> Tables:
    """As the plan has them, for the Cortex-M55."""
    links, plan = bundle_links(bundle, offsets), bundle.plan
    kept = tuple(kept_tails(plan))
    return Tables(tuple(arenas), links, region_bytes, kept, store_plans(plan))


def host_tables(bundle: OpenBundle) -> Tables:
    """Roomy ones for x86-64, whose structures are larger: boundary tensors lie one after another
    above the largest arena, or behind what is kept in stores; none is left in place, as images are
    of whole arenas. They serve to check the sources on a PC, and are no plan."""
    streams = [_host_stream(own) for own in planned_buffers(bundle)]
    arenas = [
        _host_arena(piece.graph) if own is None else _host_stage(piece) + own.interpreters_bytes
        for piece, own in zip(bundle.pieces, streams, strict=True)
    ]
    graph, top = bundle.graph, max(arenas)
    offsets: dict[int, int] = {}
    numbers, outside = boundary_stores(bundle.plan), dict[int, int]()
    read_later = {t for piece in bundle.pieces[1:] for t in piece.segment.inputs}
    segments = [piece.segment for piece in bundle.pieces if piece.executions or piece.stream]
    in_rows = {t for segment in segments for t in (*segment.inputs, *segment.outputs)}
    placed = {entry.tensor for entry in bundle.plan.layout.boundary}
    for tensor in bundle.handed_over:
        size = align_up(graph.tensors[tensor].bytes, ARENA_ALIGNMENT)
        if tensor in numbers:
            outside[tensor] = size
        elif tensor in read_later | (in_rows & placed):
            offsets[tensor] = top
            top += size
    stores = store_plans(bundle.plan)
    tops = {NOWHERE: top} | dict.fromkeys(range(len(stores)), STORE_HEADER_BYTES)
    kept = tuple(_host_kept(bundle, arenas, tops))
    for tensor, size in outside.items():
        offsets[tensor] = tops[numbers[tensor]]
        tops[numbers[tensor]] += size
    links = bundle_links(bundle, offsets, streams)
    stores = tuple(StorePlan(tops[k], own.at_start_up) for k, own in enumerate(stores))
    return Tables(tuple((0, size) for size in arenas), links, tops[NOWHERE], kept, stores)


def _host_kept(
    bundle: OpenBundle, arenas: Sequence[int], tops: dict[int, int]
) -> Iterator[KeptTail | None]:
    """As large as whole arenas, one after another. `tops`: how far stores and region are taken."""
    pieces = zip(kept_tails(bundle.plan), arenas, bundle.pieces, strict=True)
    for own, size, piece in pieces:
        if own is None:
            yield None
            continue
        objects = len(piece.file_graphs) if own.is_resident else 1
        place = own.store, tops[own.store], size + objects * HOST_INTERPRETER_BYTES
        tops[own.store] += place[-1]
        yield KeptTail(size, *place, size, is_exact=0, is_resident=own.is_resident)


def _host_stream(own: PlacedBuffers | None) -> PlacedBuffers | None:
    """Line buffers where the groups' files have them, and room for larger interpreters."""
    if own is None or not own.interpreters_bytes:
        return own
    further = len(own.stream.groups) - 1
    return replace(own, interpreters_bytes=further * HOST_INTERPRETER_BYTES)


def _host_arena(piece: ModelGraph) -> int:
    table = priced_segments(piece, Pricing(abi="x86_64"))
    return unsplit(table).ram_bytes + HOST_SLACK_BYTES


def _host_stage(piece: Piece) -> int:
    rules = target_rules("x86_64")
    graphs = [group.graph for group in piece.groups]
    models = [SharedModel(own, rules.memories(own), own.offline_offsets) for own in graphs]
    return shared_arena(models, rules.abi).size_bytes + HOST_SLACK_BYTES
