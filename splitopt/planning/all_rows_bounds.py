"""Bounds of every segment on all rows, as matrices [start, stop], each made when first asked for.

RAM in bytes, work in instructions. No bound is above the exact figure; below the diagonal, none has
a meaning.
"""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate

import numpy as np

from splitopt.arena.rules import TargetRules
from splitopt.cost.copying import copy_insn, fill_insn
from splitopt.cost.costs import Costs, estimate_invoke
from splitopt.graph.model import ModelGraph
from splitopt.planning.alike_ops import AlikeOps
from splitopt.planning.outside import Outside
from splitopt.planning.outside_values import OutsideValues
from splitopt.planning.peak_loads import peak_loads
from splitopt.planning.segment import SegmentOption
from splitopt.planning.segment_bounds import (
    BoundaryLoads,
    boundary_loads,
    offline_plan_bounds,
    rebuild_bounds,
    searching_bounds,
)
from splitopt.planning.segment_heads import SegmentHeads, segment_heads
from splitopt.planning.segment_tails import SegmentTails, segment_tails
from splitopt.planning.switching import REBUILT, Switching, image_bytes
from splitopt.solvers.partition.option_pool import Mask
from splitopt.solvers.partition.shortest_paths import Matrix

_OF_BOUNDARY = (
    "boundary",
    "ram_bound",
    "stock_ram_bound",
    "resident_added_bound",
    "spared_bytes",
)
"""What depends on where boundary tensors lie."""


class AllRowsBounds:
    """What is known of the segments of one model for one target without a replay."""

    def __init__(
        self,
        graph: ModelGraph,
        rules: TargetRules,
        costs: Costs,
        headroom_bytes: int,
        zero_arena: bool,
        switching: Switching = REBUILT,
    ) -> None:
        self.graph = graph
        self.rules = rules
        self.costs = costs
        self.headroom_bytes = headroom_bytes
        self.zero_arena = zero_arena
        self.memories = rules.memories(graph)
        self.values = OutsideValues(graph, switching.outside, switching.memories)

    def move_boundary(self, switching: Switching) -> None:
        """From now on, boundary tensors lie where these ways have them."""
        if switching.outside != self.outside:
            for name in _OF_BOUNDARY:
                self.__dict__.pop(name, None)
        self.values = OutsideValues(self.graph, switching.outside, switching.memories)

    @property
    def outside(self) -> Outside:
        return self.values.outside

    def outside_insn(self, option: SegmentOption) -> int:
        """What the copies of an option take more because of where boundary tensors lie."""
        return self.values.insn(option) if self.outside.memories else 0

    def whole_invoke(self, start: int, stop: int) -> int:
        """Estimated instructions of the segment's ops on all rows."""
        return self._invoke_up_to[stop] - self._invoke_up_to[start] + self._per_invoke

    @cached_property
    def _per_invoke(self) -> int:
        return estimate_invoke(self.costs, self.graph, 0, 0).insn

    @cached_property
    def _invoke_up_to(self) -> list[int]:
        """Estimated instructions of the first 0, 1, ... ops."""
        by_op = (self.ops.whole_insn(op.index) or 0 for op in self.graph.ops)
        return list(accumulate(by_op, initial=0))

    @cached_property
    def ops(self) -> AlikeOps:
        """What single ops take."""
        return AlikeOps(self.graph, self.rules, self.costs)

    @cached_property
    def boundary(self) -> BoundaryLoads:
        """What boundary tensors take of the main SRAM while each segment runs."""
        return boundary_loads(self.graph, self.outside)

    @cached_property
    def peak_load(self) -> Matrix:
        """Every segment's peak load inside its arena on all rows, in bytes."""
        return peak_loads(self.graph, self.memories)

    @cached_property
    def ram_bound(self) -> Matrix:
        """Lower bound of the RAM while a segment runs on all rows, boundary buffer included, in
        bytes."""
        bound: Matrix = self.tails.arena(self.peak_load) + self.headroom_bytes + self.boundary.load
        return bound

    @cached_property
    def tails(self) -> SegmentTails:
        """Lower bounds of what every segment's arena holds beside the head, on all rows."""
        return segment_tails(self.graph, self.memories, self.rules.abi)

    @cached_property
    def stock_ram_bound(self) -> Matrix:
        """The RAM while a segment runs on all rows as stock TFLM plans it, in bytes: exact but for
        what the tails leave out."""
        if self.heads is None:
            return self.ram_bound
        arena = self.tails.arena(self.heads.head)
        bound: Matrix = arena + self.headroom_bytes + self.boundary.load
        at = 0, len(self.graph.ops)
        bound[at] = self.ram_bound[at]
        return bound

    @cached_property
    def heads(self) -> SegmentHeads | None:
        """The heads of all segments but the whole model, as stock TFLM plans them on all rows, and
        its work on them; None for a model of which this would take too long."""
        return segment_heads(self.graph, self.memories)

    def stock_added_bound(self, switching: Switching = REBUILT) -> Matrix:
        """Lower bound of the instructions that a segment adds on all rows where TFLM's planner
        places all buffers."""
        return self._added_bound(self._stock_rebuild_bound, switching)

    def planned_added_bound(self, switching: Switching = REBUILT) -> Matrix:
        """Lower bound of the instructions that a segment adds on all rows with an offline plan."""
        planning = offline_plan_bounds(self.graph, self.memories, self.costs.allocate)
        return self._added_bound(np.maximum(self.rebuild_bound, 0) + planning, switching)

    def _added_bound(self, rebuild: Matrix, switching: Switching) -> Matrix:
        """Copies, zeroing, and the cheapest way to begin."""
        bound: Matrix = switching.least_bound(rebuild, self.image_bound)
        return self._with_copies(bound, self.ram_bound)

    def _with_copies(self, bound: Matrix, ram: Matrix) -> Matrix:
        """And zeroing of what `ram` has of arenas; the whole model is built once, at start-up."""
        bound = bound + copy_insn(self.boundary.copied, self.boundary.copies)
        if self.zero_arena:
            bound += fill_insn(ram - self.boundary.load)
        bound[0, len(self.graph.ops)] = 0
        return bound

    @cached_property
    def resident_added_bound(self) -> Matrix:
        """Lower bound of the instructions that a segment adds on all rows as a resident piece."""
        return self._with_copies(np.zeros_like(self.ram_bound), self.ram_bound - self.spared_bytes)

    @cached_property
    def spared_bytes(self) -> Matrix:
        """What the bounds of RAM have of a tail and its padding. Of the whole model, whose tail is
        not bounded like that of others, all but the peak load."""
        spared = self.image_bound - self.rules.abi.interpreter_bytes
        at = 0, len(self.graph.ops)
        least = self.peak_load[at] + self.headroom_bytes + self.boundary.load[at]
        spared[at] = self.ram_bound[at] - least
        return spared

    @cached_property
    def image_bound(self) -> Matrix:
        """Lower bound of the bytes of an image, see `planning.switching`."""
        found: Matrix = image_bytes(self.tails.tail, self.rules.abi.interpreter_bytes)
        return found

    @cached_property
    def kept_bound(self) -> Matrix:
        """Lower bound of the bytes that a resident piece keeps."""
        abi = self.rules.abi.in_two_arenas()
        tail = segment_tails(self.graph, self.memories, abi).tail
        found: Matrix = image_bytes(tail, abi.interpreter_bytes)
        return found

    @cached_property
    def may_be_planned(self) -> Mask:
        """Where an offline plan may lower the head: TFLM's planner does not reach the peak load, or
        is not known to."""
        if self.heads is None:
            return np.ones_like(self.peak_load, dtype=bool)
        fragmented: Mask = self.heads.head > self.peak_load
        fragmented[0, len(self.graph.ops)] = True
        return fragmented

    @cached_property
    def _stock_rebuild_bound(self) -> Matrix:
        bound: Matrix = np.maximum(self.rebuild_bound, 0)
        if self.heads is None:
            return bound
        return bound + searching_bounds(self.heads, self.memories, self.costs.allocate)

    @cached_property
    def rebuild_bound(self) -> Matrix:
        """Lower bound of the instructions of AllocateTensors and construction on all rows, without
        the planner's sort and searches."""
        return rebuild_bounds(self.graph, self.memories, self.costs.allocate)
