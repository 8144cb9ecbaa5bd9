"""The planned buffers of a head as columns, for callers that ask very often; none has a name.

What TFLM's planner makes of a head is the same for all segments with equal columns, as nets of
repeated blocks have many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from operator import add

from splitopt.arena.replay import Memories
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.liveness import live_steps
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.solvers.packing.greedy_replay import greedy_with_work
from splitopt.solvers.packing.greedy_work import PlannerWork


@dataclass(frozen=True, slots=True)
class HeadColumns:
    """Buffers in the order in which the planner is given them: those of `tensors`, then scratch.
    Sizes in bytes, rounded up to 16; steps [start, stop), empty for what lives at no time."""

    tensors: tuple[int, ...]
    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    stops: tuple[int, ...]

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """(size, start, stop) of each."""
        return tuple(zip(self.sizes, self.starts, self.stops, strict=True))

    def planned(self, places: Mapping[int, int]) -> PlannedHead:
        """Under an offline plan (tensor → offset in bytes), or without one."""
        pins = tuple((k, places[t]) for k, t in enumerate(self.tensors) if t in places)
        return _planned(self.sizes, self.starts, self.stops, pins if places else ())


@dataclass(frozen=True, slots=True)
class PlannedHead:
    """Bytes of a head as TFLM plans it, around the pins of an offline plan if it has some, and the
    planner's work on it."""

    head_bytes: int
    peak_load_bytes: int
    is_pinned: bool
    work: PlannerWork


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
    return HeadColumns(tuple(lives), tuple(sizes), tuple(starts), tuple(stops))


@lru_cache(maxsize=4096)
def _planned(
    sizes: tuple[int, ...],
    starts: tuple[int, ...],
    stops: tuple[int, ...],
    pins: tuple[tuple[int, int], ...],
) -> PlannedHead:
    offsets, work = greedy_with_work(sizes, starts, stops, dict(pins))
    head_bytes = max(map(add, offsets, sizes), default=0)
    return PlannedHead(head_bytes, _peak_load(sizes, starts, stops), bool(pins), work)


def _peak_load(sizes: Sequence[int], starts: Sequence[int], stops: Sequence[int]) -> int:
    """As `peak_load` has it, for steps that are few: an empty range adds nothing."""
    changes = [0] * (max(stops, default=0) + 1)
    for size, start, stop in zip(sizes, starts, stops, strict=True):
        changes[start] += size
        changes[stop] -= size
    return max(accumulate(changes))
