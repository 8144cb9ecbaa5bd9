"""The exact price of a stream in bytes and instructions: arena → AllocateTensors → copies → Invoke.

What a group takes by itself is looked up: many streams share it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from splitopt.arena.quick_replay import ArenaFigures
from splitopt.arena.replay import TailStep, minimum_arena, tail_bytes, tail_steps
from splitopt.arena.rules import TargetRules
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.allocate import piece_insn, prepare_insn, work_insn
from splitopt.cost.copying import fill_insn
from splitopt.cost.costs import Costs
from splitopt.cost.streaming import construct_insn
from splitopt.graph.liveness import live_steps
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.stream_copies import copies_of
from splitopt.solvers.packing.greedy_replay import greedy_with_work
from splitopt.solvers.packing.greedy_work import PlannerWork
from splitopt.tiling.streams.placement import (
    GroupForm,
    GroupForms,
    PlacedStream,
    line_buffer_offsets,
    offline_plan,
    placed,
)
from splitopt.tiling.streams.stream import Group, Stream


@dataclass(frozen=True, slots=True)
class _Prices:
    """Of one form of a group: instructions of an Invoke and of its ops' Prepare, and what it
    allocates in the tail as the first model of an allocator and as a further one. `sizes`,
    `lives`: of the buffers that TFLM plans, tensors (named) before scratch."""

    invoke_insn: int
    prepare_insn: float
    tails: tuple[tuple[TailStep, ...], tuple[TailStep, ...]]
    tensors: tuple[int, ...]
    sizes: tuple[int, ...]
    lives: tuple[tuple[int, int], ...]

    @property
    def scratch(self) -> int:
        return len(self.sizes) - len(self.tensors)


@dataclass(frozen=True, slots=True)
class StreamPrice:
    """Bytes of the arena, and instructions of AllocateTensors and of Invoke, of all groups."""

    head_bytes: int
    size_bytes: int
    buffers: int
    scratch: int
    allocate_insn: int
    invoke_insn: int


class StreamPricer:
    """Prices streams of one model."""

    def __init__(self, graph: ModelGraph, rules: TargetRules, costs: Costs) -> None:
        self._graph, self._rules, self._costs = graph, rules, costs
        self.forms = GroupForms(graph, rules)
        self._known: dict[Hashable, _Prices] = {}
        self._work: dict[Hashable, float] = {}

    def price(self, stream: Stream) -> StreamPrice:
        """The exact figures of the stage."""
        forms = [self.forms(stream, group) for group in stream.groups]
        prices = [self._prices(stream, *pair) for pair in zip(stream.groups, forms, strict=True)]
        low = max(form.low_bytes for form in forms)
        offsets = line_buffer_offsets(stream, low)
        head, allocate = low, 0.0
        for group, form, own in zip(stream.groups, forms, prices, strict=True):
            pins = offline_plan(stream, group, offsets)
            sizes = dict(zip(own.tensors, own.sizes, strict=False))
            head = max(head, *(offset + sizes[tensor] for tensor, offset in pins.items()))
            allocate += self._allocate(form, own, pins)
        steps = [step for k, own in enumerate(prices) for step in own.tails[k > 0]]
        return StreamPrice(
            head_bytes=head,
            size_bytes=align_up(minimum_arena(steps, head), ARENA_ALIGNMENT),
            buffers=sum(len(own.sizes) for own in prices),
            scratch=sum(own.scratch for own in prices),
            allocate_insn=round(allocate),
            invoke_insn=sum(
                own.invoke_insn * group.rows
                for own, group in zip(prices, stream.groups, strict=True)
            ),
        )

    def figures(
        self,
        stream: Stream,
        segment: Segment,
        whole_insn: int,
        *,
        headroom_bytes: int,
        zero_arena: bool,
        is_rebuilt: bool,
    ) -> SegmentFigures:
        """The stage as a segment's only piece. `whole_insn`: Invoke of its ops on all rows."""
        price, copies = self.price(stream), copies_of(self._graph, stream)
        further = (len(stream.groups) - 1) * self._rules.abi.interpreter_bytes
        granted = price.size_bytes + headroom_bytes
        zeroing = fill_insn(granted) if zero_arena else 0
        construct = construct_insn(len(stream.groups))
        rebuild = price.allocate_insn + construct + zeroing if is_rebuilt else 0
        dearer = price.invoke_insn - whole_insn
        return SegmentFigures(
            request=None,
            segment=segment,
            memory=ArenaFigures(
                head_bytes=price.head_bytes,
                peak_load_bytes=price.head_bytes,
                size_bytes=price.size_bytes,
                buffers=price.buffers,
                scratch=price.scratch,
                is_pinned=False,
                work=PlannerWork(0, 0, 0, 0, 0),
            ),
            arena_bytes=granted + further,
            allocate_insn=price.allocate_insn,
            invoke_insn=price.invoke_insn,
            added_insn=rebuild + copies.insn + dearer,
            copied_bytes=copies.crossing_bytes,
            copy_insn=copies.insn,
            recomputed_insn=dearer,
            stream=self.placed(stream),
        )

    def placed(self, stream: Stream) -> PlacedStream:
        return placed(stream, self._rules, self.forms)

    def _prices(self, stream: Stream, group: Group, form: GroupForm) -> _Prices:
        key = self.forms.key(stream, group)
        if key not in self._known:
            self._known[key] = self._price_form(form)
        return self._known[key]

    def _price_form(self, form: GroupForm) -> _Prices:
        graph, segment, costs = form.graph, form.segment, self._costs
        lives = live_steps(graph, segment)
        sizes = [align_up(graph.tensors[t].bytes, ARENA_ALIGNMENT) for t in lives]
        ranges = list(lives.values())
        for step, memory in enumerate(form.memories, start=1):
            for size in memory.scratch:
                sizes.append(align_up(size, ARENA_ALIGNMENT))
                ranges.append((step, step + 1))
        first, further = (
            tuple(
                tail_steps(
                    graph, segment, form.memories, self._rules.abi, len(sizes), is_first=is_first
                )
            )
            for is_first in (True, False)
        )
        ops = sum(costs.invoke(graph, op) or 0 for op in graph.ops)
        return _Prices(
            invoke_insn=ops + round(costs.per_invoke),
            prepare_insn=sum(prepare_insn(graph, op, costs.allocate) for op in graph.ops),
            tails=(first, further),
            tensors=tuple(lives),
            sizes=tuple(sizes),
            lives=tuple(ranges),
        )

    def _allocate(self, form: GroupForm, own: _Prices, pins: Mapping[int, int]) -> float:
        """Instructions of AllocateTensors. TFLM's planner looks at the order of places, not at how
        far they are apart."""
        order = _order([pins.get(tensor) for tensor in own.tensors])
        key = id(form), order
        if key not in self._work:
            self._work[key] = self._allocate_insn(form, own, pins)
        return self._work[key]

    def _allocate_insn(self, form: GroupForm, own: _Prices, pins: Mapping[int, int]) -> float:
        table = self._costs.allocate
        places = {k: pins[t] for k, t in enumerate(own.tensors) if t in pins}
        starts, stops = [a for a, _ in own.lives], [b for _, b in own.lives]
        _, work = greedy_with_work(own.sizes, starts, stops, places)
        fixed = piece_insn(form.segment, own.prepare_insn, own.scratch, True, table)
        return fixed + work_insn(len(own.sizes), work, table)


def _order(offsets: Sequence[int | None]) -> tuple[int, ...]:
    """The rank of each offset among them; -1 where there is none."""
    ranks = {offset: k for k, offset in enumerate(sorted({o for o in offsets if o is not None}))}
    return tuple(-1 if offset is None else ranks[offset] for offset in offsets)


def tail_of(steps: Sequence[TailStep]) -> int:
    return tail_bytes(steps)
