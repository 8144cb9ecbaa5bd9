"""Bounds of all streams at once, as matrices [start, stop]: sums over ops, and over line buffers.

What counts: an op with a window begins a group and reads a line buffer as deep as the window, and
rows wait in one for a residual. Left out are what depends on where a stream begins, TFLM's planner,
fills, and padding in the arena.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from splitopt.arena.kernel import KernelMemory
from splitopt.arena.replay import tensor_blocks
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.allocate import fixed_insn
from splitopt.cost.copying import fill_insn
from splitopt.cost.streaming import MADE_INSN, TURN_INSN, check_insn, construct_insn, moved_insn
from splitopt.graph.model import Op
from splitopt.planning.alike_ops import AlikeOps
from splitopt.planning.segment_bounds import RectangleSums, between
from splitopt.planning.switching import image_bytes
from splitopt.solvers.partition.shortest_paths import Matrix
from splitopt.tiling.rows import activations_read, images_read, rows_of, rows_read
from splitopt.tiling.schedule import row_bytes
from splitopt.tiling.streams.residuals import residuals, rows_above
from splitopt.tiling.streams.rules import StreamRule

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _RowOp:
    """One op in a stream: `turns` in which it is invoked, instructions of these and of
    AllocateTensors, bytes of the tail and of scratch. `passing_bytes`: those with a row that the op
    before passes on to it. `begins_group`: see the module; then `moved_insn`: of rows that stay in
    its line buffer, in all turns."""

    begins_group: bool = False
    turns: int = 0
    invoke_insn: int = 0
    rebuild_insn: float = 0.0
    tail_bytes: int = 0
    scratch_bytes: int = 0
    passing_bytes: int = 0
    moved_insn: int = 0


class StreamBounds:
    """Of the streams of one model. `rules`: of its ops."""

    def __init__(
        self,
        ops: AlikeOps,
        rules: Sequence[StreamRule | str],
        headroom_bytes: int,
        zero_arena: bool,
    ) -> None:
        self._graph, self._target, self._costs = ops.graph, ops.rules, ops.costs
        self._alike, self._rules = ops, rules
        self._headroom_bytes, self._zero_arena = headroom_bytes, zero_arena
        self._ops: list[_RowOp] = []
        self._blocks: dict[int, set[tuple[int, int]]] = {}
        """Tensor → how many of its rows may be made at once, and with the wrong ones."""
        for op, rule in zip(ops.graph.ops, rules, strict=True):
            self._ops.append(self._measured(op, rule))

    @cached_property
    def may_be_streams(self) -> Mask:
        """Where every op runs row by row."""
        barriers = self._total([int(isinstance(rule, str)) for rule in self._rules])
        mask: Mask = np.triu(barriers == 0, 1)
        return mask

    @cached_property
    def groups(self) -> Matrix:
        """How many there are. The first op begins one, too, unless that is a PAD, which may
        disappear."""
        at_start = [
            isinstance(rule, StreamRule) and rule.is_pointwise and not rule.padding
            for rule in self._rules
        ]
        begun = self._total([op.begins_group for op in self._ops])
        groups: Matrix = np.maximum(1, begun + np.array([*at_start, False])[:, None])
        return groups

    @cached_property
    def _tail(self) -> Matrix:
        abi = self._target.abi
        shared = sum(size for size, _ in abi.preamble[: abi.shared_blocks])
        tail: Matrix = self._total([op.tail_bytes for op in self._ops])
        return tail + self.groups * self._group_tail_bytes + shared - ARENA_ALIGNMENT

    @cached_property
    def image(self) -> Matrix:
        """Bytes of the image; see `planning.switching`."""
        found: Matrix = image_bytes(self._tail, self.groups * self._target.abi.interpreter_bytes)
        return found

    @cached_property
    def granted(self) -> Matrix:
        """Bytes that are granted to the arena, without interpreters."""
        low = np.maximum(
            self._highest([op.scratch_bytes for op in self._ops], 1),
            self._highest([op.passing_bytes for op in self._ops], 2),
        )
        granted: Matrix = self._line_buffers() + low + self._tail + self._headroom_bytes
        return granted

    @property
    def arena(self) -> Matrix:
        """Bytes that are granted, further interpreters included."""
        further: Matrix = (self.groups - 1) * self._target.abi.interpreter_bytes
        return self.granted + further

    @cached_property
    def insn(self) -> Matrix:
        """Instructions of Invoke, of the loop over rows and of zeroing, but for copies at the
        ends."""
        per_turn = round(self._costs.per_invoke) + TURN_INSN + MADE_INSN
        in_loop = [
            op.invoke_insn + op.turns * per_turn * op.begins_group + op.moved_insn
            for op in self._ops
        ]
        insn: Matrix = self._total(in_loop)
        if self._zero_arena:
            zeroing = fill_insn(self.granted)
            zeroing[0, -1] = 0
            insn += zeroing
        return insn

    @cached_property
    def rebuild(self) -> Matrix:
        """Instructions of AllocateTensors and construction; the whole model is built once, at
        start-up."""
        table = self._costs.allocate
        per_group = fixed_insn(0, 0.0, 1, 0, table) + table.planned_buffer
        per_group += table.offline_plan + table.offline_plan_tensor + check_insn(2)
        allocate = between(np.array([0.0, *(op.rebuild_insn for op in self._ops)]))
        allocate = np.floor(allocate + self.groups * per_group)
        rebuild: Matrix = allocate.astype(np.int64) + construct_insn(self.groups)
        rebuild[0, -1] = 0
        return rebuild

    @cached_property
    def unwanted_bytes(self) -> int:
        """Of all tensors together, in rows that no window looks at."""
        return sum(
            (rows_of(self._graph.tensors[tensor]) - min(wanted)) * row_bytes(self._graph, tensor)
            for tensor in self._images
            if (wanted := list(self._wanted_rows(tensor)))
        )

    def _total(self, by_op: Sequence[int]) -> Matrix:
        """Over the ops of each segment."""
        return between(np.array([0, *by_op], dtype=np.int64))

    def _highest(self, by_op: Sequence[int], ops: int) -> Matrix:
        """For each segment [start, stop), the largest of `by_op` over its ops but the first
        `ops` - 1; 0 where it has fewer than `ops`."""
        n = len(by_op)
        within = np.triu(np.broadcast_to(np.array([0, *by_op]), (n + 1, n + 1)), ops)
        highest: Matrix = np.maximum.accumulate(within, axis=1)
        return highest

    def _line_buffers(self) -> Matrix:
        graph, n = self._graph, len(self._ops)
        sums, counted = RectangleSums(n), dict[int, int]()
        for tensor in self._images:
            readers = [op for op in graph.readers[tensor] if self._ops[op].begins_group]
            if readers:
                size = self._held_bytes(tensor, min(self._rule(op).reach for op in readers))
                sums.add_where_any(range(n + 1), readers, size)
                counted[tensor] = size
        for residual in residuals(graph, self._rules):
            size = self._held_bytes(residual.tensor, residual.rows)
            more = max(0, size - counted.get(residual.tensor, 0))
            sums.add(range(residual.first + 1), range(residual.reader + 1, n + 1), more)
        return sums.matrix()

    @cached_property
    def _images(self) -> list[int]:
        """Activations with rows that ops read."""
        tensors = self._graph.tensors
        return [t for t in self._graph.readers if tensors[t].is_activation and rows_of(tensors[t])]

    def _held_bytes(self, tensor: int, rows: int) -> int:
        return align_up(rows * row_bytes(self._graph, tensor), ARENA_ALIGNMENT)

    def _rule(self, op: int) -> StreamRule:
        rule = self._rules[op]
        assert isinstance(rule, StreamRule)
        return rule

    def _wanted_rows(self, tensor: int) -> Iterator[int]:
        """By each reader."""
        graph = self._graph
        whole = rows_of(graph.tensors[tensor])
        for op in graph.readers[tensor]:
            rule = self._rules[op]
            if isinstance(rule, StreamRule):
                above = rows_above(graph, self._rules, graph.ops[op], tensor)
                last = rule.stride * (self._ops[op].turns - 1) - above + rule.reach - 1
                rows = np.arange(min(whole, last + 1)) + above
                is_seen = rows % rule.stride < rule.reach
                yield (
                    int(is_seen.sum()) if self._ops[op].begins_group and rule.repeat == 1 else whole
                )

    @property
    def _group_tail_bytes(self) -> int:
        """Structures of a model, of one tensor that it reads and one that it makes."""
        abi, tensors = self._target.abi, self._graph.tensors
        fixed = sum(size for size, _ in (*abi.preamble[abi.shared_blocks :], abi.subgraph))
        ends = [sum(b for b, _ in tensor_blocks(t, abi)) for t in tensors if t.is_activation]
        pointer, end = abi.pointer_bytes, min(ends, default=0)
        # What it makes begins at a multiple of 16 above what it reads, and so does that.
        return fixed + align_up(end + pointer, ARENA_ALIGNMENT) + pointer + end + abi.eval_tensor[0]

    def _measured(self, op: Op, rule: StreamRule | str) -> _RowOp:
        if isinstance(rule, str):
            return _RowOp()
        if rule.padding is not None:
            [source] = activations_read(self._graph, op)
            self._blocks[op.outputs[0]] = self._blocks.get(source, set())
            return _RowOp()
        graph, [made] = self._graph, op.outputs
        rows, read = rows_of(graph.tensors[made]), images_read(graph, op)
        looked_at = rows_read(graph, op, rule.reach)
        memory = self._alike.row_memory(op.index, looked_at, rule.dropped + rule.rows)
        scratch = sum(align_up(size, ARENA_ALIGNMENT) for size in memory.scratch)
        return _RowOp(
            begins_group=not rule.is_pointwise,
            turns=rows // rule.rows,
            invoke_insn=self._invoke_insn(op, rule, read, rows),
            rebuild_insn=self._rebuild_insn(op, memory),
            tail_bytes=self._tail_bytes(op, rule, memory),
            scratch_bytes=scratch,
            passing_bytes=self._passing_bytes(op, read, rule, scratch),
            moved_insn=self._moved_insn(op, rule),
        )

    def _invoke_insn(self, op: Op, rule: StreamRule, read: Sequence[int], rows: int) -> int:
        """The least of the ways in which it may run: behind an op that makes several rows at once,
        one that works row by row may do so, too."""
        ways = {(rule.rows, rule.dropped + rule.rows)}
        if rule.is_pointwise:
            ways = ways.union(*(self._blocks[tensor] for tensor in read if tensor in self._blocks))
        self._blocks[op.outputs[0]] = ways
        found = []
        for at_once, made in ways:
            looked_at = made if rule.is_pointwise else rule.reach
            once = self._alike.row_insn(op.index, rows_read(self._graph, op, looked_at), made)
            found.append(rows // at_once * (once or 0))
        return min(found)

    def _rebuild_insn(self, op: Op, memory: KernelMemory) -> float:
        table, scratch, tensors = self._costs.allocate, len(memory.scratch), self._tensors(op)
        insn = self._alike.prepare_insn(op.index) + table.planned_buffer * (1 + scratch)
        insn += (table.tensor + table.offline_plan_tensor) * tensors
        return insn + table.scratch_times_ops * scratch

    def _tail_bytes(self, op: Op, rule: StreamRule, memory: KernelMemory) -> int:
        abi = self._target.abi
        structures = abi.node[0] + abi.eval_tensor[0] * self._tensors(op)
        structures += abi.scratch_handle[0] * len(memory.scratch)
        params, _ = memory.params or (0, 0)
        return structures + params + sum(self._kept(memory, rule))

    @staticmethod
    def _kept(memory: KernelMemory, rule: StreamRule) -> Iterator[int]:
        """Persistent data of the kernel; only the first of a group may begin anywhere."""
        first, *rest = (*memory.init, *memory.kept, 0)
        yield first if not rule.is_pointwise else align_up(first, ARENA_ALIGNMENT)
        yield from (align_up(size, ARENA_ALIGNMENT) for size in rest)

    def _passing_bytes(self, op: Op, read: Sequence[int], rule: StreamRule, scratch: int) -> int:
        """TFLM places the row where no line buffer holds it: the op alone reads it, in the group of
        the op before. It is there with the scratch of either."""
        graph, [tensor, *others] = self._graph, read
        is_next = graph.producer.get(tensor, -1) == op.index - 1 >= 0 and not others
        if not (is_next and rule.is_pointwise) or len(graph.readers[tensor]) > 1:
            return 0
        before = self._ops[-1]
        if not before.turns or tensor in graph.outputs:
            return 0
        return self._held_bytes(tensor, 1) + max(scratch, before.scratch_bytes)

    def _moved_insn(self, op: Op, rule: StreamRule) -> int:
        """Where it alone reads a line buffer: others may move rows for both at once."""
        [tensor, *_] = images_read(self._graph, op)
        rules = (self._rules[reader] for reader in self._graph.readers[tensor])
        if rule.is_pointwise or sum(not _is_by_row(other) for other in rules) > 1:
            return 0
        kept = max(0, rule.reach - rule.stride) * row_bytes(self._graph, tensor)
        turns = rows_of(self._graph.tensors[op.outputs[0]]) // rule.rows
        return (turns - 1) * moved_insn(kept)

    def _tensors(self, op: Op) -> int:
        """What it makes, and what no other op names, but for inputs, as each group has one."""
        others = {*op.touched}.difference(op.outputs, self._graph.inputs)
        return 1 + sum(self._users[tensor] == 1 for tensor in others)

    @cached_property
    def _users(self) -> Counter[int]:
        return Counter(tensor for op in self._graph.ops for tensor in dict.fromkeys(op.touched))


def _is_by_row(rule: StreamRule | str) -> bool:
    return isinstance(rule, str) or rule.is_pointwise or rule.padding is not None
