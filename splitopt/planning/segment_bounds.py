"""Bounds that need no replay: for every segment at once, as matrices [start, stop].

All figures of segments that are sums over tensors are sums of rectangles in (start, stop): a
tensor counts for a segment exactly when start and stop lie in known ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from splitopt.arena.kernel import KernelMemory
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.allocate import AllocateTable, fixed_insn, prepare_insn
from splitopt.cost.copying import CONSTRUCT_INSN
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import BoundaryCandidate, boundary_candidates
from splitopt.planning.outside import ALL_INSIDE, Outside
from splitopt.planning.segment_heads import SegmentHeads
from splitopt.solvers.partition import boundary as solver
from splitopt.solvers.partition.shortest_paths import Matrix

Number = TypeVar("Number", np.int64, np.float64)


class RectangleSums:
    """Sums of values over rectangles of (start, stop), 0 <= start <= stop <= n."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._corners = np.zeros((n + 2, n + 2), dtype=np.int64)

    def add(self, starts: range, stops: range, value: int) -> None:
        """Adds the value to every segment with its start and its stop in these ranges."""
        if not starts or not stops:
            return
        # The value appears where both ranges start and is taken back where either stops; sums over
        # all smaller (start, stop) then hold it inside of the rectangle only.
        self._corners[starts.start, stops.start] += value
        self._corners[starts.stop, stops.start] -= value
        self._corners[starts.start, stops.stop] -= value
        self._corners[starts.stop, stops.stop] += value

    def add_where_any(self, starts: range, positions: Sequence[int], value: int) -> None:
        """Adds the value to segments that hold one of the ascending positions, `starts` given."""
        stop = self._n + 1
        previous_start = starts.start
        # By the first position that a segment holds: its start is behind the one before that.
        for position in positions:
            held = range(previous_start, min(starts.stop, position + 1))
            self.add(held, range(position + 1, stop), value)
            previous_start = max(previous_start, position + 1)

    def matrix(self) -> Matrix:
        sums: Matrix = self._corners.cumsum(axis=0).cumsum(axis=1)[: self._n + 1, : self._n + 1]
        return sums


@dataclass(frozen=True)
class BoundaryLoads:
    """What boundary tensors take per segment, each rounded up to 16, and the copies in and out.

    `indices`: where each tensor stands among the solver's boundaries.
    """

    held: solver.BoundaryLoads
    copied: Matrix
    copies: Matrix
    indices: Mapping[int, int]

    @property
    def through(self) -> Matrix:
        return self.held.through

    @property
    def load(self) -> Matrix:
        return self.held.ram

    @property
    def load_in_bands(self) -> Matrix:
        """Full inputs and full outputs at once, those of the model included."""
        return self.held.ram_apart

    def beside(self, read: Matrix, made: Matrix) -> Matrix:
        """Beside the arenas of segments on all rows, of whose inputs and outputs so many bytes lie
        in them."""
        held = self.held
        both: Matrix = np.maximum(held.in_ - read, held.out - made)
        return held.through + both

    def ends(
        self, start: int, stop: int, *, in_bands: bool, by_rows: bool = False
    ) -> tuple[int, int]:
        """(in, out) of a segment; in bands, inputs and outputs of the model count, too, but for
        inputs that come by rows."""
        at, held = (start, stop), self.held
        if in_bands:
            given = 0 if by_rows else held.outer_in[at]
            return int(held.in_[at] + given), int(held.out[at] + held.outer_out[at])
        return int(held.in_[at]), int(held.out[at])


def boundaries_of(
    graph: ModelGraph, outside: Outside = ALL_INSIDE, memory: int | None = None
) -> tuple[solver.Boundary, ...]:
    """The boundary candidates as the solver takes them, in their order: in this memory, None for
    the main SRAM. Those that lie elsewhere take 0 bytes."""

    def size(candidate: BoundaryCandidate) -> int:
        if outside.place(is_input=candidate.maker is None) != memory:
            return 0
        return align_up(graph.tensors[candidate.tensor].bytes, ARENA_ALIGNMENT)

    return tuple(
        solver.Boundary(size(candidate), candidate.maker, candidate.readers, candidate.is_output)
        for candidate in boundary_candidates(graph)
    )


def boundary_loads(graph: ModelGraph, outside: Outside = ALL_INSIDE) -> BoundaryLoads:
    """Of every segment [start, stop), cuts on both sides; what is held, in the main SRAM.

    A tensor is copied out by the segment that makes it, if another reads it, and in by every other
    segment that reads it. An input of the model is copied like a tensor that its first reader
    makes.
    """
    n = len(graph.ops)
    copied, copies = RectangleSums(n), RectangleSums(n)
    candidates = boundary_candidates(graph)
    for candidate in candidates:
        born, last = candidate.born, candidate.last
        for sums, amount in ((copied, graph.tensors[candidate.tensor].bytes), (copies, 1)):
            sums.add(range(born + 1), range(born + 1, last + 1), amount)
            sums.add_where_any(range(born + 1, n + 1), candidate.readers, amount)
    held = solver.BoundaryLoads(n, boundaries_of(graph, outside))
    indices = {candidate.tensor: index for index, candidate in enumerate(candidates)}
    return BoundaryLoads(held, copied.matrix(), copies.matrix(), indices)


def rebuild_bounds(
    graph: ModelGraph, memories: Sequence[KernelMemory], table: AllocateTable
) -> Matrix:
    """Lower bounds of the instructions of AllocateTensors and construction, without what TFLM's
    planner does with scratch, and without its sort and its searches."""
    n = len(graph.ops)
    prepare = np.array([0.0, *(prepare_insn(graph, op, table) for op in graph.ops)])
    scratch = np.array([0, *(len(memory.scratch) for memory in memories)], dtype=np.int64)
    ops = np.maximum(np.arange(n + 1)[None, :] - np.arange(n + 1)[:, None], 0)
    walks = table.scratch_times_ops * between(scratch) * ops
    planned = [int(tensor.is_activation and tensor.bytes > 0) for tensor in graph.tensors]
    base = fixed_insn(0, 0.0, 0, 0, table) + CONSTRUCT_INSN
    insn = base + between(prepare) + walks + table.tensor * tensor_counts(graph)
    insn += table.planned_buffer * tensor_sums(graph, planned)
    read, made = end_sums(graph, [1] * len(graph.tensors))
    insn += table.further_end * np.maximum(0, read + made - 2)
    bounds: Matrix = np.floor(insn).astype(np.int64)
    return bounds


def searching_bounds(
    heads: SegmentHeads, memories: Sequence[KernelMemory], table: AllocateTable
) -> Matrix:
    """Lower bounds of what `rebuild_bounds` leaves out, where TFLM places all buffers itself."""
    insn = (
        table.planned_buffer * _scratch(memories)
        + table.sort_comparison * heads.sort_cmp
        + table.sort_swap * heads.sort_swap
        + table.scan_step * heads.scan_steps
        + table.scan_active * heads.scan_active
    )
    bounds: Matrix = np.floor(insn).astype(np.int64)
    return bounds


def offline_plan_bounds(
    graph: ModelGraph, memories: Sequence[KernelMemory], table: AllocateTable
) -> Matrix:
    """Lower bounds of what `rebuild_bounds` leaves out, where offline plans place the tensors."""
    insn = table.offline_plan + table.offline_plan_tensor * tensor_counts(graph)
    bounds: Matrix = np.floor(insn + table.planned_buffer * _scratch(memories)).astype(np.int64)
    return bounds


def _scratch(memories: Sequence[KernelMemory]) -> Matrix:
    """How many scratch buffers the ops of every segment ask for."""
    return between(np.array([0, *(len(memory.scratch) for memory in memories)], dtype=np.int64))


def has_both_ends(graph: ModelGraph) -> npt.NDArray[np.bool_]:
    """Which segments read something from outside and make something for it, as a piece must.

    Ops that read constants only, and ops whose results nothing reads, make segments that do not.
    """
    read, made = end_sums(graph, [1] * len(graph.tensors))
    both: npt.NDArray[np.bool_] = (read > 0) & (made > 0)
    return both


def tensor_counts(graph: ModelGraph) -> Matrix:
    """How many tensors the ops of every segment name."""
    return tensor_sums(graph, [1] * len(graph.tensors))


def tensor_sums(graph: ModelGraph, values: Sequence[int]) -> Matrix:
    """Sums of values, given by tensor, over the tensors that the ops of every segment name."""
    n = len(graph.ops)
    sums = RectangleSums(n)
    users: dict[int, list[int]] = {}
    for op in graph.ops:
        for tensor in dict.fromkeys(op.touched):
            users.setdefault(tensor, []).append(op.index)
    for tensor, ops in users.items():
        if values[tensor]:
            sums.add_where_any(range(n + 1), ops, values[tensor])
    return sums.matrix()


def end_sums(graph: ModelGraph, values: Sequence[int]) -> tuple[Matrix, Matrix]:
    """Sums of values, given by tensor, over the inputs and over the outputs of every segment, as
    `segment_of` has them, but for inputs of the whole model that no op reads."""
    n = len(graph.ops)
    read, made = RectangleSums(n), RectangleSums(n)
    given = frozenset(graph.inputs)
    for tensor, readers in graph.readers.items():
        maker = graph.producer.get(tensor, -1)
        if graph.tensors[tensor].is_activation and (maker >= 0 or tensor in given):
            read.add_where_any(range(maker + 1, n + 1), readers, values[tensor])
    outputs = frozenset(graph.outputs)
    for tensor, maker in graph.producer.items():
        last = n if tensor in outputs else graph.readers.get(tensor, (maker,))[-1]
        made.add(range(maker + 1), range(maker + 1, last + 1), values[tensor])
    return read.matrix(), made.matrix()


def between(per_op: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Sums over [start, stop) of values that stand at index op + 1."""
    sums = np.cumsum(per_op)
    difference: npt.NDArray[Number] = sums[None, :] - sums[:, None]
    return difference
