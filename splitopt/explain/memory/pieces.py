"""What each piece file needs while it runs, byte by byte: recomputed from the file as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.arena.replay import PlannedBuffer, replay
from splitopt.base.text import printable
from splitopt.bundle.open import OpenBundle, Piece
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import whole_model
from splitopt.planning.segment_options import SegmentTable


@dataclass(frozen=True)
class PieceMemory:
    """One piece's RAM, in parts that add up to `ram_bytes`.

    `live_bytes`: the most that is alive in the head at once, while `peak_op` runs; of several
    such ops the one that sets the floor, else the first. `peak_op_index` is the whole model's, or
    None for a file of other ops.
    `padding_bytes`: what the arena needs beyond head and tail to prepare and to be aligned.
    `as_planned`: the file needs what the plan's own piece would. `bands`: how many times it runs
    on rows of its inputs; 0 for a piece that runs once, on all.
    """

    index: int
    start: int
    stop: int
    peak_op: str
    peak_op_index: int | None
    live_bytes: int
    fragmentation_bytes: int
    tail_bytes: int
    padding_bytes: int
    headroom_bytes: int
    through_bytes: int
    in_bytes: int
    out_bytes: int
    as_planned: bool
    exact: bool
    bands: int = 0

    @property
    def head_bytes(self) -> int:
        return self.live_bytes + self.fragmentation_bytes

    @property
    def boundary_bytes(self) -> int:
        ends = self.in_bytes, self.out_bytes
        return self.through_bytes + (sum(ends) if self.bands else max(ends))

    @property
    def arena_bytes(self) -> int:
        arena = self.head_bytes + self.tail_bytes + self.padding_bytes
        return arena + self.headroom_bytes

    @property
    def ram_bytes(self) -> int:
        return self.arena_bytes + self.boundary_bytes


@dataclass(frozen=True)
class LiveTensor:
    """Something that is in RAM while an op runs. `tensor` is None for scratch."""

    tensor: int | None
    name: str
    size_bytes: int
    role: str


def piece_memories(
    bundle: OpenBundle, table: SegmentTable, floor_op: int
) -> tuple[PieceMemory, ...]:
    return tuple(_piece_memory(bundle, table, piece, floor_op) for piece in bundle.pieces)


def _piece_memory(
    bundle: OpenBundle, table: SegmentTable, piece: Piece, floor_op: int
) -> PieceMemory:
    whole, at = whole_model(piece.graph), (piece.segment.start, piece.segment.stop)
    memories = table.rules.memories(piece.graph)
    arena = replay(piece.graph, whole, memories, table.rules.abi)
    loads = table.boundary
    in_bytes, out_bytes = loads.ends(*at, in_bands=bool(piece.executions))
    planned = bundle.plan.segments[piece.index].arena_bytes
    if planned is None:
        planned = table.figures(*at).arena_bytes
    peaks = _peak_ops(arena.buffers, len(piece.graph.ops))
    known = _has_planned_ops(bundle, piece)
    first = floor_op - at[0] if known and floor_op - at[0] in peaks else peaks[0]
    return PieceMemory(
        index=piece.index,
        start=at[0],
        stop=at[1],
        peak_op=bundle.graph.op_name(at[0] + first)
        if known
        else f"its {piece.graph.op_name(first)}",
        peak_op_index=at[0] + first if known else None,
        live_bytes=arena.peak_load_bytes,
        fragmentation_bytes=arena.fragmentation_bytes,
        tail_bytes=arena.tail_bytes,
        padding_bytes=arena.size_bytes - arena.head_bytes - arena.tail_bytes,
        headroom_bytes=table.headroom_bytes,
        through_bytes=int(loads.through[at]),
        in_bytes=in_bytes,
        out_bytes=out_bytes,
        as_planned=arena.size_bytes + table.headroom_bytes == planned,
        exact=arena.exact,
        bands=len(piece.executions),
    )


def _has_planned_ops(bundle: OpenBundle, piece: Piece) -> bool:
    start, stop = piece.segment.start, piece.segment.stop
    planned = [op.type for op in bundle.graph.ops[start:stop]]
    return [op.type for op in piece.graph.ops] == planned


def _peak_ops(buffers: Sequence[PlannedBuffer], ops: int) -> list[int]:
    """Every op at which most is alive. Steps count from 1 for the first op."""
    change = [0] * (ops + 3)
    for buffer in buffers:
        change[buffer.live.start] += buffer.size_bytes
        change[buffer.live.stop] -= buffer.size_bytes
    load, loads = 0, []
    for delta in change[: ops + 1]:
        load += delta
        loads.append(load)
    steps = loads[1:] or [0]
    return [op for op, load in enumerate(steps) if load == max(steps)]


def alive_at(graph: ModelGraph, table: SegmentTable, op: int) -> tuple[LiveTensor, ...]:
    """What a piece of this op alone has in RAM, the largest first: the floor of any cut."""
    found = []
    for role, tensors in (("input", graph.ops[op].given_inputs), ("output", graph.ops[op].outputs)):
        for tensor in dict.fromkeys(tensors):
            if graph.tensors[tensor].is_activation and graph.tensors[tensor].bytes:
                found.append(_live(graph, tensor, role))
    own = {item.tensor for item in found}
    for tensor in _passing(graph, op):
        role = "kept for later, outside the arena" if tensor in own else "passing by"
        found.append(_live(graph, tensor, role))
    found += [
        LiveTensor(None, f"scratch of {graph.op_name(op)}", size, "scratch")
        for size in table.memories[op].scratch
    ]
    return tuple(sorted(found, key=lambda item: -item.size_bytes))


def _live(graph: ModelGraph, tensor: int, role: str) -> LiveTensor:
    entry = graph.tensors[tensor]
    name = f"{printable(entry.name)} {list(entry.shape)} {entry.dtype.name}"
    return LiveTensor(tensor, name, entry.bytes, role)


def _passing(graph: ModelGraph, op: int) -> list[int]:
    """Activations that exist before the op and are read after it, whether it reads them or not."""
    found = []
    for tensor, readers in sorted(graph.readers.items()):
        if not graph.tensors[tensor].is_activation:
            continue
        born = graph.producer.get(tensor, readers[0] - 1)
        if born < op < readers[-1]:
            found.append(tensor)
    return found
