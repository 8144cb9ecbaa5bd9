"""Every segment's ways to run: bounds at once, exact figures when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from splitopt.arena.offline import with_offline_plan
from splitopt.arena.replay import Arena, Memories, replay
from splitopt.arena.rules import TargetRules
from splitopt.base.units import ARENA_ALIGNMENT
from splitopt.cost.allocate import allocate_insn
from splitopt.cost.copying import CONSTRUCT_INSN, copy_insn, fill_insn
from splitopt.cost.costs import Costs, built_in, estimate_invoke
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of, whole_model
from splitopt.planning.band_options import BandTable
from splitopt.planning.segment import CUTS_ONLY, SegmentFigures, SegmentOption, Techniques
from splitopt.planning.segment_bounds import (
    BoundaryLoads,
    boundary_loads,
    peak_loads,
    rebuild_bounds,
    tail_bounds,
)
from splitopt.solvers.partition.shortest_paths import Matrix
from splitopt.tiling.plan import BandPlan, Execution
from splitopt.tiling.resized import resized
from splitopt.tiling.schedule import copied_bytes, executions_of, heights_of, kept_rows


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
        techniques: Techniques = CUTS_ONLY,
    ) -> None:
        self.graph = graph
        self.rules = rules
        self.headroom_bytes = headroom_bytes
        self.zero_arena = zero_arena
        self.memories = rules.memories(graph)
        self.costs = costs or built_in()
        self.techniques = techniques
        self.unproved_bytes = 0
        self._figures: dict[tuple[int, int], SegmentFigures] = {}
        self._ways: dict[tuple[int, int, int], tuple[SegmentOption, ...]] = {}

    @property
    def replays(self) -> int:
        """How many segments were replayed so far, as one piece on all rows."""
        return len(self._figures)

    def figures(self, start: int, stop: int) -> SegmentFigures:
        """The exact figures of one segment as stock TFLM plans it, on all rows at once."""
        found = self._figures.get((start, stop))
        if found is None:
            segment = segment_of(self.graph, start, stop)
            arena = replay(self.graph, segment, self.memories, self.rules.abi, {})
            found = self._figures[start, stop] = self._whole(segment, arena)
        return found

    def ways(self, start: int, stop: int, variant: int) -> tuple[SegmentOption, ...]:
        """The ways of a segment that no other of them beats in bytes and instructions.

        `variant` 0: on all rows; else the band plan of that number. A second way of a variant is
        there only where an offline plan needs fewer bytes but more instructions.
        """
        found = self._ways.get((start, stop, variant))
        if found is None:
            bands = self.bands.plans(start, stop)[variant - 1] if variant else None
            forms = self._on_all_rows(start, stop)
            if bands is not None:
                forms = self._in_bands(start, stop, bands)
            ways = [SegmentOption(2 * variant + k, pieces, bands) for k, pieces in enumerate(forms)]
            found = self._ways[start, stop, variant] = tuple(_undominated(ways))
        return found

    def of_piece(self, start: int, stop: int, piece: ModelGraph) -> SegmentFigures:
        """The figures of a piece that was made in another way, in the place of a segment.

        The piece reads and makes tensors of the same sizes as the segment.
        """
        whole = whole_model(piece)
        arena = replay(piece, whole, self.rules.memories(piece), self.rules.abi)
        allocate = allocate_insn(piece, whole, arena.buffers, self.costs.allocate)
        invoke = estimate_invoke(self.costs, piece, 0, len(piece.ops)).insn
        return self._priced(segment_of(self.graph, start, stop), arena, allocate, invoke)

    def _on_all_rows(self, start: int, stop: int) -> list[tuple[SegmentFigures, ...]]:
        """As TFLM plans it, and with an offline plan where that lowers the arena."""
        greedy = self.figures(start, stop)
        arena = self._offline(self.graph, greedy.segment, self.memories, greedy.arena)
        if arena.size_bytes >= greedy.arena.size_bytes:
            return [(greedy,)]
        return [(greedy,), (self._whole(greedy.segment, arena),)]

    def _in_bands(self, start: int, stop: int, plan: BandPlan) -> list[tuple[SegmentFigures, ...]]:
        """The same in bands; a piece for each height."""
        segment = segment_of(self.graph, start, stop)
        rows = self.bands.rows(start, stop)
        schedule = executions_of(self.graph, segment, rows, plan)
        stays = self.is_whole(start, stop) and len(schedule) == 1
        greedy, planned = [], []
        for height, executions in zip(plan.heights, schedule, strict=True):
            counts = heights_of(rows, height)
            graph = resized(self.graph, start, stop, counts)
            memories = self.bands.memories(start, stop, height)
            arena = replay(graph, segment, memories, self.rules.abi, {})
            greedy.append(self._banded(graph, segment, arena, executions, counts, stays=stays))
            lower = self._offline(graph, segment, memories, arena)
            better = greedy[-1]
            if lower.size_bytes < arena.size_bytes:
                better = self._banded(graph, segment, lower, executions, counts, stays=stays)
            planned.append(better)
        forms = [tuple(self._shared(greedy))]
        if any(piece.has_offline_plan for piece in planned):
            forms.append(tuple(self._shared(planned)))
        return forms

    def _offline(
        self,
        graph: ModelGraph,
        segment: Segment,
        memories: Memories,
        greedy: Arena,
    ) -> Arena:
        """`unproved_bytes` keeps the most that a head lies above what is proved of it."""
        if not self.techniques.offline_plans:
            return greedy
        found = with_offline_plan(graph, segment, memories, self.rules.abi, greedy)
        unproved = found.arena.head_bytes - found.least_head_bytes
        self.unproved_bytes = max(self.unproved_bytes, unproved)
        return found.arena

    def _whole(self, segment: Segment, arena: Arena) -> SegmentFigures:
        """One piece on all rows; its Invoke is part of the unsplit model's."""
        allocate = allocate_insn(self.graph, segment, arena.buffers, self.costs.allocate)
        invoke = self.whole_invoke(segment.start, segment.stop)
        return self._priced(segment, arena, allocate, invoke)

    def _priced(self, segment: Segment, arena: Arena, allocate: int, invoke: int) -> SegmentFigures:
        """One piece on all rows; the whole model is built once and copies nothing."""
        stays = self.is_whole(segment.start, segment.stop)
        copies = self._copied_tensors(segment)
        made = self._figures_of(segment, arena, allocate, invoke, copies, stays=stays)
        return replace(made, added_insn=0, copy_insn=0) if stays else made

    def _banded(
        self,
        graph: ModelGraph,
        segment: Segment,
        arena: Arena,
        executions: tuple[Execution, ...],
        rows: Mapping[int, int],
        *,
        stays: bool,
    ) -> SegmentFigures:
        """One piece of a banded segment, what it computes more than once not yet in its price."""
        allocate = allocate_insn(graph, segment, arena.buffers, self.costs.allocate)
        once = estimate_invoke(self.costs, graph, segment.start, segment.stop).insn
        copies = copied_bytes(self.graph, executions)
        invoke = once * len(executions)
        made = self._figures_of(segment, arena, allocate, invoke, copies, stays=stays)
        return replace(made, executions=executions, rows=rows)

    def _figures_of(
        self,
        segment: Segment,
        arena: Arena,
        allocate: int,
        invoke: int,
        copies: Sequence[int],
        *,
        stays: bool,
    ) -> SegmentFigures:
        """`copies`: bytes of each. `stays`: it is built once, at start-up."""
        arena_bytes = arena.size_bytes + self.headroom_bytes
        rebuild = 0 if stays else self._rebuild_insn(arena_bytes, allocate)
        copied = sum(copy_insn(size) for size in copies)
        return SegmentFigures(
            segment=segment,
            arena=arena,
            arena_bytes=arena_bytes,
            allocate_insn=allocate,
            invoke_insn=invoke,
            added_insn=rebuild + copied,
            copied_bytes=sum(copies),
            copy_insn=copied,
        )

    def _shared(self, pieces: Sequence[SegmentFigures]) -> Iterator[SegmentFigures]:
        """What the unsplit model takes for the segment is shared out by the rows that are kept."""
        segment = pieces[0].segment
        whole = self.whole_invoke(segment.start, segment.stop)
        tensor = segment.outputs[0]
        kept = [kept_rows(piece.executions)[tensor] for piece in pieces]
        shares = [whole * rows // sum(kept) for rows in kept]
        shares[-1] = whole - sum(shares[:-1])
        for piece, share in zip(pieces, shares, strict=True):
            more = piece.invoke_insn - share
            yield replace(piece, recomputed_insn=more, added_insn=piece.added_insn + more)

    def whole_invoke(self, start: int, stop: int) -> int:
        """Estimated instructions of the segment's ops on all rows."""
        return estimate_invoke(self.costs, self.graph, start, stop).insn

    def _rebuild_insn(self, arena_bytes: int, allocate: int) -> int:
        zeroing = fill_insn(arena_bytes) if self.zero_arena else 0
        return allocate + CONSTRUCT_INSN + zeroing

    def is_whole(self, start: int, stop: int) -> bool:
        """Whether the segment is the whole model: it is built once, at start-up."""
        return (start, stop) == (0, len(self.graph.ops))

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
    def bands(self) -> BandTable:
        return BandTable(self.graph, self.rules, self.costs, self.techniques.two_heights)

    @cached_property
    def boundary(self) -> BoundaryLoads:
        return boundary_loads(self.graph)

    @cached_property
    def peak_load(self) -> Matrix:
        """Every segment's peak load inside its arena on all rows, in bytes."""
        return peak_loads(self.graph, self.memories)

    @cached_property
    def ram_bound(self) -> Matrix:
        """At least the RAM while a segment runs on all rows, boundary buffer included, in bytes."""
        arena = self.peak_load + self.tail_bound
        rounded = -(-arena // ARENA_ALIGNMENT) * ARENA_ALIGNMENT + self.headroom_bytes
        bound: Matrix = rounded + self.boundary.load
        return bound

    @cached_property
    def tail_bound(self) -> Matrix:
        """At least every segment's tail on all rows, in bytes."""
        return tail_bounds(self.graph, self.memories, self.rules.abi)

    @cached_property
    def added_bound(self) -> Matrix:
        """At least the instructions that a segment adds on all rows."""
        copies = 9 * self.boundary.copied // 16 + 25 * self.boundary.copies
        bound: Matrix = np.maximum(self.rebuild_bound, 0) + copies
        bound[0, len(self.graph.ops)] = 0
        return bound

    @cached_property
    def rebuild_bound(self) -> Matrix:
        """At least the instructions of AllocateTensors and construction on all rows."""
        return rebuild_bounds(self.graph, self.memories, self.costs.allocate)

    def ram(self, start: int, stop: int) -> int:
        """The exact RAM while a segment runs as stock TFLM plans it, on all rows at once."""
        return self.figures(start, stop).arena_bytes + int(self.boundary.load[start, stop])


def _undominated(ways: Sequence[SegmentOption]) -> Iterator[SegmentOption]:
    """The later of two that are equal: it has a plan that is proved to be the best."""
    prices = [(way.arena_bytes, way.added_insn) for way in ways]
    for k, (size, insn) in enumerate(prices):
        others = enumerate(prices)
        if not any(
            a <= size and b <= insn and ((a, b) != (size, insn) or j > k)
            for j, (a, b) in others
            if j != k
        ):
            yield ways[k]
