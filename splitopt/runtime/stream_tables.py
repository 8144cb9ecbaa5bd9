"""A streamed stage in the form of the runner's tables: see runner/splitopt_plan.h.

Fields are those of the C++ structures, in their order, words of 32 bits all of them. What they say
follows from the stream; the semantics are those of `splitopt.tiling.streams.stream`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from splitopt.tiling.streams.stream import LineBuffer, Made, Stream

NOWHERE = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class PlacedBuffers:
    """A stream and where it lies: `offsets` of its line buffers, in bytes from the arena's start,
    and `interpreters_bytes` for the interpreters of all groups but the first, at the arena's end.
    """

    stream: Stream
    offsets: tuple[int, ...]
    interpreters_bytes: int


@dataclass(frozen=True, slots=True)
class BufferRow:
    """See `splitopt::LineBuffer`."""

    offset: int
    depth: int
    row_bytes: int
    written_bytes: int
    column_bytes: int
    last_row: int
    fill: int
    has_fill: int
    filled_rows: int
    reader: int
    stride: int
    above: int
    reads_first: int


@dataclass(frozen=True, slots=True)
class SourceRow:
    """See `splitopt::Source`."""

    buffer: int
    link: int
    rows: int
    period: int
    first_tick: int


@dataclass(frozen=True, slots=True)
class ViewRow:
    """See `splitopt::View`."""

    buffer: int
    rows: int
    lag: int


@dataclass(frozen=True, slots=True)
class MadeRow:
    """See `splitopt::Made`."""

    buffer: int
    link: int


@dataclass(frozen=True, slots=True)
class GroupRow:
    """See `splitopt::Group`, but for its model."""

    views: tuple[ViewRow, ...]
    made: tuple[MadeRow, ...]
    rows: int
    period: int
    first_tick: int
    rows_per_turn: int
    dropped: int


@dataclass(frozen=True, slots=True)
class StreamTables:
    """See `splitopt::Stream`."""

    groups: tuple[GroupRow, ...]
    buffers: tuple[BufferRow, ...]
    sources: tuple[SourceRow, ...]
    interpreters_bytes: int


def stream_tables(
    placed: PlacedBuffers, inputs: Sequence[int], outputs: Sequence[int]
) -> StreamTables:
    """`inputs` and `outputs`: the segment's tensors in the order of its links."""
    stream = placed.stream

    def made(own: Made) -> MadeRow:
        link = outputs.index(own.tensor) if own.is_output else NOWHERE
        return MadeRow(NOWHERE if own.buffer is None else own.buffer, link)

    return StreamTables(
        groups=tuple(
            GroupRow(
                tuple(ViewRow(view.buffer, view.rows, view.lag) for view in group.views),
                tuple(map(made, group.outputs)),
                group.rows,
                group.period,
                group.first_tick,
                group.rows_per_turn,
                group.dropped,
            )
            for group in stream.groups
        ),
        buffers=tuple(
            _buffer(stream, k, buffer, offset)
            for k, (buffer, offset) in enumerate(zip(stream.buffers, placed.offsets, strict=True))
        ),
        sources=tuple(
            SourceRow(s.buffer, inputs.index(s.tensor), s.rows, s.period, s.first_tick)
            for s in stream.sources
        ),
        interpreters_bytes=placed.interpreters_bytes,
    )


def _buffer(stream: Stream, number: int, buffer: LineBuffer, offset: int) -> BufferRow:
    reader, stride, above, reads_first = NOWHERE, 0, 0, False
    if buffer.lazy is not None:
        stride, above = buffer.lazy
        groups = list(enumerate(stream.groups))
        [reader] = [k for k, g in groups if any(v.buffer == number for v in g.views)]
        makers = [k for k, g in groups if any(made.buffer == number for made in g.outputs)]
        reads_first = any(reader < maker for maker in makers)  # sources come before all groups
    return BufferRow(
        offset=offset,
        depth=buffer.depth,
        row_bytes=buffer.row_bytes,
        written_bytes=buffer.written_bytes,
        column_bytes=buffer.column_bytes,
        last_row=buffer.last_row,
        fill=_pattern(buffer),
        has_fill=int(buffer.fill is not None),
        filled_rows=buffer.filled_rows,
        reader=reader,
        stride=stride,
        above=above,
        reads_first=int(reads_first),
    )


def _pattern(buffer: LineBuffer) -> int:
    """Four bytes of the fill: -3 of int8 is 0xFDFDFDFD, of int16 0xFFFDFFFD."""
    item = (buffer.fill or 0).to_bytes(buffer.item_bytes, "little", signed=True)
    return int.from_bytes(item * (4 // buffer.item_bytes), "little")
