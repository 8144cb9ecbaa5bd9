"""Replay of MicroInterpreter::AllocateTensors: where the head and the tail of an arena end.

Rules from tensorflow/lite/micro (micro_allocator.cc, single_arena_buffer_allocator.cc,
greedy_memory_planner.cc). The tail grows down from the arena's end; alignment is of absolute
addresses, so tail sizes hold for arenas whose base and size are multiples of 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from splitopt.arena.abi import Abi, Block
from splitopt.arena.kernel import KernelMemory
from splitopt.base.units import ARENA_ALIGNMENT, Sizes, align_down, align_up
from splitopt.graph.liveness import LiveRange, live_ranges
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.graph.segments import Segment
from splitopt.solvers.packing.greedy_replay import greedy_with_work
from splitopt.solvers.packing.instance import peak_load

Memories = Sequence[KernelMemory] | Mapping[int, KernelMemory]
"""What each op asks for, by its index."""

SCRATCH_REQUESTS_PER_OP = 12


@dataclass(frozen=True, slots=True)
class PlannedBuffer:
    """A buffer of the head: a tensor, or (tensor None) scratch of an op, with its place.

    `pinned`: an offline plan gives the place, not TFLM's planner.
    """

    tensor: int | None
    op: int | None
    size_bytes: int
    live: LiveRange
    offset: int
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class TailStep:
    """One persistent allocation, and how far up from the low end temporary data reach after it."""

    category: str
    size: int
    alignment: int
    reach: int = 0


@dataclass(frozen=True, slots=True)
class Arena:
    """What AllocateTensors does with one model or segment. Sizes in bytes.

    `minimum_bytes`: the smallest arena in which every step fits, base aligned to 16; where
    persistent data have an arena of their own, the smallest other one.
    `temporary_bytes`: the highest reach of temporary data while preparing and planning.
    `estimates`: why ops without a measured rule are estimates; empty where all is exact.
    """

    head_bytes: int
    peak_load_bytes: int
    tail_bytes: int
    minimum_bytes: int
    temporary_bytes: int
    tail_by_category: tuple[tuple[str, int], ...]
    buffers: tuple[PlannedBuffer, ...]
    estimates: tuple[str, ...]

    @property
    def used_bytes(self) -> int:
        """TFLM's own `arena_used_bytes()`; as an arena size it can be too small."""
        return self.head_bytes + self.tail_bytes

    @property
    def size_bytes(self) -> int:
        """The arena to grant: the minimum, rounded up to 16."""
        return align_up(self.minimum_bytes, ARENA_ALIGNMENT)

    @property
    def fragmentation_bytes(self) -> int:
        return self.head_bytes - self.peak_load_bytes

    @property
    def exact(self) -> bool:
        return not self.estimates

    @property
    def offline_plan(self) -> dict[int, int]:
        """Tensor → offset in bytes, of those that an offline plan places."""
        placed = {b.tensor: b.offset for b in self.buffers if b.pinned}
        return {tensor: offset for tensor, offset in placed.items() if tensor is not None}


def replay(
    graph: ModelGraph,
    segment: Segment,
    memories: Memories,
    abi: Abi,
    offline: Mapping[int, int] | None = None,
) -> Arena:
    """Replays AllocateTensors on a segment. `memories` has an entry for each of its ops.

    `offline`: an offline plan (tensor → offset in bytes). None: the one of the graph's file, which
    holds for the whole model only.
    """
    ops = range(segment.start, segment.stop)
    if offline is None:
        whole = len(segment.tensors) == len(graph.tensors) and len(ops) == len(graph.ops)
        offline = graph.offline_offsets if whole else {}
    buffers = plan_head(graph, segment, memories, offline)
    head = max((buffer.offset + buffer.size_bytes for buffer in buffers), default=0)
    steps = list(tail_steps(graph, segment, memories, abi, len(buffers)))
    return Arena(
        head_bytes=head,
        peak_load_bytes=peak_load((b.size_bytes, b.live.start, b.live.stop) for b in buffers),
        tail_bytes=tail_bytes(steps),
        minimum_bytes=minimum_arena(steps, head, abi),
        temporary_bytes=max(step.reach for step in steps),
        tail_by_category=by_category(steps),
        buffers=buffers,
        estimates=tuple(dict.fromkeys(m.estimate for k in ops if (m := memories[k]).estimate)),
    )


def plan_head(
    graph: ModelGraph,
    segment: Segment,
    memories: Memories,
    offline: Mapping[int, int] | None = None,
) -> tuple[PlannedBuffer, ...]:
    """TFLM's greedy plan: tensors by index, then scratch by op, as the planner is given them.

    `offline` pins tensors (index → offset in bytes); TFLM does not check that they fit together.
    """
    owners: list[tuple[int | None, int | None]] = []
    sizes: list[int] = []
    lives: list[LiveRange] = []
    for tensor, live in live_ranges(graph, segment).items():
        owners.append((tensor, None))
        sizes.append(align_up(graph.tensors[tensor].bytes, ARENA_ALIGNMENT))
        lives.append(live)
    for step, op in enumerate(range(segment.start, segment.stop), start=1):
        for size in memories[op].scratch:
            owners.append((None, op))
            sizes.append(align_up(size, ARENA_ALIGNMENT))
            lives.append(LiveRange(step, step + 1))
    places = offline or {}
    pinned = {k: places[t] for k, (t, _) in enumerate(owners) if t is not None and t in places}
    starts, stops = [live.start for live in lives], [live.stop for live in lives]
    offsets, _ = greedy_with_work(sizes, starts, stops, pinned)
    columns = zip(owners, sizes, lives, offsets, strict=True)
    return tuple(
        PlannedBuffer(tensor, op, size, live, offset, pinned=k in pinned)
        for k, ((tensor, op), size, live, offset) in enumerate(columns)
    )


def tail_bytes(steps: Sequence[TailStep]) -> int:
    """How far the tail reaches down from the end of an arena whose size is a multiple of 16."""
    position = 0
    for step in steps:
        position = align_down(position - step.size, step.alignment)
    return -position


def minimum_arena(steps: Sequence[TailStep], head: int, abi: Abi) -> int:
    """The smallest arena in bytes: each step, from the last to the first, asks for what must lie
    above it. Of two arenas, the one that is not persistent: nothing of the tail lies in it."""
    if abi.has_two_arenas:
        return max(head, *(step.reach for step in steps))
    needed = head
    for step in reversed(steps):
        needed = align_up(max(needed, step.reach), step.alignment) + step.size
    return needed


def tail_steps(
    graph: ModelGraph,
    segment: Segment,
    memories: Memories,
    abi: Abi,
    planned_buffers: int,
    *,
    is_first: bool = True,
) -> Iterator[TailStep]:
    """Persistent allocations of one model in order, and how far temporary data reach between them.
    `is_first`: of the models that share an allocator."""
    parts = parts_of(graph, segment, memories)
    ops = [memory for part in parts for memory in part.memories]
    if is_first:
        yield from (TailStep("interpreter", *block) for block in abi.preamble[: abi.shared_blocks])
    yield from _resource_table(ops, abi)
    for block in abi.preamble[abi.shared_blocks :]:
        yield TailStep("interpreter", *block)
    subgraph_bytes, subgraph_alignment = abi.subgraph
    yield TailStep("interpreter", subgraph_bytes * len(parts), subgraph_alignment)
    tensor_bytes, tensor_alignment = abi.eval_tensor
    for part in parts:
        yield TailStep("tensors", tensor_bytes * len(part.tensors), tensor_alignment)
    node_bytes, node_alignment = abi.node
    for part in parts:
        yield TailStep("ops", node_bytes * len(part.memories), node_alignment)
    for memory in ops:
        if memory.params:
            yield TailStep("ops", *memory.params)
    for memory in ops:
        for size in memory.init:
            yield TailStep("kernels", size, ARENA_ALIGNMENT)
    yield from _prepare_steps(parts, abi)
    scratch_count = sum(len(memory.scratch) for memory in ops)
    handle_bytes, handle_alignment = abi.scratch_handle
    if scratch_count:
        yield TailStep("scratch handles", handle_bytes * scratch_count, handle_alignment)
    for tensor in (part.graph.tensors[index] for part in parts for index in part.tensors):
        if tensor.is_variable:
            yield TailStep("variables", tensor.bytes, ARENA_ALIGNMENT)
    count = sum(len(part.tensors) for part in parts)
    reach = planning_reach(abi, count, scratch_count, planned_buffers, len(parts))
    yield TailStep("scratch handles", 0, 1, reach=reach)
    for tensors in (segment.inputs, segment.outputs):
        yield TailStep("inputs and outputs", abi.pointer_bytes * len(tensors), ARENA_ALIGNMENT)
        for index in tensors:
            for block in tensor_blocks(graph.tensors[index], abi):
                yield TailStep("inputs and outputs", *block)


@dataclass(frozen=True, slots=True)
class Part:
    """A subgraph of what is allocated, or a segment of one: tensors, and what its kernels ask."""

    graph: ModelGraph
    tensors: tuple[int, ...]
    memories: Sequence[KernelMemory]


def parts_of(graph: ModelGraph, segment: Segment, memories: Memories) -> list[Part]:
    """The segment, then the subgraphs that its ops call once, in the order of the file."""
    ops = [memories[op] for op in range(segment.start, segment.stop)]
    called = [memory.called for memory in ops if memory.called]
    parts = [Part(graph, segment.tensors, ops)]
    for own in graph.called:
        found = next((c for c in called if c.graph is own), None)
        if found is not None:
            parts.append(Part(own, tuple(range(len(own.tensors))), found.memories))
    return parts


def _resource_table(ops: Sequence[KernelMemory], abi: Abi) -> Iterator[TailStep]:
    """MicroResourceVariables::Create, before the interpreter: an entry for each variable."""
    names = {memory.variable[0] for memory in ops if memory.variable}
    if names:
        yield TailStep("variables", abi.variables_bytes, ARENA_ALIGNMENT)
        yield TailStep("variables", abi.variable_bytes * len(names), ARENA_ALIGNMENT)


def _prepare_steps(parts: Sequence[Part], abi: Abi) -> Iterator[TailStep]:
    scratch_count = 0
    allocated: set[str] = set()
    for part in parts:
        for memory in part.memories:
            reach = prepare_reach(part.graph, memory, abi, scratch_count)
            scratch_count += len(memory.scratch)
            for size in memory.kept:
                yield TailStep("kernels", size, ARENA_ALIGNMENT)
            name, held = memory.variable or ("", 0)
            if held and name not in allocated:
                allocated.add(name)
                yield TailStep("variables", held, ARENA_ALIGNMENT)
            yield TailStep("kernels", 0, 1, reach=reach)


def prepare_reach(graph: ModelGraph, memory: KernelMemory, abi: Abi, scratch_before: int) -> int:
    """Top of the temporary data of one op's Prepare: scratch requests, then tensors."""
    top = abi.scratch_request_bytes * (scratch_before + SCRATCH_REQUESTS_PER_OP)
    for index in memory.temporaries:
        for size, alignment in tensor_blocks(graph.tensors[index], abi):
            top = align_up(top, alignment) + size
    return top


def planning_reach(
    abi: Abi, tensors: Sizes, scratch: Sizes, planned_buffers: Sizes, subgraphs: int = 1
) -> Sizes:
    """Top of the planner's tables: requests, allocation infos, then its working arrays."""
    info_bytes, info_alignment = abi.allocation_info
    top = abi.scratch_request_bytes * (scratch + SCRATCH_REQUESTS_PER_OP)
    top = align_up(top, abi.pointer_bytes) + abi.pointer_bytes * subgraphs
    top = align_up(top, info_alignment) + info_bytes * (tensors + scratch)
    # The arrays take whole alignment units of what the tail leaves, so they end on one.
    end = align_up(top, ARENA_ALIGNMENT) + abi.planner_entry_bytes * planned_buffers
    return align_up(end, ARENA_ALIGNMENT)


def tensor_blocks(tensor: Tensor, abi: Abi) -> tuple[Block, ...]:
    channels = len(tensor.quantization.scales) if tensor.quantization else 0
    return (abi.tensor, *abi.quantization_blocks(channels))


def by_category(steps: Sequence[TailStep]) -> tuple[tuple[str, int], ...]:
    """Bytes of the tail by category, padding included where it arises."""
    position = 0
    found: dict[str, int] = {}
    for step in steps:
        reached = align_down(position - step.size, step.alignment)
        found[step.category] = found.get(step.category, 0) + position - reached
        position = reached
    return tuple(found.items())
