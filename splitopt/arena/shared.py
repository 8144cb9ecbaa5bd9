"""The arena of several models that share one MicroAllocator, to the byte.

Their persistent data add up, model after model; what makes the allocator comes with the first one.
The head is planned for each model by itself and is as large as the largest asks for. Source:
tensorflow/lite/micro/micro_allocator.cc, CommitStaticMemoryPlan, max_head_buffer_usage_.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

from splitopt.arena.abi import Abi
from splitopt.arena.kernel import KernelMemory
from splitopt.arena.replay import (
    Arena,
    PlannedBuffer,
    by_category,
    minimum_arena,
    plan_head,
    tail_bytes,
    tail_steps,
)
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of
from splitopt.solvers.packing.instance import peak_load


@dataclass(frozen=True)
class SharedModel:
    """One of the models: a graph of its own, what its kernels ask for, and its offline plan."""

    graph: ModelGraph
    memories: Sequence[KernelMemory]
    offline: Mapping[int, int]

    @property
    def segment(self) -> Segment:
        return segment_of(self.graph, 0, len(self.graph.ops))

    def head(self) -> tuple[PlannedBuffer, ...]:
        return plan_head(self.graph, self.segment, self.memories, self.offline)


@dataclass(frozen=True)
class SharedArena:
    """Bytes of the arena; `heads`: the planned buffers of each model; `tails`: its share of the
    tail. `estimates`: why a figure is an upper estimate; none where all of them are measured."""

    head_bytes: int
    tail_bytes: int
    minimum_bytes: int
    temporary_bytes: int
    tail_by_category: tuple[tuple[str, int], ...]
    heads: tuple[tuple[PlannedBuffer, ...], ...]
    tails: tuple[int, ...]
    estimates: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """The arena to grant: the minimum, rounded up to 16."""
        return align_up(self.minimum_bytes, ARENA_ALIGNMENT)

    def with_buffers(self, buffers: Sequence[PlannedBuffer]) -> Arena:
        """As the arena of a single model whose head holds these buffers."""
        return Arena(
            head_bytes=self.head_bytes,
            peak_load_bytes=peak_load((b.size_bytes, b.live.start, b.live.stop) for b in buffers),
            tail_bytes=self.tail_bytes,
            minimum_bytes=self.minimum_bytes,
            temporary_bytes=self.temporary_bytes,
            tail_by_category=self.tail_by_category,
            buffers=tuple(buffers),
            estimates=self.estimates,
        )


def shared_arena(models: Sequence[SharedModel], abi: Abi) -> SharedArena:
    """Replays AllocateTensors of each model in turn."""
    heads = tuple(model.head() for model in models)
    top = max((b.offset + b.size_bytes for head in heads for b in head), default=0)
    own_steps = [
        list(
            tail_steps(model.graph, model.segment, model.memories, abi, len(head), is_first=k == 0)
        )
        for k, (model, head) in enumerate(zip(models, heads, strict=True))
    ]
    steps = list(chain.from_iterable(own_steps))
    reached = [tail_bytes(steps[:count]) for count in accumulate(map(len, own_steps))]
    reasons = [needs.estimate for model in models for needs in model.memories]
    return SharedArena(
        head_bytes=top,
        tail_bytes=tail_bytes(steps),
        minimum_bytes=minimum_arena(steps, top, abi),
        temporary_bytes=max(step.reach for step in steps),
        tail_by_category=by_category(steps),
        heads=heads,
        tails=tuple(b - a for a, b in pairwise([0, *reached])),
        estimates=tuple(dict.fromkeys(filter(None, reasons))),
    )
