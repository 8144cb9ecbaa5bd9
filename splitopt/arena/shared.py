"""The arena of several models that share one MicroAllocator, to the byte.

Their persistent data add up, model after model; what makes the allocator comes with the first one.
The head is planned for each model by itself and is as large as the largest asks for. Source:
tensorflow/lite/micro/micro_allocator.cc, CommitStaticMemoryPlan, max_head_buffer_usage_.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from splitopt.arena.abi import Abi
from splitopt.arena.kernel import KernelMemory
from splitopt.arena.replay import (
    PlannedBuffer,
    TailStep,
    by_category,
    minimum_arena,
    plan_head,
    tail_bytes,
    tail_steps,
)
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of


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
    """Bytes of the arena; `heads`: the planned buffers of each model. `estimates`: why a figure is
    an upper estimate; none where all of them are measured."""

    head_bytes: int
    tail_bytes: int
    minimum_bytes: int
    temporary_bytes: int
    tail_by_category: tuple[tuple[str, int], ...]
    heads: tuple[tuple[PlannedBuffer, ...], ...]
    estimates: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """The arena to grant: the minimum, rounded up to 16."""
        return align_up(self.minimum_bytes, ARENA_ALIGNMENT)


def shared_arena(models: Sequence[SharedModel], abi: Abi) -> SharedArena:
    """Replays AllocateTensors of each model in turn."""
    heads = tuple(model.head() for model in models)
    top = max((b.offset + b.size_bytes for head in heads for b in head), default=0)
    steps = list(_steps(models, heads, abi))
    reasons = [needs.estimate for model in models for needs in model.memories]
    return SharedArena(
        head_bytes=top,
        tail_bytes=tail_bytes(steps),
        minimum_bytes=minimum_arena(steps, top),
        temporary_bytes=max(step.reach for step in steps),
        tail_by_category=by_category(steps),
        heads=heads,
        estimates=tuple(dict.fromkeys(filter(None, reasons))),
    )


def _steps(
    models: Sequence[SharedModel], heads: Sequence[Sequence[PlannedBuffer]], abi: Abi
) -> Iterator[TailStep]:
    for k, (model, head) in enumerate(zip(models, heads, strict=True)):
        yield from tail_steps(
            model.graph, model.segment, model.memories, abi, len(head), is_first=k == 0
        )
