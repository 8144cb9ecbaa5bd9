"""Heads of all segments at once, exact, and lower bounds of the work that TFLM's planner has.

Exact are the buffers, the entries that were alive in a search and, mostly, the sort. A search looks
at all that is placed already, but where it ends at a gap: no step of that counts. The walk to a
buffer's place among the others is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from splitopt.arena.kernel import KernelMemory
from splitopt.graph.model import ModelGraph
from splitopt.planning.head_buffers import head_buffers, touches_intermediates
from splitopt.planning.offset_grids import OffsetGrid, offset_grids
from splitopt.planning.sort_bounds import Counts, counting, sort_bounds
from splitopt.solvers.partition.shortest_paths import Matrix


@dataclass(frozen=True)
class SegmentHeads:
    """By segment [start, stop): bytes of the head under TFLM's greedy plan, planned buffers, and
    the planner's work, whose steps and swaps are lower bounds."""

    head: Matrix
    buffers: Counts
    sort_cmp: Counts
    sort_swap: Counts
    scan_steps: Counts
    scan_active: Counts


def segment_heads(graph: ModelGraph, memories: Sequence[KernelMemory]) -> SegmentHeads | None:
    """Of every segment but the whole model, which may have inputs that no op reads. None for a
    model of which this would take too long."""
    n = len(graph.ops)
    buffers = head_buffers(graph, memories)
    found = None if touches_intermediates(graph) else offset_grids(buffers, n)
    if found is None:
        return None
    order, grids = found
    sums = _Sums(n, [buffer.size_bytes for buffer in buffers])
    for index, grid in zip(order, grids, strict=True):
        sums.place(grid, buffers[index].size_bytes)
    by_index = dict(zip(order, grids, strict=True))
    sort_cmp, sort_swap = sort_bounds(buffers, [by_index[k] for k in range(len(buffers))], n)
    placed = sums.placed.astype(np.int32)
    return SegmentHeads(
        head=sums.head.astype(np.int64),
        buffers=placed,
        sort_cmp=sort_cmp,
        sort_swap=sort_swap,
        scan_steps=placed * (placed - 1) // 2 - sums.spared,
        scan_active=sums.active,
    )


class _Sums:
    """What is placed so far, by segment; `spared`: steps that searches may leave out."""

    def __init__(self, n: int, sizes: Sequence[int]) -> None:
        self.placed = np.zeros((n + 1, n + 1), dtype=counting(len(sizes)))
        self.head = np.zeros((n + 1, n + 1), dtype=np.int32 if sum(sizes) < 2**31 else np.int64)
        self.spared = np.zeros((n + 1, n + 1), dtype=np.int32)
        self._active_changes = np.zeros((n + 2, n + 1), dtype=np.int32)

    @property
    def active(self) -> Counts:
        active: Counts = self._active_changes[:-1].cumsum(axis=0, dtype=np.int32)
        return active

    def place(self, grid: OffsetGrid, size: int) -> None:
        """Places one buffer wherever it is planned, behind all that come before it."""
        lengths = np.diff(grid.stops)
        for row, (starts, stops) in enumerate(grid.held()):
            offset, active, end = (
                np.repeat(values[row], lengths)[stops.start - 1 :]
                for values in (grid.offset, grid.active, grid.end)
            )
            head, placed = self.head[starts, stops], self.placed[starts, stops]
            np.maximum(head, (offset + size).astype(head.dtype), out=head)
            self._active_changes[starts.start, stops] += active
            self._active_changes[starts.stop, stops] -= active
            ended = np.flatnonzero(end >= 0)
            if len(ended):
                self._spare(self.spared[starts, stops], placed, ended)
            placed += 1

    @staticmethod
    def _spare(spared: Counts, placed: Counts, ended: npt.NDArray[np.int64]) -> None:
        """All that is placed, at these stops, which mostly follow one another."""
        span = slice(int(ended[0]), int(ended[-1]) + 1)
        if len(ended) == span.stop - span.start:
            spared[:, span] += placed[:, span]
        else:
            spared[:, ended] += placed[:, ended]
