"""Says whether line buffers stay intact in the arena that the groups of a stream share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from splitopt.arena.kernel import KernelMemory
from splitopt.arena.replay import plan_head
from splitopt.arena.shared import SharedArena
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.tiling.streams.check_ops import InvalidStream
from splitopt.tiling.streams.stream import Group, Stream


class OwnGraph(Protocol):
    """A group as a graph, what its kernels ask for, and its offline plan."""

    @property
    def graph(self) -> ModelGraph: ...
    @property
    def memories(self) -> Sequence[KernelMemory]: ...
    @property
    def offline(self) -> Mapping[int, int]: ...


class Placed(Protocol):
    """A stream in its arena. `offsets`: of its line buffers."""

    @property
    def stream(self) -> Stream: ...
    @property
    def offsets(self) -> Sequence[int]: ...
    @property
    def groups(self) -> Sequence[OwnGraph]: ...
    @property
    def arena(self) -> SharedArena: ...


def check_arena(placed: Placed, granted_bytes: int | None = None) -> None:
    """Raises InvalidStream unless line buffers share no bytes, each group finds its window and
    writes the last rows of a buffer, what TFLM places by itself, in any group, ends below, and what
    is granted is enough."""
    stream = placed.stream
    buffers = sorted(
        (offset, offset + buffer.bytes)
        for offset, buffer in zip(placed.offsets, stream.buffers, strict=True)
    )
    for (_, end), (start, _) in pairwise(buffers):
        if end > start:
            raise InvalidStream(f"a line buffer ends at {end} B, the next begins at {start} B")
    lowest = buffers[0][0]
    reached = 0
    for number, (group, own) in enumerate(zip(stream.groups, placed.groups, strict=True)):
        want = _places(stream, group, placed.offsets)
        if dict(own.offline) != want:
            raise InvalidStream(f"group {number}: offline plan {dict(own.offline)}, not {want}")
        head = plan_head(
            own.graph, segment_of(own.graph, 0, len(own.graph.ops)), own.memories, own.offline
        )
        for buffer in head:
            end = buffer.offset + buffer.size_bytes
            reached = max(reached, end)
            if not buffer.pinned and end > lowest:
                raise InvalidStream(
                    f"group {number}: what is placed for tensor {buffer.tensor} or op {buffer.op} "
                    f"ends at {end} B, over line buffers from {lowest} B on"
                )
    head_bytes = placed.arena.head_bytes
    if head_bytes != reached or buffers[-1][1] > head_bytes:
        raise InvalidStream(f"a head of {head_bytes} B, not {max(reached, buffers[-1][1])} B")
    if granted_bytes is not None and granted_bytes < placed.arena.minimum_bytes:
        raise InvalidStream(f"{granted_bytes} B for an arena of {placed.arena.minimum_bytes} B")


def _places(stream: Stream, group: Group, offsets: Sequence[int]) -> dict[int, int]:
    """Where the group's tensors in line buffers lie: at the window, and at the last slots, but for
    several rows that have columns between them there."""
    places, count = {}, group.rows_per_turn + group.dropped
    for view in group.views:
        buffer = stream.buffers[view.buffer]
        unseen = (view.lag + view.rows) * buffer.row_bytes
        places[buffer.tensor] = offsets[view.buffer] + buffer.bytes - unseen
    for made in group.outputs:
        if made.buffer is not None:
            buffer = stream.buffers[made.buffer]
            if count > 1 and buffer.row_bytes != buffer.written_bytes:
                continue
            last = (buffer.depth - count) * buffer.row_bytes + buffer.column_bytes
            places[made.tensor] = offsets[made.buffer] + last
    return places
