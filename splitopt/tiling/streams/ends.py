"""How far an output of a stream may begin below an input of it: see `tiling.rolled`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.tiling.rolled import RolledPair
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.stream import Group, LineBuffer, Source, Stream


def stream_pairs(graph: ModelGraph, stream: Stream) -> Iterator[RolledPair]:
    """Every pair of an input that nobody reads later and an output, with its exact lead."""
    for source in stream.sources:
        last_reader = graph.readers[source.tensor][-1]
        if last_reader < stream.stop and source.tensor not in graph.outputs:
            for group in stream.groups:
                for made in group.outputs:
                    if made.is_output:
                        lead = _lead_bytes(graph, stream, source, group, made.tensor)
                        yield RolledPair(source.tensor, made.tensor, lead)


def _lead_bytes(graph: ModelGraph, stream: Stream, source: Source, group: Group, made: int) -> int:
    """The most by which what is written reaches beyond what is taken, while rows are to come.

    At its tick the group's row j is written up to (j + 1) rows; sources have had their turn.
    """
    rows = np.arange(group.rows)
    ticks = group.first_tick + group.period * rows
    turns = (ticks - source.first_tick) // source.period + 1
    buffer = stream.buffers[source.buffer]
    wanted = min(source.rows, buffer.last_row + 1)
    unread = _next_taken(buffer, np.clip(turns, 0, wanted))
    written = (rows + 1) * _row_bytes(graph, made)
    beyond = np.where(unread < wanted, written - unread * _row_bytes(graph, source.tensor), 0)
    return align_up(max(0, int(beyond.max())), ARENA_ALIGNMENT)


def _next_taken(buffer: LineBuffer, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The first row from each of these on that is taken: where windows leave rows out between
    them, these are not."""
    stride, above = buffer.lazy or (1, 0)
    place = (rows + above) % stride
    return np.where(place < buffer.depth, rows, rows + stride - place)


def _row_bytes(graph: ModelGraph, tensor: int) -> int:
    return graph.tensors[tensor].bytes // rows_of(graph.tensors[tensor])
