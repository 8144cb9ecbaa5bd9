"""What one group of a stream takes by itself, in bytes and instructions: many streams share it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from splitopt.arena.abi import Abi, reached
from splitopt.arena.replay import TailStep, minimum_arena, tail_steps
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.allocate import AllocateTable, piece_insn, prepare_insn, work_insn
from splitopt.cost.streaming import check_insn
from splitopt.graph.liveness import live_steps
from splitopt.planning.alike_ops import AlikeOps
from splitopt.solvers.packing.greedy_replay import greedy_with_work
from splitopt.tiling.streams.group_graph import GroupKey
from splitopt.tiling.streams.placement import GroupForm, GroupForms

_APART = 1 << 24
"""Between the places of two line buffers: above anything that TFLM places by itself."""


class Tail:
    """The persistent data of one model of an allocator, as what they need beside that of others."""

    def __init__(self, steps: Sequence[TailStep], abi: Abi) -> None:
        self._steps = steps
        self._least = minimum_arena(steps, 0, abi)
        self.reach = max(step.reach for step in steps)
        """Of temporary data."""
        self._added: dict[int, int] = {}
        self._taken: dict[int, int] = {}

    def on_top(self, needed: int) -> int:
        """The smallest arena, where what the later models and the head need ends at `needed`."""
        rest = needed % ARENA_ALIGNMENT
        if rest not in self._added:
            self._added[rest] = self._top_without_reach(rest) - rest
        return max(needed + self._added[rest], self._least)

    def below(self, tail: int) -> int:
        """The tail, in bytes from the arena's end, with this behind what is there already."""
        rest = tail % ARENA_ALIGNMENT
        if rest not in self._taken:
            blocks = ((step.size, step.alignment) for step in self._steps)
            self._taken[rest] = reached(rest, blocks) - rest
        return tail + self._taken[rest]

    def _top_without_reach(self, needed: int) -> int:
        for step in reversed(self._steps):
            needed = align_up(needed, step.alignment) + step.size
        return needed


@dataclass(eq=False, slots=True)
class GroupTerm:
    """One form of a group: instructions of an Invoke; its tail as the first model of an allocator
    and as a further one; the rest is what AllocateTensors goes through. `sizes`, `lives`: of the
    buffers that TFLM plans, `tensors` before scratch."""

    form: GroupForm
    invoke_insn: int
    first: Tail
    further: Tail
    tensors: tuple[int, ...]
    sizes: tuple[int, ...]
    lives: tuple[tuple[int, int], ...]
    prepare_insn: float
    table: AllocateTable
    allocated: dict[tuple[int, ...], float] = field(default_factory=dict, repr=False)
    """By the order of its places: instructions of AllocateTensors."""

    @property
    def low_bytes(self) -> int:
        return self.form.low_bytes

    @property
    def scratch(self) -> int:
        return len(self.sizes) - len(self.tensors)

    def allocate_insn(self, places: Mapping[int, int]) -> float:
        """Instructions of AllocateTensors. `places`: tensor → number of its line buffer. TFLM's
        planner looks at the order of places, not at how far they are apart."""
        order = tuple(places.get(tensor, -1) for tensor in self.tensors)
        ranks = {place: rank for rank, place in enumerate(sorted({*order, -1}))}
        key = tuple(ranks[place] for place in order)
        if key not in self.allocated:
            self.allocated[key] = self._insn({k: rank for k, rank in enumerate(key) if rank})
        return self.allocated[key]

    def _insn(self, ranks: Mapping[int, int]) -> float:
        pins = {k: rank * _APART for k, rank in ranks.items()}
        starts, stops = [a for a, _ in self.lives], [b for _, b in self.lives]
        _, work = greedy_with_work(self.sizes, starts, stops, pins)
        segment = self.form.segment
        fixed = piece_insn(segment, self.prepare_insn, self.scratch, True, self.table)
        checked = check_insn(len(segment.inputs) + len(segment.outputs))
        return fixed + work_insn(len(self.sizes), work, self.table) + checked


class GroupTerms:
    """Terms of the groups of one model's streams: groups that are alike share what they take."""

    def __init__(self, ops: AlikeOps) -> None:
        self.forms = GroupForms(ops.graph, ops.rules)
        self._ops, self._rules, self._costs = ops, ops.rules, ops.costs
        self._known: dict[GroupKey, GroupTerm] = {}
        self._alike: dict[Hashable, tuple[GroupTerm, list[int]]] = {}
        """By likeness, with the tensors of that group in order."""

    def __call__(self, key: GroupKey) -> GroupTerm:
        if key not in self._known:
            self._known[key] = self._shared(key)
        return self._known[key]

    def _shared(self, key: GroupKey) -> GroupTerm:
        """TFLM lists the tensors of a group by number: in groups that are alike, the first of one
        is what the first of the other is, and so on."""
        ops = [self._ops.graph.ops[op] for op in key.ops]
        named = sorted({tensor for op in ops for tensor in op.touched})
        place = {tensor: k for k, tensor in enumerate(named)}
        likeness = (
            tuple(self._ops.kinds[op] for op in key.ops),
            tuple(place[tensor] for op in ops for tensor in op.touched),
            tuple((place[tensor], rows) for tensor, rows in key.reads),
            tuple((place[tensor], is_held) for tensor, is_held in key.outputs),
            key.rows,
        )
        if likeness not in self._alike:
            self._alike[likeness] = self._term(self.forms(key)), named
        term, others = self._alike[likeness]
        own = dict(zip(others, named, strict=True))
        return replace(term, tensors=tuple(own[tensor] for tensor in term.tensors))

    def _term(self, form: GroupForm) -> GroupTerm:
        graph, costs = form.graph, self._costs
        lives = live_steps(graph, form.segment)
        sizes = [align_up(graph.tensors[t].bytes, ARENA_ALIGNMENT) for t in lives]
        ranges = list(lives.values())
        for step, memory in enumerate(form.memories, start=1):
            for size in memory.scratch:
                sizes.append(align_up(size, ARENA_ALIGNMENT))
                ranges.append((step, step + 1))
        first, further = (self._tail(form, len(sizes), is_first) for is_first in (True, False))
        invoke = sum(costs.invoke(graph, op) or 0 for op in graph.ops)
        return GroupTerm(
            form=form,
            invoke_insn=invoke + round(costs.per_invoke),
            first=first,
            further=further,
            tensors=tuple(lives),
            sizes=tuple(sizes),
            lives=tuple(ranges),
            prepare_insn=sum(prepare_insn(graph, op, costs.allocate) for op in graph.ops),
            table=costs.allocate,
        )

    def _tail(self, form: GroupForm, buffers: int, is_first: bool) -> Tail:
        abi = self._rules.abi
        steps = tail_steps(form.graph, form.segment, form.memories, abi, buffers, is_first=is_first)
        return Tail(list(steps), abi)
