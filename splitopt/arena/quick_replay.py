"""What a price needs of AllocateTensors, to the byte as `replay` has it, but no buffer by name.

`replay` is the definition. Here every persistent allocation adds to how far the tail reaches down
from an end that is a multiple of 16, and what temporary data take is looked up by op.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from splitopt.arena.abi import Abi, reached, stacked
from splitopt.arena.head import PlannedHead, head_columns
from splitopt.arena.kernel import KernelMemory
from splitopt.arena.replay import (
    Arena,
    Memories,
    planning_reach,
    prepare_reach,
    replay,
    tensor_blocks,
)
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph, TensorKind
from splitopt.graph.segments import Segment
from splitopt.solvers.packing.greedy_work import PlannerWork


@dataclass(frozen=True, slots=True)
class ArenaRequest:
    """What `replay` is asked. `offline`: an offline plan (tensor → offset in bytes)."""

    graph: ModelGraph
    segment: Segment
    memories: Memories
    abi: Abi
    offline: Mapping[int, int] = field(default_factory=dict)

    def replayed(self) -> Arena:
        return replay(self.graph, self.segment, self.memories, self.abi, self.offline)


@dataclass(frozen=True, slots=True)
class ArenaFigures:
    """Bytes of an arena, as `Arena` has them; its planned buffers, those of scratch among them, and
    the planner's work on them. `is_pinned`: an offline plan places some. `reach_bytes`: what the
    tail and temporary data take together at any step."""

    head_bytes: int
    peak_load_bytes: int
    tail_bytes: int
    size_bytes: int
    buffers: int
    scratch: int
    is_pinned: bool
    work: PlannerWork
    reach_bytes: int = 0


class QuickReplay:
    """Replays of segments of one graph, on all rows or on some: rows do not change quantisation,
    which says what TFLM's structures of a tensor take."""

    def __init__(self, graph: ModelGraph, abi: Abi) -> None:
        self._graph, self._abi = graph, abi
        self._before_model = reached(0, (*abi.preamble, abi.subgraph))
        self._variables = {tensor.index: tensor.bytes for tensor in graph.variables}
        is_handle = (tensor.kind is TensorKind.HANDLE for tensor in graph.tensors)
        self._has_resources = bool(graph.called) or any(is_handle)
        self._reaches: dict[tuple[int, ...], int] = {}

    def figures(self, request: ArenaRequest) -> ArenaFigures:
        """As `request.replayed()` has them; its graph is this one, maybe on fewer rows."""
        columns = head_columns(request.graph, request.segment, request.memories)
        head, buffers = columns.planned(request.offline), len(columns.sizes)
        tail, reach = self._tail_and_reach(request, buffers)
        return ArenaFigures(
            head_bytes=head.head_bytes,
            peak_load_bytes=head.peak_load_bytes,
            tail_bytes=tail,
            size_bytes=self._size(tail, reach, head.head_bytes),
            buffers=buffers,
            scratch=buffers - len(columns.tensors),
            is_pinned=head.is_pinned,
            work=head.work,
            reach_bytes=reach,
        )

    def with_head(self, request: ArenaRequest, known: ArenaFigures) -> ArenaFigures:
        """The same for a request whose head is known from another ABI."""
        tail, reach = self._tail_and_reach(request, known.buffers)
        size = self._size(tail, reach, known.head_bytes)
        return replace(known, tail_bytes=tail, size_bytes=size, reach_bytes=reach)

    def with_plan(
        self, request: ArenaRequest, known: ArenaFigures, head: PlannedHead
    ) -> ArenaFigures:
        """The same for a request that is known without its offline plan. `head`: under that."""
        if self._has_resources:
            return self.figures(request)
        return replace(
            known,
            head_bytes=head.head_bytes,
            size_bytes=self._size(known.tail_bytes, known.reach_bytes, head.head_bytes),
            is_pinned=head.is_pinned,
            work=head.work,
        )

    def _size(self, tail: int, reach: int, head: int) -> int:
        """The least multiple of 16 in which the tail stays, at every step, above what temporary
        data reach then, and in the end above the head; or, with an arena of its own, of the other
        one."""
        end = head if self._abi.has_two_arenas else tail + head
        return align_up(max(reach, end), ARENA_ALIGNMENT)

    def _tail_and_reach(self, request: ArenaRequest, buffers: int) -> tuple[int, int]:
        """The tail, and what it takes at any step together with temporary data; or, with an arena
        of its own, what these take. With resources, the size of the arena holds both."""
        if self._has_resources:
            arena = request.replayed()
            return arena.tail_bytes, arena.size_bytes
        abi, segment, is_apart = self._abi, request.segment, self._abi.has_two_arenas
        tensors = segment.tensors
        memories = [request.memories[op] for op in range(segment.start, segment.stop)]
        tail = stacked(self._before_model, abi.eval_tensor, len(tensors))
        tail = stacked(tail, abi.node, len(memories))
        tail = reached(tail, [memory.params for memory in memories if memory.params])
        for memory in memories:
            for size in memory.init:
                tail = align_up(tail + size, ARENA_ALIGNMENT)
        needed = scratch = 0
        for memory in memories:
            for size in memory.kept:
                tail = align_up(tail + size, ARENA_ALIGNMENT)
            reach = self._prepare_reach(memory, scratch)
            needed = max(needed, reach if is_apart else tail + reach)
            scratch += len(memory.scratch)
        if scratch:
            tail = stacked(tail, abi.scratch_handle, scratch)
        for tensor in tensors if self._variables else ():
            if tensor in self._variables:
                tail = align_up(tail + self._variables[tensor], ARENA_ALIGNMENT)
        reach = planning_reach(abi, len(tensors), scratch, buffers)
        needed = max(needed, reach if is_apart else tail + reach)
        return self._with_ends(tail, segment), needed

    def _with_ends(self, tail: int, segment: Segment) -> int:
        """The tail with the structures of inputs and outputs."""
        abi, tensors = self._abi, self._graph.tensors
        for ends in (segment.inputs, segment.outputs):
            tail = align_up(tail + abi.pointer_bytes * len(ends), ARENA_ALIGNMENT)
            for index in ends:
                tail = reached(tail, tensor_blocks(tensors[index], abi))
        return tail

    def _prepare_reach(self, memory: KernelMemory, scratch_before: int) -> int:
        """Requests made before lie below: whole units of alignment, they only lift it (see Abi)."""
        found = self._reaches.get(memory.temporaries)
        if found is None:
            found = prepare_reach(self._graph, memory, self._abi, 0)
            self._reaches[memory.temporaries] = found
        return found + self._abi.scratch_request_bytes * scratch_before
