"""Every segment's arena and added instructions: bounds at once, exact figures when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from splitopt.arena.replay import Arena, replay
from splitopt.arena.rules import TargetRules
from splitopt.bounds import (
    BoundaryLoads,
    Matrix,
    boundary_loads,
    peak_loads,
    rebuild_bounds,
    tail_bounds,
)
from splitopt.cost.allocate import allocate_insn
from splitopt.cost.copying import CONSTRUCT_INSN, copy_insn, fill_insn
from splitopt.cost.costs import Costs, built_in
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of, whole_model
from splitopt.units import ARENA_ALIGNMENT


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """Exact figures of one segment, as a piece that is rebuilt at each inference.

    `arena_bytes` is what the runner grants: the minimum arena rounded up to 16, plus headroom.
    `added_insn` holds AllocateTensors, construction, copies in and out, and zeroing if on.
    """

    segment: Segment
    arena: Arena
    arena_bytes: int
    allocate_insn: int
    added_insn: int
    copied_bytes: int


class SegmentTable:
    """The segments [start, stop) of one model for one target; replays are kept."""

    def __init__(
        self,
        graph: ModelGraph,
        rules: TargetRules,
        *,
        headroom_bytes: int = 0,
        zero_arena: bool = False,
        costs: Costs | None = None,
    ) -> None:
        self.graph = graph
        self.rules = rules
        self.headroom_bytes = headroom_bytes
        self.zero_arena = zero_arena
        self.memories = rules.memories(graph)
        self.costs = costs or built_in()
        self._figures: dict[tuple[int, int], SegmentFigures] = {}

    @property
    def replays(self) -> int:
        """How many segments were replayed so far."""
        return len(self._figures)

    def figures(self, start: int, stop: int) -> SegmentFigures:
        """The exact figures of one segment."""
        found = self._figures.get((start, stop))
        if found is None:
            found = self._figures[start, stop] = self._compute(start, stop)
        return found

    def _compute(self, start: int, stop: int) -> SegmentFigures:
        segment = segment_of(self.graph, start, stop)
        arena = replay(self.graph, segment, self.memories, self.rules.abi)
        allocate = allocate_insn(self.graph, segment, arena.buffers, self.costs.allocate)
        return self._priced(segment, arena, allocate)

    def of_piece(self, start: int, stop: int, piece: ModelGraph) -> SegmentFigures:
        """The figures of a piece that was made in another way, in the place of a segment.

        The piece reads and makes tensors of the same sizes as the segment.
        """
        whole = whole_model(piece)
        arena = replay(piece, whole, self.rules.memories(piece), self.rules.abi)
        allocate = allocate_insn(piece, whole, arena.buffers, self.costs.allocate)
        return self._priced(segment_of(self.graph, start, stop), arena, allocate)

    def _priced(self, segment: Segment, arena: Arena, allocate: int) -> SegmentFigures:
        arena_bytes = arena.size_bytes + self.headroom_bytes
        added = allocate + CONSTRUCT_INSN
        copies = self._copied_tensors(segment)
        added += sum(copy_insn(size) for size in copies)
        if self.zero_arena:
            added += fill_insn(arena_bytes)
        if (segment.start, segment.stop) == (0, len(self.graph.ops)):
            added = 0
        return SegmentFigures(segment, arena, arena_bytes, allocate, added, sum(copies))

    def _copied_tensors(self, segment: Segment) -> list[int]:
        """Bytes of each copy between the arena and the boundary buffer, in and out."""
        tensors, readers = self.graph.tensors, self.graph.readers
        start, stop = segment.start, segment.stop

        def crosses(tensor: int) -> bool:
            ops = readers.get(tensor, ())
            made_elsewhere = self.graph.producer.get(tensor, start) < start
            return made_elsewhere or any(not start <= op < stop for op in ops)

        crossing = [tensor for tensor in (*segment.inputs, *segment.outputs) if crosses(tensor)]
        return [tensors[tensor].bytes for tensor in crossing]

    @cached_property
    def boundary(self) -> BoundaryLoads:
        return boundary_loads(self.graph)

    @cached_property
    def peak_load(self) -> Matrix:
        """Every segment's peak load inside its arena, in bytes."""
        return peak_loads(self.graph, self.memories)

    @cached_property
    def ram_bound(self) -> Matrix:
        """At least the RAM while a segment runs, boundary buffer included, in bytes."""
        arena = self.peak_load + tail_bounds(self.graph, self.memories, self.rules.abi)
        rounded = -(-arena // ARENA_ALIGNMENT) * ARENA_ALIGNMENT + self.headroom_bytes
        bound: Matrix = rounded + self.boundary.load
        return bound

    @cached_property
    def added_bound(self) -> Matrix:
        """At least the instructions that a segment adds."""
        rebuild = rebuild_bounds(self.graph, self.memories, self.costs.allocate)
        copies = 9 * self.boundary.copied // 16 + 25 * self.boundary.copies
        bound: Matrix = np.maximum(rebuild, 0) + copies
        bound[0, len(self.graph.ops)] = 0
        return bound

    def ram(self, start: int, stop: int) -> int:
        """The exact RAM while a segment runs: its arena and the boundary tensors around it."""
        return self.figures(start, stop).arena_bytes + int(self.boundary.load[start, stop])
