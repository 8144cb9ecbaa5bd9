"""What the runner's loop over rows takes, counted by buffer instead of step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from splitopt.base.units import ceil_div
from splitopt.cost.streaming import FEED_INSN, MADE_INSN, TURN_INSN, filled_insn, moved_insn
from splitopt.graph.model import ModelGraph
from splitopt.tiling.schedule import row_bytes
from splitopt.tiling.streams.stream import Group, LineBuffer, Made, Stream


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
    parts = [made_copies(graph, group.rows, group.outputs) for group in stream.groups]
    sources = {source.buffer for source in stream.sources}
    makers = {made.buffer: group for group in stream.groups for made in group.outputs}
    for number, buffer in enumerate(stream.buffers):
        reader = next(g for g in stream.groups for view in g.views if view.buffer == number)
        if number in makers and makers[number].made_rows > 1:
            parts.append(_block_copies(buffer, makers[number], reader))
        else:
            parts.append(buffer_copies(buffer, reader.turns, is_source=number in sources))
    turns = [(group.first_tick, group.period) for group in stream.groups]
    return Copies(
        crossing_bytes=sum(part.crossing_bytes for part in parts),
        insn=turns_insn(turns, stream.ticks - 1) + sum(part.insn for part in parts),
    )


def turns_insn(groups: Sequence[tuple[int, int]], last: int) -> int:
    """Of the loop itself. `groups`: first tick and period of each; all have their turns up to tick
    `last`, included."""
    return TURN_INSN * sum([(last - first) // period + 1 for first, period in groups])


def made_copies(graph: ModelGraph, rows: int, outputs: Sequence[Made]) -> Copies:
    """Of what a group makes, `rows` of each."""
    crossing, insn = 0, rows * len(outputs) * MADE_INSN
    for made in outputs:
        if made.is_output:
            size = row_bytes(graph, made.tensor)
            crossing += rows * size
            insn += rows * moved_insn(size)
    return Copies(crossing, insn)


@lru_cache(maxsize=65536)
def buffer_copies(buffer: LineBuffer, reader_rows: int, *, is_source: bool) -> Copies:
    """Of what enters a buffer, moves in it and is filled. `reader_rows`: how often the first group
    that reads it runs. By the time of its last reader's last turn, the row `last_row` has entered,
    and none behind it does."""
    rows, windows = buffer.last_row + 1, 0 if buffer.lazy is None else reader_rows
    found = _entered(buffer, windows, rows)
    insn = filled_insn(buffer.filled_rows * buffer.row_bytes)
    insn += found.virtual * filled_insn(buffer.row_bytes)
    insn += _shifted_insn(buffer, windows, 1)
    if not is_source:
        return Copies(0, insn + found.settled * moved_insn(buffer.written_bytes))
    insn += rows * FEED_INSN + found.real * moved_insn(buffer.written_bytes)
    return Copies(found.real * buffer.written_bytes, insn)


def _block_copies(buffer: LineBuffer, maker: Group, reader: Group) -> Copies:
    """Where rows come several at a time. In a lazy buffer each goes to the slot behind those that
    the reader has not dropped by then."""
    rows, at_once = np.arange(buffer.last_row + 1), maker.rows_per_turn
    slots = written = buffer.depth - at_once + rows % at_once
    if buffer.lazy is not None:
        stride, above = buffer.lazy
        tick = maker.first_tick + maker.period * (rows // at_once)
        done = np.clip(-((reader.first_tick - tick) // reader.period), 0, reader.turns)
        slots = rows + above - stride * done
    is_moved = slots != written if maker.writes_into(buffer) else np.ones_like(rows, bool)
    settled = int((is_moved & (slots >= 0) & (rows < buffer.rows)).sum())
    virtual = 0 if buffer.fill is None else max(0, len(rows) - buffer.rows)
    insn = filled_insn(buffer.filled_rows * buffer.row_bytes)
    insn += virtual * filled_insn(buffer.row_bytes) + settled * moved_insn(buffer.written_bytes)
    return Copies(0, insn + _shifted_insn(buffer, reader.turns, at_once))


def _shifted_insn(buffer: LineBuffer, windows: int, at_once: int) -> int:
    """All rows that stay move at once: behind each window, or for the rows that enter together."""
    by, times = at_once, ceil_div(buffer.last_row + 1, at_once)
    if buffer.lazy is not None:
        by, times = buffer.lazy[0], windows - 1
    return times * moved_insn(max(0, buffer.depth - by) * buffer.row_bytes)


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
