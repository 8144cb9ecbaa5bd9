"""How far an output of a stream may begin below an input of it: see `tiling.rolled`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.tiling.rolled import RolledPair
from splitopt.tiling.schedule import row_bytes
from splitopt.tiling.streams.stream import LineBuffer, Stream


class End(NamedTuple):
    """Rows of an input that are taken, or of an output that are written: row n at first + period *
    n, in ticks. Rows that are written together count as one."""

    rows: int
    row_bytes: int
    first: int
    period: int


def stream_pairs(graph: ModelGraph, stream: Stream) -> Iterator[RolledPair]:
    """Every pair of an input that nobody reads later and an output, with its exact lead."""
    for source in stream.sources:
        if is_last_read_before(graph, source.tensor, stream.stop):
            size = row_bytes(graph, source.tensor)
            read = End(source.rows, size, source.first_tick, source.period)
            for group in stream.groups:
                for made in group.outputs:
                    if made.is_output:
                        size = group.rows_per_turn * row_bytes(graph, made.tensor)
                        written = End(group.turns, size, group.first_tick, group.period)
                        lead = lead_of(read, stream.buffers[source.buffer], written)
                        yield RolledPair(source.tensor, made.tensor, lead)


def is_last_read_before(graph: ModelGraph, tensor: int, stop: int) -> bool:
    return graph.readers[tensor][-1] < stop and tensor not in graph.outputs


def lead_of(read: End, buffer: LineBuffer, written: End) -> int:
    """The most in bytes by which what is written reaches beyond what is taken, while rows are to
    come. `buffer`: that `read` goes into.

    At its tick the group's row j is written up to (j + 1) rows; sources have had their turn. Where
    whole rows are taken for each that is written, what lies between grows or shrinks evenly: the
    first row decides, or the last before all are taken.
    """
    wanted = min(read.rows, buffer.last_row + 1)
    taken = (written.first - read.first) // read.period + 1
    per_row, rest = divmod(written.period, read.period)
    if rest or taken < 0 or _leaves_rows_out(buffer):
        most = _most_beyond(read, buffer, written, wanted)
    elif taken >= wanted:
        most = 0
    else:
        last = min(written.rows - 1, (wanted - 1 - taken) // per_row)
        ends = ((row + 1, taken + per_row * row) for row in (0, last))
        most = max(made * written.row_bytes - gone * read.row_bytes for made, gone in ends)
    return align_up(max(0, most), ARENA_ALIGNMENT)


def _most_beyond(read: End, buffer: LineBuffer, written: End, wanted: int) -> int:
    """The same, row by row."""
    rows = np.arange(written.rows)
    turns = (written.first + written.period * rows - read.first) // read.period + 1
    unread = _next_taken(buffer, np.clip(turns, 0, wanted))
    beyond = (rows + 1) * written.row_bytes - unread * read.row_bytes
    return int(np.where(unread < wanted, beyond, 0).max())


def _leaves_rows_out(buffer: LineBuffer) -> bool:
    return buffer.lazy is not None and buffer.lazy[0] > buffer.depth


def _next_taken(buffer: LineBuffer, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The first row from each of these on that is taken: where windows leave rows out between
    them, these are not."""
    stride, above = buffer.lazy or (1, 0)
    place = (rows + above) % stride
    return np.where(place < buffer.depth, rows, rows + stride - place)
