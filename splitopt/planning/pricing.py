"""The exact price of a piece in bytes and instructions: arena → AllocateTensors → copies.

It serves pieces on all rows, with offline plans, and in bands. What does not depend on the rows of
a piece is looked up by op.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from splitopt.arena.abi import Abi
from splitopt.arena.head import PlannedHead
from splitopt.arena.quick_replay import ArenaFigures, ArenaRequest, QuickReplay
from splitopt.arena.replay import Memories
from splitopt.cost.allocate import AllocateTable, piece_insn, prepare_insn, work_insn
from splitopt.cost.copying import (
    CONSTRUCT_INSN,
    copy_insn,
    fill_insn,
    resident_construct_insn,
)
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.planning.cut_nodes import Ends
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.state import stateful_ops
from splitopt.planning.switching import image_bytes
from splitopt.tiling.plan import Execution


@dataclass(frozen=True)
class Piece:
    """A piece before its arena is known: all else that its bytes and instructions depend on.

    `graph`: with the rows of the piece. `copies`: bytes of each copy in and out. `is_rebuilt`: at
    each inference, not once at start-up. `invoke_insn`: of all its executions, `recomputed_insn`
    of it more than its share of the unsplit model's Invoke. `executions`, `rows`: of bands.
    """

    graph: ModelGraph
    segment: Segment
    memories: Memories
    copies: Sequence[int]
    is_rebuilt: bool
    invoke_insn: int
    recomputed_insn: int = 0
    executions: tuple[Execution, ...] = ()
    rows: Mapping[int, int] | None = None


@dataclass(frozen=True)
class Pricer:
    """Prices pieces of one model, on all rows or on some."""

    graph: ModelGraph
    abi: Abi
    table: AllocateTable
    headroom_bytes: int
    zero_arena: bool

    def figures(self, piece: Piece, offline: Mapping[int, int] | None = None) -> SegmentFigures:
        """The bytes that the runner grants, and what the piece adds to each inference, where TFLM's
        own planner places every buffer but for those of an offline plan (tensor → offset)."""
        segment = piece.segment
        request = ArenaRequest(piece.graph, segment, piece.memories, self.abi, offline or {})
        memory = self._replay.figures(request)
        arena_bytes = memory.size_bytes + self.headroom_bytes
        allocate = self._allocate_insn(segment, memory)
        zeroing = fill_insn(arena_bytes) if self.zero_arena and piece.is_rebuilt else 0
        rebuild = allocate + CONSTRUCT_INSN if piece.is_rebuilt else 0
        image = image_bytes(memory.tail_bytes, self.abi.interpreter_bytes)
        copied = sum(copy_insn(size) for size in piece.copies)
        keeps_state = any(segment.start <= op < segment.stop for op in self._stateful)
        return SegmentFigures(
            request=request,
            segment=segment,
            memory=memory,
            arena_bytes=arena_bytes,
            allocate_insn=allocate,
            invoke_insn=piece.invoke_insn,
            added_insn=rebuild + zeroing + copied + piece.recomputed_insn,
            copied_bytes=sum(piece.copies),
            copy_insn=copied,
            recomputed_insn=piece.recomputed_insn,
            rebuild_insn=rebuild,
            image_bytes=image if piece.is_rebuilt and not keeps_state else 0,
            never_rebuilt=keeps_state,
            executions=piece.executions,
            rows=piece.rows,
        )

    def planned(
        self, piece: SegmentFigures, offline: Mapping[int, int], head: PlannedHead
    ) -> SegmentFigures:
        """The piece with an offline plan that it has not, and the head that results."""
        assert piece.request is not None, "pickled figures are not priced again"
        request = replace(piece.request, offline=offline)
        memory = self._replay.with_plan(request, piece.memory, head)
        arena_bytes = memory.size_bytes + self.headroom_bytes
        allocate = self._allocate_insn(piece.segment, memory)
        rebuild = allocate + CONSTRUCT_INSN if piece.rebuild_insn else 0
        spared = self._less_zeroing(piece, arena_bytes) + piece.rebuild_insn - rebuild
        return replace(
            piece,
            request=request,
            memory=memory,
            arena_bytes=arena_bytes,
            allocate_insn=allocate,
            added_insn=piece.added_insn - spared,
            rebuild_insn=rebuild,
        )

    def left_in_place(
        self, piece: SegmentFigures, ends: Ends, tensors: Sequence[int]
    ) -> SegmentFigures:
        """The piece, whose offline plan says so, with these ends in place, whose tensors are not
        copied; one that it reads is not zeroed."""
        sizes = [self.graph.tensors[tensor].bytes for tensor in tensors]
        copied = sum(copy_insn(size) for size in sizes)
        spared = copied
        if self.zero_arena and ends.read:
            spared += fill_insn(piece.arena_bytes) - fill_insn(piece.arena_bytes - sizes[0])
        return replace(
            piece,
            added_insn=piece.added_insn - spared,
            copied_bytes=piece.copied_bytes - sum(sizes),
            copy_insn=piece.copy_insn - copied,
            never_rebuilt=piece.never_rebuilt or ends.read,
            left=ends,
        )

    def resident(self, piece: SegmentFigures) -> SegmentFigures:
        """The piece with persistent data in an arena of their own, which stays for good. Building
        it, which happens once, takes somewhat more."""
        assert piece.request is not None, "pickled figures are not priced again"
        request = replace(piece.request, abi=self.abi.in_two_arenas())
        memory = self._replay_of_two.with_head(request, piece.memory)
        arena_bytes = memory.size_bytes + self.headroom_bytes
        kept = image_bytes(memory.tail_bytes, self.abi.interpreter_bytes)
        ops = piece.segment.stop - piece.segment.start
        more = resident_construct_insn(ops) - CONSTRUCT_INSN if piece.rebuild_insn else 0
        return replace(
            piece,
            request=request,
            memory=memory,
            arena_bytes=arena_bytes,
            added_insn=piece.added_insn - self._less_zeroing(piece, arena_bytes) + more,
            rebuild_insn=piece.rebuild_insn + more,
            kept_bytes=kept,
            read_bytes=memory.tail_bytes * max(1, len(piece.executions)),
        )

    def _less_zeroing(self, piece: SegmentFigures, arena_bytes: int) -> int:
        """Instructions that it takes less where its arena is so large."""
        if not (self.zero_arena and piece.rebuild_insn):
            return 0
        return fill_insn(piece.arena_bytes) - fill_insn(arena_bytes)

    def _allocate_insn(self, segment: Segment, memory: ArenaFigures) -> int:
        """As `allocate_insn` has it."""
        prepare = sum(self._prepare_insn[segment.start : segment.stop])
        fixed = piece_insn(segment, prepare, memory.scratch, memory.is_pinned, self.table)
        return round(fixed + work_insn(memory.buffers, memory.work, self.table))

    @cached_property
    def _stateful(self) -> tuple[int, ...]:
        return stateful_ops(self.graph)

    @cached_property
    def _replay(self) -> QuickReplay:
        return QuickReplay(self.graph, self.abi)

    @cached_property
    def _replay_of_two(self) -> QuickReplay:
        return QuickReplay(self.graph, self.abi.in_two_arenas())

    @cached_property
    def _prepare_insn(self) -> list[float]:
        """By op; channels and weights say it, which are the same on fewer rows."""
        return [prepare_insn(self.graph, op, self.table) for op in self.graph.ops]
