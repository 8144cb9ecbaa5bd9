"""What bands of all segments that stop behind one op take: sums and peak loads, op by op."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph, Op
from splitopt.planning.banded_ops import UNFIT, BandedOps, OpFigures
from splitopt.tiling.all_starts import AllStarts
from splitopt.tiling.entries import Column
from splitopt.tiling.rows import activations_read
from splitopt.tiling.schedule import row_bytes

_ALL = -1


class BandSums:
    """Columns beside those of the segments, of one execution at the entry's height.

    `insn`, `requests`: instructions and scratch requests of its ops. `in_bytes`, `inputs`: what is
    copied in. The peak load: of live activations and scratch, each rounded up to 16. Entries at
    whose heights an op is not run are left out.

    A tensor lives through all steps from its maker to its last reader in the segment, and an input
    of the segment from the first step on. So where an op reads an input, the load of each step
    since the op that read it before rises; of all steps where none did. For that, the peak over
    the steps since each such op is kept.
    """

    def __init__(self, graph: ModelGraph, segments: AllStarts, ops: BandedOps) -> None:
        self._graph, self._segments, self._ops = graph, segments, ops
        self._last_reader: dict[int, int] = {}
        self._columns = segments.entries
        sums = ("insn", "requests", "in_bytes", "inputs", "held_bytes")
        self._columns.begin(*sums, ("peak", _ALL))

    @property
    def peak_load(self) -> Column:
        return self._columns["peak", _ALL]

    def add(self, op: Op) -> None:
        """The op that was added last to the segments, if it can be in any."""
        columns, graph, k = self._columns, self._graph, op.index
        if columns.count:
            columns.keep(self._figures(k).insn != UNFIT)
        if not columns.count:  # what was read before is read outside of all segments to come
            self._begin_peaks((), k)
            return
        figures = self._figures(k)
        columns["insn"] += figures.insn
        columns["requests"] += figures.requests
        read = activations_read(graph, op)
        [out] = op.outputs
        load = columns["held_bytes"] + figures.scratch_bytes + self._size(out)
        for tensor in read:
            load += self._entering(tensor, k)
        for since in {_ALL, *self._last_reader.values()}:
            columns["peak", since] = np.maximum(columns["peak", since], load)
        for tensor in (out, *read):
            self._hold(tensor, k)
        self._begin_peaks(read, k)

    def _figures(self, op: int) -> OpFigures:
        return self._ops.figures(op, self._segments.rows(self._ops.source(op)))

    def _entering(self, tensor: int, op: int) -> Column:
        """Bytes of a tensor that the op reads, where it is an input of the segment."""
        columns, graph = self._columns, self._graph
        if tensor not in graph.producer and tensor not in graph.inputs:
            return np.zeros(columns.count, dtype=np.int64)  # empty, and no input of a piece
        rows = np.where(self._segments.makes(tensor), 0, self._segments.rows(tensor))
        size = align_up(rows * row_bytes(graph, tensor), ARENA_ALIGNMENT)
        since = self._last_reader.get(tensor, _ALL)
        raised = columns["peak", since] + size
        for other in {_ALL, *self._last_reader.values()}:
            peak = columns["peak", other]
            columns["peak", other] = peak + size if other >= since else np.maximum(peak, raised)
        is_first = columns["start"] > since
        columns["in_bytes"] += np.where(is_first, rows * row_bytes(graph, tensor), 0)
        columns["inputs"] += is_first & (rows > 0)
        return size

    def _hold(self, tensor: int, op: int) -> None:
        """Counts a tensor made in the segment from the step behind its maker to its last reader."""
        graph = self._graph
        maker, last = graph.producer.get(tensor, -1), graph.readers.get(tensor, (-1,))[-1]
        if tensor in graph.outputs:
            last = len(graph.ops)
        if maker == op < last:
            self._columns["held_bytes"] += self._size(tensor)
        elif last == op > maker:
            made = self._segments.makes(tensor)
            self._columns["held_bytes"] -= np.where(made, self._size(tensor), 0)

    def _size(self, tensor: int) -> Column:
        return align_up(
            self._segments.rows(tensor) * row_bytes(self._graph, tensor), ARENA_ALIGNMENT
        )

    def _begin_peaks(self, read: Sequence[int], op: int) -> None:
        """Keeps the peaks since those ops whose inputs are read again, this one among them."""
        kept = {} if not self._columns.count else self._last_reader
        again = {t: op for t in read if self._graph.readers[t][-1] > op}
        later = {t: reader for t, reader in kept.items() if t not in read} | again
        for since in set(self._last_reader.values()).difference(later.values()):
            self._columns.drop(("peak", since))
        if again:
            self._columns.begin(("peak", op))
        self._last_reader = later
