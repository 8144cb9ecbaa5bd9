"""Boundary tensors and inputs of the model in memories beside the main SRAM: what they take there
while each segment runs, and what their copies take more than in the main SRAM.

That the application writes an input of the model is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from splitopt.base.units import ceil_div
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import boundary_candidates
from splitopt.planning.outside import Outside
from splitopt.planning.segment import SegmentFigures, SegmentOption
from splitopt.planning.segment_bounds import RectangleSums, boundaries_of
from splitopt.planning.switching import TailMemory
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.boundary import Boundary, BoundaryLoads
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.option_pool import Mask
from splitopt.solvers.partition.plan import Layout, PartitionPlan
from splitopt.solvers.partition.shortest_paths import Matrix
from splitopt.tiling.rolled import RolledPair
from splitopt.tiling.schedule import row_bytes

_BYTE_PARTS, _INSN_PARTS = 9, 16_000
"""A byte takes 9/16 instructions in the main SRAM (`cost.copying`); costs are in thousandths."""


@dataclass(frozen=True)
class LaidOutside:
    """The layout of what one memory holds, and the most bytes that are alive in it at once."""

    layout: Layout
    load_bytes: int


class OutsideValues:
    """Those of one model, in these places."""

    def __init__(self, graph: ModelGraph, outside: Outside, memories: Sequence[TailMemory]) -> None:
        self._graph, self.outside, self._memories = graph, outside, memories
        self.insn_bound = cache(self._insn_bound)

    @cached_property
    def boundaries(self) -> Mapping[int, tuple[Boundary, ...]]:
        """As the solver takes them, by the number of the memory."""
        numbers = self.outside.memories
        return {k: boundaries_of(self._graph, self.outside, k) for k in numbers}

    def inside(self, rolled: tuple[RolledPair, ...]) -> tuple[RolledPair, ...]:
        """Those with both tensors in the main SRAM: no others share bytes."""
        if self.outside.boundary is not None:
            return ()
        if self.outside.model_input is None:
            return rolled
        return tuple(pair for pair in rolled if pair.read not in self._graph.inputs)

    def fit(self, *, apart: bool, by_rows: bool = False) -> Mask:
        """Matrix [start, stop]: segments while which run no more is alive than a memory has room
        for, nor than `Outside.most` allows. `apart`, `by_rows`: as of the solver's options."""
        n = len(self._graph.ops)
        fit: Mask = np.ones((n + 1, n + 1), dtype=bool)
        for number, boundaries in self.boundaries.items():
            loads, room = BoundaryLoads(n, boundaries), self._memories[number].room_bytes
            most = min(room, self.outside.most[number]) if self.outside.most else room
            held = loads.ram_apart if apart else loads.ram
            fit &= (held - loads.outer_in if by_rows else held) <= most
        return fit

    def insn(self, option: SegmentOption) -> int:
        """Instructions that the copies of all its pieces take more."""
        return sum(self.piece_insn(option, piece) for piece in option.pieces)

    def piece_insn(self, option: SegmentOption, piece: SegmentFigures) -> int:
        """Of one of an option's pieces. Of a stream, every row is counted once."""
        if not piece.executions:
            bounds = self.insn_bound(option.is_apart, option.by_rows)
            return int(bounds[piece.segment.start, piece.segment.stop])
        parts = 0
        for once in piece.executions:
            reads = ((span, self._parts(span.tensor)[0]) for span in once.inputs)
            writes = ((span, self._result_parts(span.tensor)) for span in once.outputs)
            for span, each in (*reads, *writes):
                parts += span.rows * row_bytes(self._graph, span.tensor) * each
        return ceil_div(parts, _INSN_PARTS)

    def laid_out(
        self, options: Sequence[Option], params: SolveParams | None = None
    ) -> dict[int, LaidOutside]:
        """Checked layouts of what these options keep in each memory, by its number."""
        found, n = {}, len(self._graph.ops)
        bare = tuple(replace(own, arena_bytes=0, rolls=(), stored=(), kept=0) for own in options)
        for number, boundaries in self.boundaries.items():
            instance = PartitionInstance(n, bare, boundaries)
            layout = lay_out(bare, boundaries, params).layout
            check_plan(instance, PartitionPlan(bare, layout))
            found[number] = LaidOutside(layout, max(instance.rams))
        return found

    def _insn_bound(self, apart: bool, by_rows: bool) -> Matrix:
        """Matrix [start, stop] of what copies of whole tensors take more: exact but for bands."""
        parts = self._made_parts[apart] + self._input_parts[apart and not by_rows]
        found: Matrix = -(-parts // _INSN_PARTS)
        return found

    @cached_property
    def _made_parts(self) -> tuple[Matrix, Matrix]:
        """Of tensors that an op makes: where segments do not run apart, and where they do."""
        return self._sums(is_input=False)

    @cached_property
    def _input_parts(self) -> tuple[Matrix, Matrix]:
        """Of the model's inputs, in the same two cases."""
        return self._sums(is_input=True)

    def _sums(self, *, is_input: bool) -> tuple[Matrix, Matrix]:
        """Where its first segment runs apart, an input is read from its place, and a result written
        to it, though no other segment needs it."""
        n = len(self._graph.ops)
        plain, apart = RectangleSums(n), RectangleSums(n)
        for own in boundary_candidates(self._graph):
            if is_input != (own.maker is None):
                continue
            size, (read, _) = self._graph.tensors[own.tensor].bytes, self._parts(own.tensor)
            first = read if is_input else self._parts(own.tensor)[1]
            whole = read if is_input else self._result_parts(own.tensor)
            until = n if is_input or own.is_output else own.last
            plain.add(range(own.born + 1), range(own.born + 1, own.last + 1), first * size)
            apart.add(range(own.born + 1), range(own.born + 1, until + 1), whole * size)
            for sums in (plain, apart):
                sums.add_where_any(range(own.born + 1, n + 1), own.readers, read * size)
        return plain.matrix(), apart.matrix()

    def _parts(self, tensor: int) -> tuple[int, int]:
        """Of an instruction, what reading a byte of it takes more, and writing one."""
        number = self.outside.place(is_input=tensor in self._graph.inputs)
        if number is None:
            return 0, 0
        memory = self._memories[number]
        read, write = (round(1000 * cost) - 1000 for cost in (memory.read_cost, memory.write_cost))
        return _BYTE_PARTS * read, _BYTE_PARTS * write

    def _result_parts(self, tensor: int) -> int:
        """What a segment apart makes. A result of the model is read again, to be handed over."""
        read, write = self._parts(tensor)
        return write + (read if tensor in self._graph.outputs else 0)
