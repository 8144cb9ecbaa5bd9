"""The planned buffers of a head as columns, for callers that ask very often; none has a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from splitopt.arena.replay import Memories
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.liveness import live_steps
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment


@dataclass(frozen=True, slots=True)
class HeadColumns:
    """Buffers in the order in which the planner is given them: those of `tensors`, then scratch.
    Sizes in bytes, rounded up to 16; steps [start, stop), empty for what lives at no time."""

    tensors: Sequence[int]
    sizes: Sequence[int]
    starts: Sequence[int]
    stops: Sequence[int]

    @property
    def peak_load(self) -> int:
        """As `peak_load` has it, for steps that are few: an empty range adds nothing."""
        changes = [0] * (max(self.stops, default=0) + 1)
        for size, start, stop in zip(self.sizes, self.starts, self.stops, strict=True):
            changes[start] += size
            changes[stop] -= size
        return max(accumulate(changes))

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """(size, start, stop) of each."""
        return tuple(zip(self.sizes, self.starts, self.stops, strict=True))

    def pinned(self, places: Mapping[int, int]) -> dict[int, int]:
        """Offsets given by tensor, by buffer."""
        if not places:
            return {}
        return {k: places[t] for k, t in enumerate(self.tensors) if t in places}


def head_columns(graph: ModelGraph, segment: Segment, memories: Memories) -> HeadColumns:
    """The buffers that `plan_head` plans."""
    lives = live_steps(graph, segment)
    sizes = [align_up(graph.tensors[tensor].bytes, ARENA_ALIGNMENT) for tensor in lives]
    starts = [start for start, _ in lives.values()]
    stops = [stop for _, stop in lives.values()]
    for step, op in enumerate(range(segment.start, segment.stop), start=1):
        for size in memories[op].scratch:
            sizes.append(align_up(size, ARENA_ALIGNMENT))
            starts.append(step)
            stops.append(step + 1)
    return HeadColumns(tuple(lives), sizes, starts, stops)
