"""What the runner's loop over rows takes, counted by buffer instead of step by step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from splitopt.cost.streaming import FEED_INSN, MADE_INSN, TURN_INSN, filled_insn, moved_insn
from splitopt.graph.model import ModelGraph
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.stream import Group, LineBuffer, Source, Stream


@dataclass(frozen=True, slots=True)
class Copies:
    """Bytes that cross between the arena and the boundary buffer, and instructions of the loop with
    all copies and fills, Invokes apart."""

    crossing_bytes: int
    insn: int


@dataclass(frozen=True, slots=True)
class _Entered:
    """Rows of a buffer that find a slot, in the image and below it, and those of the first that
    find another one than the last."""

    real: int
    virtual: int
    settled: int


def copies_of(graph: ModelGraph, stream: Stream) -> Copies:
    """Of one run of the stream."""
    crossing = insn = 0
    makers: dict[int, Source | Group] = {source.buffer: source for source in stream.sources}
    for group in stream.groups:
        insn += _turns(stream, group) * TURN_INSN + group.rows * len(group.outputs) * MADE_INSN
        for made in group.outputs:
            if made.buffer is not None:
                makers[made.buffer] = group
            if made.is_output:
                rows, size = rows_of(graph.tensors[made.tensor]), graph.tensors[made.tensor].bytes
                insn += rows * moved_insn(size // rows)
                crossing += size
    for number, buffer in enumerate(stream.buffers):
        maker = makers[number]
        rows = min(buffer.last_row + 1, _turns(stream, maker))
        found = _entered(buffer, _windows(stream, number), rows)
        insn += filled_insn(buffer.filled_rows * buffer.row_bytes)
        insn += found.virtual * filled_insn(buffer.row_bytes)
        insn += _shifted_insn(stream, number, rows)
        copied = found.settled
        if isinstance(maker, Source):
            copied = found.real
            crossing += copied * buffer.written_bytes
            insn += rows * FEED_INSN
        insn += copied * moved_insn(buffer.written_bytes)
    return Copies(crossing, insn)


def _turns(stream: Stream, node: Source | Group) -> int:
    return max(0, (stream.ticks - 1 - node.first_tick) // node.period + 1)


def _shifted_insn(stream: Stream, number: int, rows: int) -> int:
    """All rows that stay move at once: behind each window, or for each row that enters."""
    buffer = stream.buffers[number]
    by, times = 1, rows
    if buffer.lazy is not None:
        by, times = buffer.lazy[0], _windows(stream, number) - 1
    return times * moved_insn(max(0, buffer.depth - by) * buffer.row_bytes)


def _windows(stream: Stream, number: int) -> int:
    """How often the one reader of a lazy buffer runs; 0 for others, where it does not matter."""
    if stream.buffers[number].lazy is None:
        return 0
    read = (group.rows for group in stream.groups for v in group.views if v.buffer == number)
    return next(read)


@lru_cache(maxsize=65536)
def _entered(buffer: LineBuffer, windows: int, count: int) -> _Entered:
    rows = np.arange(count)
    is_real = rows < buffer.rows
    if buffer.lazy is None:
        virtual = 0 if buffer.fill is None else int((~is_real).sum())
        return _Entered(int(is_real.sum()), virtual, 0)
    # Row n enters behind the windows j whose last row, stride * j - above + depth - 1, is below n.
    stride, above = buffer.lazy
    dropped = np.clip((rows + above - buffer.depth) // stride + 1, 0, windows)
    slots = rows - (stride * dropped - above)
    wanted = (slots >= 0) & (slots < buffer.depth)
    real = wanted & is_real
    settled = real & (slots != buffer.depth - 1)
    return _Entered(int(real.sum()), int((wanted & ~is_real).sum()), int(settled.sum()))
