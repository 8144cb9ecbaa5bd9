"""Bounds of all streams: what every one needs at least, from its groups as they grow op by op.

No bound is above the exact figure. Left out are padding and temporary data in the arena, what
TFLM's planner does, fills, and rows that wait where the readers of a tensor may run otherwise than
here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor

from splitopt.arena.replay import tensor_blocks
from splitopt.arena.rules import TargetRules
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.allocate import fixed_insn, prepare_insn
from splitopt.cost.copying import fill_insn
from splitopt.cost.costs import Costs
from splitopt.cost.streaming import (
    FEED_INSN,
    MADE_INSN,
    TURN_INSN,
    construct_insn,
    moved_insn,
)
from splitopt.graph.model import ModelGraph
from splitopt.tiling.rolled import RolledPair, best_pairs, saved_bytes
from splitopt.tiling.rows import activations_read, rows_of
from splitopt.tiling.streams.group_graph import row_graph
from splitopt.tiling.streams.grouping import SOURCE, Draft, Flow, Grouping, Window
from splitopt.tiling.streams.rules import StreamRule

WholeInsn = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class _RowOp:
    """One op on one row of its output: instructions of an Invoke and of AllocateTensors, bytes of
    the tail, of scratch, and of its output as TFLM plans it."""

    invoke_insn: int
    prepare_insn: float
    tail_bytes: int
    scratch_bytes: int
    scratch: int
    row_bytes: int


@dataclass(frozen=True, slots=True)
class _Group:
    """One group: instructions of one Invoke and of AllocateTensors, bytes of the tail and of what
    TFLM places by itself."""

    low_bytes: int
    tail_bytes: int
    invoke_insn: int
    rebuild_insn: float


class StreamBounds:
    """Of the streams of one model."""

    def __init__(
        self,
        graph: ModelGraph,
        rules: TargetRules,
        costs: Costs,
        stream_rules: tuple[StreamRule | str, ...],
        whole_insn: WholeInsn,
        headroom_bytes: int,
        *,
        zero_arena: bool,
    ) -> None:
        self._graph, self._rules, self._costs = graph, rules, costs
        self._stream_rules, self._whole_insn = stream_rules, whole_insn
        self._headroom_bytes, self._zero_arena = headroom_bytes, zero_arena
        self._row_ops: dict[int, _RowOp] = {}
        self._groups: dict[tuple[tuple[int, ...], tuple[int, ...]], _Group] = {}

    def row(self, grouping: Grouping) -> tuple[int, tuple[int, ...]]:
        """Bytes of the arena, and the entry of `StreamColumns`, of a grouping that is closed."""
        depths = self._depths(grouping)
        arena = self._arena_bytes(grouping, depths)
        saved, inside = self._saved_bytes(grouping)
        cost, copied = self._cost(grouping, depths, arena)
        return arena, (grouping.start, grouping.stop, arena, saved, inside, cost, copied)

    def _depths(self, grouping: Grouping) -> dict[int, int]:
        """Rows that the line buffer of each tensor has at least.

        A maker with a reader that is never ahead cannot run later. Then the others are as far
        ahead as they are here, but for a row that is saved where a reader runs before it.
        """
        looks: dict[int, list[tuple[Window, int]]] = {}
        tight: set[int] = set()
        for draft in grouping.groups:
            for tensor, window in draft.reads.items():
                flow = grouping.flows[tensor]
                newest = floor((draft.first - flow.first) / flow.period)
                lag = newest - (window.rows - 1 - window.above)
                looks.setdefault(tensor, []).append((window, lag))
                if not lag:
                    tight.add(_maker(flow))
        depths = {}
        for tensor, found in looks.items():
            depth = max(window.rows for window, _ in found)
            if _maker(grouping.flows[tensor]) in tight:
                depth = max(depth, *(w.rows + lag - (lag > 0) for w, lag in found))
            depths[tensor] = depth
        return depths

    def _arena_bytes(self, grouping: Grouping, depths: dict[int, int]) -> int:
        """What is granted to the stage, further interpreters included."""
        abi = self._rules.abi
        head = sum(
            align_up(depth * self._row_bytes(tensor), ARENA_ALIGNMENT)
            for tensor, depth in depths.items()
        )
        groups = [self._group(draft) for draft in grouping.groups]
        low = max(group.low_bytes for group in groups)
        tail = sum(group.tail_bytes for group in groups)
        tail += sum(size for size, _ in abi.preamble[: abi.shared_blocks])
        further = (len(grouping.groups) - 1) * abi.interpreter_bytes
        return align_up(head + low + tail, ARENA_ALIGNMENT) + self._headroom_bytes + further

    def _group(self, draft: Draft) -> _Group:
        key = tuple(draft.ops), tuple(draft.reads)
        if key not in self._groups:
            self._groups[key] = self._summed(draft)
        return self._groups[key]

    def _summed(self, draft: Draft) -> _Group:
        table = self._costs.allocate
        ops = [self._row_op(op) for op in draft.ops]
        tensors = len(draft.reads) + len(ops)
        scratch = sum(op.scratch for op in ops)
        prepare = sum(op.prepare_insn for op in ops)
        rebuild = fixed_insn(len(ops), prepare, tensors, scratch, table)
        rebuild += table.planned_buffer * (tensors + scratch)
        rebuild += table.offline_plan + table.offline_plan_tensor * tensors
        return _Group(
            low_bytes=max(op.scratch_bytes for op in ops),
            tail_bytes=sum(op.tail_bytes for op in ops) + self._tail_of_group(draft),
            invoke_insn=round(self._costs.per_invoke) + sum(op.invoke_insn for op in ops),
            rebuild_insn=rebuild,
        )

    def _tail_of_group(self, draft: Draft) -> int:
        """Beside what its ops ask for: structures of the model, of what it reads, of one output."""
        tensors, abi = self._graph.tensors, self._rules.abi
        made = self._graph.ops[draft.ops[-1]].outputs
        fixed = [*abi.preamble[abi.shared_blocks :], abi.subgraph]
        ends = [block for t in (*draft.reads, *made) for block in tensor_blocks(tensors[t], abi)]
        count = len(draft.reads)
        return sum(size for size, _ in (*fixed, *ends)) + abi.eval_tensor[0] * count

    def _saved_bytes(self, grouping: Grouping) -> tuple[int, int]:
        """The most that rolled ends save; without the model's inputs."""
        graph = self._graph
        read_inside = {grouping.flows[t].written for g in grouping.groups for t in g.reads}
        busy = {grouping.flows[t].group for t in read_inside}
        seen = {
            grouping.flows[t].written: _seen_rows(grouping.flows[t], found)
            for t, found in _readers(grouping).items()
        }
        pairs = []
        for source in grouping.sources:
            if graph.readers[source][-1] < grouping.stop and source not in graph.outputs:
                for made in grouping.outputs:
                    flow = grouping.flows[made]
                    lead = 0
                    if flow.group not in busy:
                        lead = _least_lead(graph, grouping.flows[source], flow, seen[source])
                    pairs.append(RolledPair(source, made, lead))
        if not pairs:
            return 0, 0
        inside = [pair for pair in pairs if pair.read not in graph.inputs]
        both = (best_pairs(graph, chosen) for chosen in (pairs, inside))
        saved, saved_inside = (sum(saved_bytes(graph, p) for p in chosen) for chosen in both)
        return saved, saved_inside

    def _cost(
        self, grouping: Grouping, depths: dict[int, int], arena_bytes: int
    ) -> tuple[int, int]:
        """Instructions that are added, and bytes that cross the ends, these exactly."""
        drafts = grouping.groups
        groups = [self._group(draft) for draft in drafts]
        invoke = sum(d.rows * g.invoke_insn for d, g in zip(drafts, groups, strict=True))
        rebuild = sum(group.rebuild_insn for group in groups)
        ends = grouping.start, grouping.stop
        is_whole = ends == (0, len(self._graph.ops))
        zeroing = fill_insn(arena_bytes) if self._zero_arena else 0
        moved, copied = self._moves(grouping, depths)
        construct = construct_insn(len(grouping.groups))
        added = 0 if is_whole else max(0, int(rebuild)) + construct + zeroing
        return added + moved + invoke - self._whole_insn(*ends), copied

    def _moves(self, grouping: Grouping, depths: dict[int, int]) -> tuple[int, int]:
        """Instructions of the loop over rows, and bytes that cross the ends."""
        copied = 0
        insn = sum(draft.rows * TURN_INSN for draft in grouping.groups)
        for tensor, found in _readers(grouping).items():
            flow = grouping.flows[tensor]
            row, entered = self._row_bytes(flow.written), _seen_rows(flow, found)
            draft, window = found[0]
            if flow.group == SOURCE:
                insn += entered * FEED_INSN
            else:
                insn += flow.rows * MADE_INSN
            if len(found) > 1 or window.repeat > 1:
                left, times = depths[tensor] - 1, entered
            else:
                left, times = max(0, window.rows - window.stride), draft.rows - 1
                entered -= _skipped_rows(entered, window)
            insn += times * moved_insn(left * self._row_bytes(tensor))
            if flow.group == SOURCE:
                insn += entered * moved_insn(row)
                copied += entered * row
        for tensor in grouping.outputs:
            rows = rows_of(self._graph.tensors[tensor])
            insn += rows * moved_insn(self._row_bytes(tensor))
            copied += self._graph.tensors[tensor].bytes
        return insn, copied

    def _row_op(self, op: int) -> _RowOp:
        if op not in self._row_ops:
            self._row_ops[op] = self._measured(op)
        return self._row_ops[op]

    def _measured(self, op: int) -> _RowOp:
        rule = self._stream_rules[op]
        assert isinstance(rule, StreamRule)
        whole = self._graph.ops[op]
        rows = dict.fromkeys(activations_read(self._graph, whole), rule.reach)
        graph = row_graph(self._graph, [whole], rows)
        [own] = graph.ops
        abi, memory = self._rules.abi, self._rules.memory(graph, own)
        persistent = [abi.node[0], *memory.init, *memory.kept]
        persistent += [memory.params[0]] if memory.params else []
        persistent += [abi.eval_tensor[0]]
        return _RowOp(
            invoke_insn=self._costs.invoke(graph, own) or 0,
            prepare_insn=prepare_insn(graph, own, self._costs.allocate),
            tail_bytes=sum(persistent),
            scratch_bytes=sum(align_up(size, ARENA_ALIGNMENT) for size in memory.scratch),
            scratch=len(memory.scratch),
            row_bytes=graph.tensors[own.outputs[0]].bytes,
        )

    def _row_bytes(self, tensor: int) -> int:
        return self._bytes_of_rows[tensor]

    @cached_property
    def _bytes_of_rows(self) -> list[int]:
        return [t.bytes // rows_of(t) if rows_of(t) else 0 for t in self._graph.tensors]


def _maker(flow: Flow) -> int:
    """The group that makes the rows, or a number for a source of its own."""
    return flow.group if flow.group != SOURCE else -2 - flow.written


def _readers(grouping: Grouping) -> dict[int, list[tuple[Draft, Window]]]:
    """By the tensor whose rows a line buffer holds."""
    found: dict[int, list[tuple[Draft, Window]]] = {}
    for draft in grouping.groups:
        for tensor, window in draft.reads.items():
            found.setdefault(tensor, []).append((draft, window))
    return found


def _seen_rows(flow: Flow, readers: Sequence[tuple[Draft, Window]]) -> int:
    """Rows of the image down to the last one that a reader looks at."""
    return min(flow.rows, 1 + max(draft.last_row(window) for draft, window in readers))


def _skipped_rows(seen: int, window: Window) -> int:
    """Of these, the rows between windows, where they leave some out."""
    gap = window.stride - window.rows
    if gap <= 0:
        return 0
    rows = range(window.above, window.above + seen)
    return sum(row % window.stride >= window.rows for row in rows)


def _least_lead(graph: ModelGraph, source: Flow, made: Flow, wanted: int) -> int:
    """At least the lead of the two, in bytes: by the row that is made first, by one in the middle,
    and by the last, while nobody runs later than here. `wanted`: rows of the source."""
    read_row, made_row = (
        graph.tensors[t].bytes // rows_of(graph.tensors[t]) for t in (source.tensor, made.tensor)
    )
    lead = 0
    for row in {0, made.rows // 2, made.rows - 1}:
        taken = (made.first + made.period * row - source.first) // source.period + 1
        if taken < wanted:
            lead = max(lead, (row + 1) * made_row - taken * read_row)
    return lead
