"""Heads of all segments at once, exact, and lower bounds of the work that TFLM's planner has.

Exact are the buffers, the entries that were alive in a search and, mostly, the sort. A search ends
above the gap that it finds, and a buffer is inserted at its offset: how many of the entries placed
so far lie below is known at a few offsets, and taken at the next lower one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from splitopt.arena.kernel import KernelMemory
from splitopt.graph.model import ModelGraph
from splitopt.planning.head_buffers import head_buffers, touches_intermediates
from splitopt.planning.offset_grids import OffsetGrid, offset_grids
from splitopt.planning.sort_bounds import Counts, counting, sort_bounds
from splitopt.solvers.distinct import distinct
from splitopt.solvers.partition.shortest_paths import Matrix

_MOST_LEVELS, _FEWEST_LEVELS, _LEVELS_TIMES_OPS = 16, 6, 8000
"""Offsets at which entries are counted, 0 among them: the fewer, the more ops a model has."""


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
    insert_steps: Counts


def segment_heads(graph: ModelGraph, memories: Sequence[KernelMemory]) -> SegmentHeads | None:
    """Of every segment but the whole model, which may have inputs that no op reads. None for a
    model of which this would take too long."""
    n = len(graph.ops)
    buffers = head_buffers(graph, memories)
    found = None if touches_intermediates(graph) else offset_grids(buffers, n)
    if found is None:
        return None
    order, grids = found
    sums = _Sums(n, len(buffers), _levels(grids, n))
    for index, grid in zip(order, grids, strict=True):
        sums.place(grid, buffers[index].size_bytes)
    by_index = dict(zip(order, grids, strict=True))
    sort_cmp, sort_swap = sort_bounds(buffers, [by_index[k] for k in range(len(buffers))], n)
    placed = sums.placed
    return SegmentHeads(
        head=sums.head,
        buffers=placed,
        sort_cmp=sort_cmp,
        sort_swap=sort_swap,
        scan_steps=placed * (placed - 1) // 2 - sums.spared,
        scan_active=sums.active,
        insert_steps=sums.inserts,
    )


class _Sums:
    """What is placed so far, by segment."""

    def __init__(self, n: int, buffers: int, levels: npt.NDArray[np.int64]) -> None:
        self._levels = levels
        # below[j]: buffers at an offset of level j at the most; the last level: all of them
        self._below = np.zeros((len(levels), n + 1, n + 1), dtype=counting(buffers))
        self.head = np.zeros((n + 1, n + 1), dtype=np.int64)
        self.inserts, self.spared = np.zeros((2, n + 1, n + 1), dtype=np.int32)
        self._active_changes = np.zeros((n + 2, n + 1), dtype=np.int32)

    @property
    def active(self) -> Counts:
        active: Counts = self._active_changes[:-1].cumsum(axis=0, dtype=np.int32)
        return active

    @property
    def placed(self) -> Counts:
        placed: Counts = self._below[-1].astype(np.int32)
        return placed

    def place(self, grid: OffsetGrid, size: int) -> None:
        """Places one buffer wherever it is planned, behind all that come before it."""
        lengths = np.diff(grid.stops)
        for row, (starts, stops) in enumerate(grid.held()):
            offset, active, end = (
                np.repeat(values[row], lengths)[stops.start - 1 :]
                for values in (grid.offset, grid.active, grid.end)
            )
            head = self.head[starts, stops]
            np.maximum(head, offset + size, out=head)
            self._active_changes[starts.start, stops] += active
            self._active_changes[starts.stop, stops] -= active
            below = self._below[:, starts, stops]
            lower = np.searchsorted(self._levels, offset, "right")
            for level in distinct(lower[lower > 0]).tolist():
                _add(self.inserts[starts, stops], below[level - 1], lower == level)
            self._spare(self.spared[starts, stops], below, end)
            lowest = int(lower.min())  # no level below it is reached
            reached = offset <= self._levels[lowest:, None]
            below[lowest:] += reached[:, None, :].astype(below.dtype)

    def _spare(self, sums: Counts, below: Counts, end: npt.NDArray[np.int64]) -> None:
        """Adds the entries that a search may leave out: all but its end and those below that."""
        ended = end >= 0
        _add(sums, below[-1], ended)
        _add(sums, 1, ended, np.subtract)
        lower = np.searchsorted(self._levels, end, "left")
        for level in distinct(lower[ended & (lower > 0)]).tolist():
            _add(sums, below[level - 1], ended & (lower == level), np.subtract)


def _add(sums: Counts, values: Any, stops: npt.NDArray[np.bool_], join: np.ufunc = np.add) -> None:
    """Adds values, one or a matrix of them, in the columns of these stops, which mostly follow one
    another."""
    places = np.flatnonzero(stops)
    if not len(places):
        return
    span = slice(int(places[0]), int(places[-1]) + 1)
    added = values if isinstance(values, int) else values[:, span]
    if len(places) < span.stop - span.start:
        added = added * stops[span].astype(sums.dtype)
    join(sums[:, span], added, out=sums[:, span])


def _levels(grids: Sequence[OffsetGrid], ops: int) -> npt.NDArray[np.int64]:
    """Offsets at which placed buffers are counted: 0, those at which most buffers of all segments
    lie, and one that is above all."""
    weights: dict[int, int] = {}
    for grid in grids:
        cells = np.diff(grid.starts)[:, None] * np.diff(grid.stops)
        offsets = distinct(grid.offset)
        places = np.searchsorted(offsets, grid.offset)
        held = np.bincount(places.ravel(), cells.ravel())
        for offset, weight in zip(offsets.tolist(), held.tolist(), strict=True):
            weights[offset] = weights.get(offset, 0) + weight
    most = min(_MOST_LEVELS, max(_FEWEST_LEVELS, _LEVELS_TIMES_OPS // max(1, ops)))
    often = sorted(weights, key=weights.__getitem__, reverse=True)
    return np.array([*sorted({0, *often[:most]}), 2**62])
