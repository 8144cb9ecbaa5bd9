"""The plan's tables for two memory layouts: 32-bit pointers as planned, 64-bit ones for a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from splitopt.arena.rules import target_rules
from splitopt.arena.shared import SharedModel, shared_arena
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.runner_links import (
    bundle_links,
    planned_buffers,
    saved_tails,
    store_plans,
)
from splitopt.bundle.schema.plan import Plan
from splitopt.graph.model import ModelGraph
from splitopt.planning.job_table import Pricing, priced_segments
from splitopt.planning.unsplit import unsplit
from splitopt.runtime.links import PieceLinks
from splitopt.runtime.saved_tails import STORE_HEADER_BYTES, SavedTail, StorePlan
from splitopt.runtime.stream_tables import PlacedBuffers

HOST_SLACK_BYTES = 4096
HOST_INTERPRETER_BYTES = 1024


@dataclass(frozen=True)
class Tables:
    """What the runner needs of a plan: (offset, bytes) of each arena, links of each piece, the
    region, and where the tails of restored pieces are kept."""

    arenas: tuple[tuple[int, int], ...]
    links: tuple[PieceLinks, ...]
    region_bytes: int
    saved: tuple[SavedTail | None, ...]
    stores: tuple[StorePlan, ...]


def planned_tables(
    bundle: OpenBundle,
    arenas: Sequence[tuple[int, int]],
    offsets: Mapping[int, int],
    region_bytes: int,
) -> Tables:
    """As the plan has them, for the Cortex-M55."""
    links, plan = bundle_links(bundle, offsets), bundle.plan
    saved = tuple(saved_tails(plan))
    return Tables(tuple(arenas), links, region_bytes, saved, store_plans(plan))


def host_tables(bundle: OpenBundle) -> Tables:
    """Roomy ones for x86-64, whose structures are larger: boundary tensors lie one after another
    above the largest arena. They serve to check the sources on a PC, and are no plan."""
    streams = [_host_stream(own) for own in planned_buffers(bundle)]
    arenas = [
        _host_arena(piece.graph) if own is None else _host_stage(piece) + own.interpreters_bytes
        for piece, own in zip(bundle.pieces, streams, strict=True)
    ]
    graph, top = bundle.graph, max(arenas)
    offsets: dict[int, int] = {}
    read_later = {t for piece in bundle.pieces[1:] for t in piece.segment.inputs}
    segments = [piece.segment for piece in bundle.pieces if piece.executions or piece.stream]
    in_rows = {t for segment in segments for t in (*segment.inputs, *segment.outputs)}
    placed = {entry.tensor for entry in bundle.plan.layout.boundary}
    for tensor in bundle.handed_over:
        if tensor in read_later | (in_rows & placed):
            offsets[tensor] = top
            top += align_up(graph.tensors[tensor].bytes, ARENA_ALIGNMENT)
    links = bundle_links(bundle, offsets, streams)
    saved, stores = _host_saved(bundle.plan, arenas)
    return Tables(tuple((0, size) for size in arenas), links, top, saved, stores)


def _host_saved(
    plan: Plan, arenas: Sequence[int]
) -> tuple[tuple[SavedTail | None, ...], tuple[StorePlan, ...]]:
    """Images of whole arenas."""
    tops = [STORE_HEADER_BYTES] * len(store_plans(plan))
    saved: list[SavedTail | None] = []
    for own, size in zip(saved_tails(plan), arenas, strict=True):
        if own is None:
            saved.append(None)
            continue
        image = size + HOST_INTERPRETER_BYTES
        saved.append(SavedTail(size, own.store, tops[own.store], image, size, is_exact=0))
        tops[own.store] += image
    kinds = [store.at_start_up for store in store_plans(plan)]
    return tuple(saved), tuple(map(StorePlan, tops, kinds))


def _host_stream(own: PlacedBuffers | None) -> PlacedBuffers | None:
    """Line buffers where the groups' files have them, and room for larger interpreters."""
    if own is None:
        return None
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
