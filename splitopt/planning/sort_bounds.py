"""The sort of TFLM's planner in every segment at once: a bubble sort by size.

A size moves over as many smaller ones as are listed behind it (see `sort_work`). Exact where a
model has few sizes and few ops. Else sizes that lie near one another count as one, which gives
fewer moves, and of a segment only whole blocks of ops count: it holds all that these do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from splitopt.base.units import ceil_div
from splitopt.planning.head_buffers import HeadBuffer
from splitopt.planning.offset_grids import OffsetGrid

Counts = npt.NDArray[np.integer[Any]]
Block = tuple[slice, slice]
_MOST_BYTES = 1 << 26
"""What the counts by level may take."""
_MOST_BLOCKS = 200
"""Of ops. There are more ops in each, where a model has more."""


def counting(buffers: int) -> type[np.int16] | type[np.int32]:
    """A type that counts so many."""
    return np.int16 if buffers < np.iinfo(np.int16).max else np.int32


def sort_bounds(
    buffers: Sequence[HeadBuffer], grids: Sequence[OffsetGrid], ops: int
) -> tuple[Counts, Counts]:
    """Lower bounds of comparisons and swaps by segment [start, stop). `grids`: by buffer."""
    size = ceil_div(ops, _MOST_BLOCKS)
    blocks = ceil_div(ops, size)
    comparisons, swaps = _of_blocks(buffers, grids, size, blocks)
    cuts = np.arange(ops + 1)
    within = np.ix_(-(-cuts // size), cuts // size)
    return comparisons[within], swaps[within]


def _of_blocks(
    buffers: Sequence[HeadBuffer], grids: Sequence[OffsetGrid], size: int, blocks: int
) -> tuple[Counts, Counts]:
    """The same of all segments of blocks of so many ops."""
    shape, kind = (blocks + 1, blocks + 1), counting(len(buffers))
    levels = _levels(buffers, _MOST_BYTES // np.zeros(shape, dtype=kind).nbytes)
    smaller = _Smaller(len(levels), shape, kind)
    swaps = np.zeros(shape, dtype=np.int32)
    count, most = np.zeros((2, *shape), dtype=kind)
    for buffer, grid in zip(reversed(buffers), reversed(grids), strict=True):
        higher = bisect_right(levels, buffer.size_bytes)
        for starts, stops in grid.held():
            first, last = ceil_div(starts.start, size), ceil_div(starts.stop, size)
            held = slice(first, last), slice(ceil_div(stops.start, size), None)
            moves = smaller.than(higher - 1, held)
            swaps[held] += moves
            np.maximum(most[held], moves, out=most[held])
            count[held] += 1
            smaller.add(higher, held)
    comparisons: Counts = (most.astype(np.int32) + 1) * np.maximum(count - 1, 0)
    return comparisons, swaps


class _Smaller:
    """How many buffers are smaller than each level, by segment: those of a level's group of levels,
    and those of all groups below, so that a buffer changes few of the counts."""

    def __init__(
        self, levels: int, shape: tuple[int, int], kind: type[np.int16] | type[np.int32]
    ) -> None:
        self._group = isqrt(levels)
        self._inner = np.zeros((levels, *shape), dtype=kind)
        self._outer = np.zeros((levels // self._group + 1, *shape), dtype=kind)

    def than(self, level: int, block: Block) -> Counts:
        counts: Counts = self._inner[level][block] + self._outer[level // self._group][block]
        return counts

    def add(self, level: int, block: Block) -> None:
        """One more that is smaller than this level and those above."""
        group = level // self._group + 1
        self._inner[(slice(level, group * self._group), *block)] += 1
        self._outer[(slice(group, None), *block)] += 1


def _levels(buffers: Sequence[HeadBuffer], most: int) -> list[int]:
    """All sizes, or as many of them as there may be, the smallest among them."""
    sizes = sorted({buffer.size_bytes for buffer in buffers})
    if len(sizes) <= most:
        return sizes
    most = max(1, most)
    return [sizes[len(sizes) * k // most] for k in range(most)]
