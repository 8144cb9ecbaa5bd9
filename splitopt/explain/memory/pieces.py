"""What each piece needs while it runs, byte by byte: as planned, or as its file is now."""

from __future__ import annotations

from splitopt.arena.replay import Arena, replay
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.open import Piece as PieceFile
from splitopt.bundle.schema.explain import Piece
from splitopt.explain.memory.unsplit_ram import load_by_op
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import whole_model
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan


def planned_pieces(table: SegmentTable, plan: SplitPlan) -> tuple[Piece, ...]:
    """What each piece of a plan needs while it runs."""
    return tuple(
        piece_of(table, s.index, (s.start, s.stop), s.figures.arena, len(s.figures.executions))
        for s in plan.segments
    )


def written_pieces(bundle: OpenBundle, table: SegmentTable, bound_op: int) -> tuple[Piece, ...]:
    """Recomputed from the files. Of several peak ops of a piece, `bound_op` goes first."""
    found = []
    for piece in bundle.pieces:
        at = piece.segment.start, piece.segment.stop
        memories = table.rules.memories(piece.graph)
        arena = replay(piece.graph, whole_model(piece.graph), memories, table.rules.abi)
        planned = bundle.plan.segments[piece.index].arena_bytes
        as_planned = arena.size_bytes + table.headroom_bytes == planned
        made = piece_of(table, piece.index, at, arena, len(piece.executions), bound_op)
        own = {} if _has_planned_ops(bundle.graph, piece) else _own_peak_op(piece.graph, arena)
        found.append(made.model_copy(update={"as_planned": as_planned, **own}))
    return tuple(found)


def piece_of(
    table: SegmentTable,
    index: int,
    at: tuple[int, int],
    arena: Arena,
    bands: int = 0,
    bound_op: int | None = None,
) -> Piece:
    """The parts of a piece of ops [start, stop) whose arena is known.

    Bands are read while others are written: then what is live in and live out share no bytes.
    """
    start, stop = at
    peaks = _peak_ops(arena, stop - start)
    peak_op = bound_op if bound_op in [start + op for op in peaks] else start + peaks[0]
    assert peak_op is not None, "a piece has an op"
    through_bytes = int(table.boundary.through[at])
    ends = table.boundary.ends(*at, in_bands=bands > 0)
    boundary_bytes = through_bytes + (sum(ends) if bands else max(ends))
    arena_bytes = arena.size_bytes + table.headroom_bytes
    return Piece(
        index=index,
        start=start,
        stop=stop,
        peak_op=table.graph.op_name(peak_op),
        peak_op_index=peak_op,
        live_bytes=arena.peak_load_bytes,
        fragmentation_bytes=arena.fragmentation_bytes,
        head_bytes=arena.head_bytes,
        tail_bytes=arena.tail_bytes,
        padding_bytes=arena.size_bytes - arena.head_bytes - arena.tail_bytes,
        headroom_bytes=table.headroom_bytes,
        arena_bytes=arena_bytes,
        through_bytes=through_bytes,
        in_bytes=ends[0],
        out_bytes=ends[1],
        boundary_bytes=boundary_bytes,
        ram_bytes=arena_bytes + boundary_bytes,
        bands=bands,
        as_planned=True,
        exact=arena.exact,
    )


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
