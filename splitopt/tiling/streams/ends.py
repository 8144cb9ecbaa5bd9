"""How far an output of a stream may begin below an input of it: see `tiling.rolled`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.tiling.rolled import RolledPair
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.stream import Group, Source, Stream


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
    wanted = min(source.rows, stream.buffers[source.buffer].last_row + 1)
    taken = np.clip(turns, 0, wanted)
    written = (rows + 1) * _row_bytes(graph, made)
    beyond = np.where(taken < wanted, written - taken * _row_bytes(graph, source.tensor), 0)
    return align_up(max(0, int(beyond.max())), ARENA_ALIGNMENT)


def _row_bytes(graph: ModelGraph, tensor: int) -> int:
    return graph.tensors[tensor].bytes // rows_of(graph.tensors[tensor])
