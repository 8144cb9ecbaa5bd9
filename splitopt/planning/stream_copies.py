"""What a stream copies and fills, counted by buffer instead of step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from splitopt.cost.copying import copy_insn, fill_insn
from splitopt.graph.model import ModelGraph
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.stream import LineBuffer, Stream


@dataclass(frozen=True, slots=True)
class Copies:
    """Bytes that cross between the arena and the boundary buffer, and instructions of all copies
    and fills."""

    crossing_bytes: int
    insn: int


@dataclass(frozen=True, slots=True)
class _Counts:
    """Rows that are copied into a buffer's slots, moved in it, and filled one by one."""

    taken: int
    moved: int
    filled: int


def copies_of(graph: ModelGraph, stream: Stream) -> Copies:
    """Of one run of the stream."""
    crossing = insn = 0
    is_source = {source.buffer for source in stream.sources}
    for number, buffer in enumerate(stream.buffers):
        windows = _windows(stream, number)
        counts = _counts(buffer, windows, number in is_source)
        insn += (counts.taken + counts.moved) * copy_insn(buffer.written_bytes)
        insn += counts.filled * fill_insn(buffer.row_bytes)
        if buffer.filled_rows:
            insn += fill_insn(buffer.filled_rows * buffer.row_bytes)
        crossing += counts.taken * buffer.written_bytes
    for tensor in _outputs(stream):
        rows, size = rows_of(graph.tensors[tensor]), graph.tensors[tensor].bytes
        insn += rows * copy_insn(size // rows)
        crossing += size
    return Copies(crossing, insn)


def _outputs(stream: Stream) -> Iterator[int]:
    return (made.tensor for group in stream.groups for made in group.outputs if made.is_output)


def _windows(stream: Stream, number: int) -> int:
    """How often the one reader of a lazy buffer runs; 0 for others, where it does not matter."""
    if stream.buffers[number].lazy is None:
        return 0
    read = (group.rows for group in stream.groups for v in group.views if v.buffer == number)
    return next(read)


@lru_cache(maxsize=65536)
def _counts(buffer: LineBuffer, windows: int, is_source: bool) -> _Counts:
    rows = np.arange(buffer.last_row + 1)
    is_real = rows < buffer.rows
    if buffer.lazy is None:
        filled = 0 if buffer.fill is None else int((~is_real).sum())
        taken = int(is_real.sum()) if is_source else 0
        return _Counts(taken, len(rows) * (buffer.depth - 1), filled)
    # Row n enters behind the windows j whose last row, stride * j - above + depth - 1, is below n.
    stride, above = buffer.lazy
    dropped = np.clip((rows + above - buffer.depth) // stride + 1, 0, windows)
    slots = rows - (stride * dropped - above)
    wanted = (slots >= 0) & (slots < buffer.depth)
    moved = int(dropped.max(initial=0)) * max(0, buffer.depth - stride)
    taken = int((wanted & is_real).sum()) if is_source else 0
    if not is_source:
        moved += int((wanted & is_real & (slots != buffer.depth - 1)).sum())
    return _Counts(taken, moved, int((wanted & ~is_real).sum()))
