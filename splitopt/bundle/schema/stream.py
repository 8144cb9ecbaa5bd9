"""The part of plan.json on a segment that makes one row at a time.

What happens when follows from the timing of sources and groups: see `tiling.streams.stream`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from splitopt.bundle.schema.common import (
    MOST_OPS,
    Count,
    Index,
    Offset,
    Op,
    Sha256,
    Shape,
    Text,
)

MOST_TICKS = 1 << 20
_MOST_ENDS = 64
Rows = Annotated[int, Field(ge=1, le=MOST_TICKS)]
From0 = Annotated[int, Field(ge=0, le=MOST_TICKS)]
"""Rows or ticks, counted from 0."""
RowBytes = Annotated[int, Field(ge=1, lt=2**31)]


class View(Shape):
    """Rows of a line buffer that a group looks at: in its turn t, `rows` ones from
    stride * t // repeat - above on; there are `lag` slots for newer ones."""

    buffer: Index
    rows: Rows
    stride: Rows
    above: From0
    repeat: Rows
    lag: From0


class Made(Shape):
    """A tensor that a group makes. `buffer`: the line buffer that it is written into, null for
    none."""

    tensor: Index
    buffer: Index | None
    is_output: bool


class Group(Shape):
    """Ops that make `rows_per_turn` rows per Invoke, of `rows` in all, behind `dropped` wrong ones;
    inputs and outputs in the order of those of its file."""

    ops: Annotated[tuple[Op, ...], Field(min_length=1, max_length=MOST_OPS)]
    inputs: Annotated[tuple[View, ...], Field(min_length=1, max_length=_MOST_ENDS)]
    outputs: Annotated[tuple[Made, ...], Field(min_length=1, max_length=_MOST_ENDS)]
    rows: Rows
    period: Rows
    first_tick: From0
    rows_per_turn: Rows = 1
    dropped: From0 = 0
    piece: Text | None = None
    piece_bytes: Count | None = None
    sha256: Sha256 | None = None
    head_bytes: Count
    tail_bytes: Count

    @property
    def turns(self) -> int:
        """How often it is invoked."""
        return self.rows // self.rows_per_turn


class LineBuffer(Shape):
    """The newest `depth` rows of a tensor. `lazy`: stride and rows above of the one reader."""

    tensor: Index
    written: Index
    depth: Rows
    row_bytes: RowBytes
    written_bytes: RowBytes
    column_bytes: Annotated[int, Field(ge=0, lt=2**31)]
    rows: Rows
    last_row: From0
    fill: Annotated[int, Field(ge=-(2**15), lt=2**15)] | None
    item_bytes: Annotated[int, Field(ge=1, le=8)]
    lazy: tuple[Rows, From0] | None
    offset: Offset


class Source(Shape):
    """An input of the segment: one of its rows every `period` ticks."""

    tensor: Index
    buffer: Index
    rows: Rows
    period: Rows
    first_tick: From0


class Stream(Shape):
    """The stream of a segment. `interpreters_bytes`: of the interpreters of all groups but one."""

    groups: Annotated[tuple[Group, ...], Field(min_length=1, max_length=MOST_OPS)]
    buffers: Annotated[tuple[LineBuffer, ...], Field(min_length=1, max_length=2 * MOST_OPS)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1, max_length=_MOST_ENDS)]
    interpreters_bytes: Count


class RolledPair(Shape):
    """Two ends of a segment that may share bytes: `read` begins `lead_bytes` or more above `made`,
    or they share nothing."""

    read: Index
    made: Index
    lead_bytes: Annotated[int, Field(ge=-(2**32), le=2**32)]
