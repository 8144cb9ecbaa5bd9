"""What each piece needs while it runs, byte by byte: as planned, or as its file is now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from splitopt.arena.replay import Arena, replay
from splitopt.arena.rules import TargetRules
from splitopt.arena.shared import SharedModel, shared_arena
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece as PieceFile
from splitopt.bundle.schema.explain import LiveTensor, Piece
from splitopt.bundle.schema.plan import Boundary
from splitopt.bundle.schema.plan import Segment as SegmentEntry
from splitopt.explain.memory.unsplit_ram import load_by_op
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import whole_model
from splitopt.planning.outside import Outside
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import BoundaryPlacement, PlannedSegment, SplitPlan
from splitopt.tiling.rolled import RolledPair, saved_bytes
from splitopt.tiling.streams.stage_arena import stage_arena


def planned_pieces(
    table: SegmentTable, plan: SplitPlan, bound_op: int | None = None
) -> tuple[Piece, ...]:
    """What each piece of a plan needs while it runs. Of several peak ops of a piece, `bound_op`
    goes first."""
    table = _placed(table, plan.placements)
    return tuple(
        piece_of(table, s.index, (s.start, s.stop), s.figures.arena, _way_of(table, s), bound_op)
        for s in plan.segments
    )


def written_pieces(bundle: OpenBundle, table: SegmentTable, bound_op: int) -> tuple[Piece, ...]:
    """Recomputed from the files. Of several peak ops of a piece, `bound_op` goes first."""
    found, table = [], _placed(table, bundle.plan.layout.boundary)
    for piece, entry in zip(bundle.pieces, bundle.plan.segments, strict=True):
        at = piece.segment.start, piece.segment.stop
        arena, way = _written_arena(piece, entry, table.rules), Way(len(piece.executions))
        if entry.stream is not None:
            way = Way(0, len(piece.groups), entry.stream.interpreters_bytes)
        way = replace(
            way,
            rolled_bytes=_rolled_bytes(bundle.graph, entry),
            by_rows=entry.input_by_rows,
            is_resident=entry.switching == "resident",
            kept_bytes=_kept_bytes(entry, arena),
            in_place=_in_place(bundle, piece.index),
        )
        made = piece_of(table, piece.index, at, arena, way, bound_op)
        own = {} if _has_planned_ops(bundle.graph, piece) else _own_peak_op(piece.graph, arena)
        as_planned = made.arena_bytes == entry.arena_bytes
        found.append(made.model_copy(update={"as_planned": as_planned, **own}))
    return tuple(found)


def _placed(table: SegmentTable, entries: Iterable[BoundaryPlacement | Boundary]) -> SegmentTable:
    """The table where these boundary tensors lie in memories beside the main SRAM."""
    inputs = table.graph.inputs
    outside = {own.tensor in inputs for own in entries if own.memory is not None}
    boundary, given = (0 if kind in outside else None for kind in (False, True))
    return table.placed(Outside(boundary, given))


@dataclass(frozen=True, slots=True)
class Way:
    """How a piece runs. `bands`: how many; `groups`: of a stream, with their further interpreters;
    all 0 for one that runs once, on all rows. `rolled_bytes`: what its ends share; `by_rows`: it is
    handed inputs of the model row by row; `is_resident`: its tail is elsewhere, with `kept_bytes`
    of the region. `in_place`: of what it reads, and makes, the bytes that lie in its arena."""

    bands: int = 0
    groups: int = 0
    interpreters_bytes: int = 0
    rolled_bytes: int = 0
    by_rows: bool = False
    is_resident: bool = False
    kept_bytes: int = 0
    in_place: tuple[int, int] = (0, 0)

    @property
    def is_apart(self) -> bool:
        """Whether it reads its inputs while it makes its outputs: then they share no bytes."""
        return self.bands > 0 or self.groups > 0


def _way_of(table: SegmentTable, planned: PlannedSegment) -> Way:
    figures, kept, placed = planned.figures, planned.kept, planned.figures.stream
    in_place = table.nodes.held_in_place(planned.start, planned.stop, figures.left)
    return Way(
        bands=0 if placed else len(figures.executions),
        groups=len(placed.stream.groups) if placed else 0,
        interpreters_bytes=placed.interpreters_bytes if placed else 0,
        rolled_bytes=planned.rolled_bytes,
        by_rows=planned.by_rows,
        is_resident=kept is not None,
        kept_bytes=kept.bytes if kept is not None and kept.memory is None else 0,
        in_place=in_place,
    )


def _kept_bytes(entry: SegmentEntry, arena: Arena) -> int:
    """What a resident piece keeps in the region with the tail of its file as it is."""
    if entry.switching != "resident" or entry.kept_in is not None:
        return 0
    interpreters = entry.kept_bytes - entry.persistent_bytes
    return interpreters + align_up(arena.tail_bytes, ARENA_ALIGNMENT)


def _in_place(bundle: OpenBundle, piece: int) -> tuple[int, int]:
    """See `Way`."""
    left = [entry for entry in bundle.plan.layout.boundary if entry.in_place]
    read = sum(entry.size for entry in left if entry.last_segment == piece)
    return read, sum(entry.size for entry in left if entry.first_segment == piece)


def _written_arena(piece: PieceFile, entry: SegmentEntry, rules: TargetRules) -> Arena:
    """What its files ask for as they are. Of a group whose file has not as many ops as planned,
    no buffers are shown: they belong elsewhere."""
    abi = rules.abi.in_two_arenas() if entry.switching == "resident" else rules.abi
    if piece.stream is None or entry.stream is None:
        memories = rules.memories(piece.graph)
        return replay(piece.graph, whole_model(piece.graph), memories, abi)
    models = [
        SharedModel(group.graph, rules.memories(group.graph), group.graph.offline_offsets)
        for group in piece.groups
    ]
    offsets = [buffer.offset for buffer in entry.stream.buffers]
    shared = shared_arena(models, abi)
    heads = tuple(
        head if len(model.graph.ops) == len(group.ops) else ()
        for head, model, group in zip(shared.heads, models, piece.stream.groups, strict=True)
    )
    return stage_arena(piece.stream, offsets, replace(shared, heads=heads))


def _rolled_bytes(graph: ModelGraph, planned: SegmentEntry) -> int:
    """What the ends of a segment share."""
    pairs = (RolledPair(ends.read, ends.made, ends.lead_bytes) for ends in planned.rolled)
    return sum(saved_bytes(graph, pair) for pair in pairs)


def piece_of(
    table: SegmentTable,
    index: int,
    at: tuple[int, int],
    arena: Arena,
    way: Way = Way(),
    bound_op: int | None = None,
    rolled_bytes: int = 0,
) -> Piece:
    """The parts of a piece of ops [start, stop) whose arena is known."""
    start, stop = at
    peaks = _peak_ops(arena, stop - start)
    peak_op = bound_op if bound_op in [start + op for op in peaks] else start + peaks[0]
    assert peak_op is not None, "a piece has an op"
    through_bytes = int(table.boundary.through[at])
    every = table.boundary.ends(*at, in_bands=way.is_apart, by_rows=way.by_rows)
    ends = every[0] - way.in_place[0], every[1] - way.in_place[1]
    boundary_bytes = through_bytes + (sum(ends) - way.rolled_bytes if way.is_apart else max(ends))
    tail_bytes = 0 if way.is_resident else arena.tail_bytes
    arena_bytes = arena.size_bytes + way.interpreters_bytes + table.headroom_bytes
    return Piece(
        index=index,
        start=start,
        stop=stop,
        peak_op=table.graph.op_name(peak_op),
        peak_op_index=peak_op,
        live_bytes=arena.peak_load_bytes,
        fragmentation_bytes=arena.fragmentation_bytes,
        head_bytes=arena.head_bytes,
        tail_bytes=tail_bytes,
        padding_bytes=arena.size_bytes - arena.head_bytes - tail_bytes,
        interpreters_bytes=way.interpreters_bytes,
        headroom_bytes=table.headroom_bytes,
        arena_bytes=arena_bytes,
        through_bytes=through_bytes,
        in_bytes=ends[0],
        out_bytes=ends[1],
        boundary_bytes=boundary_bytes,
        ram_bytes=arena_bytes + boundary_bytes,
        kept_bytes=way.kept_bytes,
        bands=way.bands,
        groups=way.groups,
        largest_held=_largest_held(table.graph, arena, peak_op - start + 1, way),
        as_planned=True,
        exact=arena.exact,
    )


def _largest_held(graph: ModelGraph, arena: Arena, step: int, way: Way) -> LiveTensor | None:
    """The largest buffer alive at this step of a stream or a band; None for all rows. Only line
    buffers have the model's own numbers of tensors in files as in plans."""
    alive = [b for b in arena.buffers if b.live.start <= step < b.live.stop]
    if not way.is_apart or not alive:
        return None
    largest = max(alive, key=lambda b: (b.size_bytes, b.pinned))
    if largest.tensor is None:
        role, tensor = "scratch", None
    elif way.groups and largest.pinned:
        role, tensor = "line buffer", largest.tensor
    else:
        role, tensor = "rows", None
    name = role if tensor is None else graph.tensors[tensor].name
    return LiveTensor(tensor=tensor, name=name, size_bytes=largest.size_bytes, role=role)


def _peak_ops(arena: Arena, ops: int) -> list[int]:
    """Every op at which most is alive."""
    loads = load_by_op(arena.buffers, ops) or (0,)
    return [op for op, load in enumerate(loads) if load == max(loads)]


def _has_planned_ops(graph: ModelGraph, piece: PieceFile) -> bool:
    planned = graph.ops[piece.segment.start : piece.segment.stop]
    return [op.type for op in piece.graph.ops] == [op.type for op in planned]


def _own_peak_op(graph: ModelGraph, arena: Arena) -> dict[str, str | None]:
    """Of a file of other ops than the model's, in the words of the file."""
    peak = _peak_ops(arena, len(graph.ops))[0]
    return {"peak_op": f"its {graph.op_name(peak)}", "peak_op_index": None}
