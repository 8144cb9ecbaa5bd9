"""The links of a bundle's pieces and where their tails are kept, as the runner has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from splitopt.arena.rules import target_rules
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.schema.plan import Memory, Plan
from splitopt.runtime.kept_tails import KeptTail, StorePlan
from splitopt.runtime.links import PieceLinks, links_of
from splitopt.runtime.stream_tables import NOWHERE, PlacedBuffers


def bundle_links(
    bundle: OpenBundle,
    offsets: Mapping[int, int],
    streams: Sequence[PlacedBuffers | None] | None = None,
) -> tuple[PieceLinks, ...]:
    """`offsets`: boundary tensor → its place in its memory, in bytes. `streams`: of each piece;
    None for those of the plan."""
    segments = [piece.segment for piece in bundle.pieces]
    executions = [piece.executions for piece in bundle.pieces]
    streams = list(planned_buffers(bundle)) if streams is None else streams
    stores = boundary_stores(bundle.plan)
    return links_of(bundle.graph, segments, offsets, executions, streams, stores)


def boundary_stores(plan: Plan) -> dict[int, int]:
    """Boundary tensor → the number of the store that it lies in, for those outside the region."""
    numbers = {memory.name: number for number, memory in enumerate(used_memories(plan))}
    entries = plan.layout.boundary
    return {own.tensor: numbers[own.memory] for own in entries if own.memory is not None}


def planned_buffers(bundle: OpenBundle) -> Iterator[PlacedBuffers | None]:
    """Of each piece its stream, as the plan places it; None for what is no stream."""
    for piece, entry in zip(bundle.pieces, bundle.plan.segments, strict=True):
        if piece.stream is None or entry.stream is None:
            yield None
            continue
        offsets = tuple(buffer.offset for buffer in entry.stream.buffers)
        yield PlacedBuffers(piece.stream, offsets, entry.stream.interpreters_bytes)


def kept_tails(plan: Plan) -> Iterator[KeptTail | None]:
    """Of each piece where what it needs again is kept; None for what is built at each inference."""
    stores = {memory.name: number for number, memory in enumerate(used_memories(plan))}
    interpreter_bytes = target_rules(plan.board.abi).abi.interpreter_bytes
    for segment in plan.segments:
        used = segment.arena_used_bytes, int(segment.exact)
        if segment.switching == "resident":
            store = NOWHERE if segment.kept_in is None else stores[segment.kept_in]
            place = store, segment.kept_offset, segment.kept_bytes
            yield KeptTail(segment.persistent_bytes, *place, *used, is_resident=1)
        elif segment.stored_in is not None:
            place = stores[segment.stored_in], segment.stored_offset, segment.stored_bytes
            yield KeptTail(segment.stored_bytes - interpreter_bytes, *place, *used)
        else:
            yield None


def store_plans(plan: Plan) -> tuple[StorePlan, ...]:
    """Those of the memories that are used, in the order of the plan."""
    return tuple(
        StorePlan(memory.used_bytes, int(memory.written == "start_up"))
        for memory in used_memories(plan)
    )


def used_memories(plan: Plan) -> tuple[Memory, ...]:
    """A plan may need none of its board's."""
    return tuple(memory for memory in plan.memories if memory.used_bytes)
