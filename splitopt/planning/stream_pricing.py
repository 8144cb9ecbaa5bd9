"""The exact price of a stream in bytes and instructions: arena → AllocateTensors → copies → Invoke.

It is a sum over its groups and line buffers, which `group_terms` and `stream_copies` know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from splitopt.arena.quick_replay import ArenaFigures
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.copying import fill_insn
from splitopt.cost.streaming import construct_insn
from splitopt.graph.segments import segment_of
from splitopt.planning.alike_ops import AlikeOps
from splitopt.planning.group_terms import GroupTerm, GroupTerms
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.stream_copies import Copies, copies_of
from splitopt.planning.switching import image_bytes
from splitopt.solvers.packing.greedy_work import PlannerWork
from splitopt.tiling.streams.group_graph import key_of
from splitopt.tiling.streams.placement import (
    PlacedStream,
    line_buffer_offsets,
    offline_plan,
    placed,
)
from splitopt.tiling.streams.stream import Stream

WholeInsn = Callable[[int, int], int]


class PricedGroup(NamedTuple):
    """A group that is invoked in `turns` turns; `allocate_insn`: of its AllocateTensors."""

    term: GroupTerm
    turns: int
    allocate_insn: float


class Resident(NamedTuple):
    """A resident stage, as `planning.switching` takes a piece. `size_bytes`: of its arena without
    headroom; its tail is in another one."""

    arena_bytes: int
    size_bytes: int
    tail_bytes: int
    kept_bytes: int
    read_bytes: int
    added_insn: int
    rebuild_insn: int = 0
    image_bytes: int = 0
    never_rebuilt: bool = False
    is_streamed: bool = True


class StreamFigures(NamedTuple):
    """Of ops [start, stop) as a stream: bytes that are granted to its arena, bytes that rolled ends
    save, with and without the model's inputs, instructions that are added, of these those of
    building it, the bytes of its image, and bytes copied across its ends. `resident`: the same
    stage, as `planning.switching` takes it."""

    start: int
    stop: int
    arena_bytes: int
    saved: int
    saved_inside: int
    added_insn: int
    rebuild_insn: int
    image_bytes: int
    copied: int
    resident: Resident
    kept_bytes: int = 0
    read_bytes: int = 0
    never_rebuilt: bool = False
    is_streamed: bool = True


@dataclass(frozen=True, slots=True)
class StreamPrice:
    """Bytes of the arena, and instructions of AllocateTensors and of Invoke, of all groups.
    `granted_bytes`: the arena with headroom and further interpreters. `dearer_insn`: of Invoke,
    beyond that on all rows at once. `added_insn` is without `rebuild_insn`, AllocateTensors and
    construction; `image_bytes`: see `planning.switching`. `resident`: what differs where the stage
    is."""

    head_bytes: int
    tail_bytes: int
    size_bytes: int
    granted_bytes: int
    allocate_insn: int
    invoke_insn: int
    dearer_insn: int
    added_insn: int
    rebuild_insn: int
    image_bytes: int
    resident: Resident


class StreamPricer:
    """Prices streams of one model."""

    def __init__(
        self,
        ops: AlikeOps,
        whole_insn: WholeInsn,
        headroom_bytes: int,
        zero_arena: bool,
    ) -> None:
        """`whole_insn`: Invoke of ops [start, stop) on all rows."""
        self._graph, self._rules, self._whole_insn = ops.graph, ops.rules, whole_insn
        self._headroom_bytes, self._zero_arena = headroom_bytes, zero_arena
        self.terms = GroupTerms(ops)

    def figures(self, stream: Stream) -> SegmentFigures:
        """The stage as a segment's only piece."""
        terms = self._terms(stream)
        price, copies = self.priced(stream)
        return SegmentFigures(
            request=None,
            segment=segment_of(self._graph, stream.start, stream.stop),
            memory=ArenaFigures(
                head_bytes=price.head_bytes,
                peak_load_bytes=price.head_bytes,
                tail_bytes=price.tail_bytes,
                size_bytes=price.size_bytes,
                buffers=sum(len(term.sizes) for term in terms),
                scratch=sum(term.scratch for term in terms),
                is_pinned=False,
                work=PlannerWork(0, 0, 0, 0, 0),
            ),
            arena_bytes=price.granted_bytes,
            allocate_insn=price.allocate_insn,
            invoke_insn=price.invoke_insn,
            added_insn=price.added_insn + price.rebuild_insn,
            copied_bytes=copies.crossing_bytes,
            copy_insn=copies.insn,
            recomputed_insn=price.dearer_insn,
            rebuild_insn=price.rebuild_insn,
            image_bytes=price.image_bytes,
            stream=self.placed(stream),
        )

    def resident(self, piece: SegmentFigures) -> SegmentFigures:
        """The stage with persistent data in an arena of their own, which stays for good."""
        assert piece.stream is not None
        price, _ = self.priced(piece.stream.stream)
        found = price.resident
        memory = replace(piece.memory, tail_bytes=found.tail_bytes, size_bytes=found.size_bytes)
        return replace(
            piece,
            memory=memory,
            arena_bytes=found.arena_bytes,
            added_insn=found.added_insn + piece.rebuild_insn,
            kept_bytes=found.kept_bytes,
            read_bytes=found.read_bytes,
            stream=replace(piece.stream, is_resident=True),
        )

    def priced(self, stream: Stream) -> tuple[StreamPrice, Copies]:
        copies = copies_of(self._graph, stream)
        return self.price(*self._parts(stream), copies, stream.start, stream.stop), copies

    def price(
        self,
        groups: Sequence[PricedGroup],
        head_bytes: int,
        copies: Copies,
        start: int,
        stop: int,
    ) -> StreamPrice:
        """Of groups in the order in which they run, as ops [start, stop)."""
        needed = head_bytes
        for group in reversed(groups[1:]):
            needed = group.term.further.on_top(needed)
        size = align_up(groups[0].term.first.on_top(needed), ARENA_ALIGNMENT)
        granted = size + self._headroom_bytes
        tail = groups[0].term.first.below(0)
        for group in groups[1:]:
            tail = group.term.further.below(tail)
        allocate = round(sum(group.allocate_insn for group in groups))
        invoke = sum(group.turns * group.term.invoke_insn for group in groups)
        dearer = invoke - self._whole_insn(start, stop)
        is_rebuilt = (start, stop) != (0, len(self._graph.ops))
        zeroing = fill_insn(granted) if self._zero_arena and is_rebuilt else 0
        interpreter = self._rules.abi.interpreter_bytes
        return StreamPrice(
            head_bytes=head_bytes,
            tail_bytes=tail,
            size_bytes=size,
            granted_bytes=granted + (len(groups) - 1) * interpreter,
            allocate_insn=allocate,
            invoke_insn=invoke,
            dearer_insn=dearer,
            added_insn=zeroing + copies.insn + dearer,
            rebuild_insn=allocate + construct_insn(len(groups)) if is_rebuilt else 0,
            image_bytes=image_bytes(tail, len(groups) * interpreter) if is_rebuilt else 0,
            resident=self._resident(
                groups, head_bytes, copies.insn + dearer, is_zeroed=zeroing > 0
            ),
        )

    def _resident(
        self, groups: Sequence[PricedGroup], head_bytes: int, insn: int, *, is_zeroed: bool
    ) -> Resident:
        """`insn`: what it adds without zeroing."""
        abi = self._rules.abi
        start = 0 if abi.two_arenas is None else abi.two_arenas[0] - abi.preamble[0][0]
        tail = groups[0].term.first.below(start)
        read, reach = groups[0].turns * tail, groups[0].term.first.reach
        for group in groups[1:]:
            before, tail = tail, group.term.further.below(tail)
            read += group.turns * (tail - before)
            reach = max(reach, group.term.further.reach)
        size = align_up(max(head_bytes, reach), ARENA_ALIGNMENT)
        granted = size + self._headroom_bytes
        return Resident(
            arena_bytes=granted,
            size_bytes=size,
            tail_bytes=tail,
            kept_bytes=image_bytes(tail, len(groups) * abi.interpreter_bytes),
            read_bytes=read,
            added_insn=insn + (fill_insn(granted) if is_zeroed else 0),
        )

    def _terms(self, stream: Stream) -> list[GroupTerm]:
        return [self.terms(key_of(stream, group)) for group in stream.groups]

    def _parts(self, stream: Stream) -> tuple[list[PricedGroup], int]:
        """Its groups, and the bytes of the head."""
        terms = self._terms(stream)
        low = max(term.low_bytes for term in terms)
        offsets = line_buffer_offsets(stream, low)
        head, groups = low, []
        for group, term in zip(stream.groups, terms, strict=True):
            pins = offline_plan(stream, group, offsets)
            sizes = dict(zip(term.tensors, term.sizes, strict=False))
            head = max(head, *(offset + sizes[tensor] for tensor, offset in pins.items()))
            groups.append(PricedGroup(term, group.turns, term.allocate_insn(pins)))
        return groups, head

    def placed(self, stream: Stream) -> PlacedStream:
        return placed(stream, self._rules, self.terms.forms)
