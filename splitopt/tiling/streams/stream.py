"""A stream: the groups, line buffers and timing by which a segment runs one row at a time.

A group is one .tflite that makes one row of its outputs per Invoke. It reads windows of line
buffers, which hold the newest rows of a tensor; slot 0 holds the oldest one. What happens when
follows from the timing alone (`moves` says it in steps, the runner loops over it):

1. At the start every buffer with a fill is filled: `filled_rows` slots from slot 0 on.
2. Ticks count 0, 1, 2, ... until every group has made its rows. At each tick first the sources,
   then the groups, each in its order, look whether it is their turn: they are at their row number
   n = (tick - first_tick) / period, where that is a whole number and not negative.
3. A row n enters its buffer if n <= `last_row`; no window looks at later ones. First room is made:
   a buffer that is `lazy` drops the rows that its reader is done with, any other one moves its
   rows down by one slot, so that the last slot is free. The slot of row n is the last one, or in a
   lazy buffer n - (stride * windows dropped - above); outside of it, nobody looks at the row.
4. A source's row n < `rows` is copied to its slot, at `column_bytes`. A group with n < `rows` is
   invoked: it writes its row into the last slot of its buffers (room was made before), the row is
   copied to its slot where that is another one, and to the segment's outputs.
5. Rows n >= `rows` lie below the image: the slot is filled, if there is a fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

Fill = int | None


@dataclass(frozen=True, slots=True)
class View:
    """Rows of a line buffer that a group looks at: for its row j, `rows` ones from
    stride * j // repeat - above on. `lag`: how many newer rows the buffer holds by then."""

    buffer: int
    rows: int
    stride: int = 1
    above: int = 0
    repeat: int = 1
    lag: int = 0

    def first_row(self, row: int) -> int:
        return self.stride * row // self.repeat - self.above


@dataclass(frozen=True, slots=True)
class LineBuffer:
    """The newest `depth` rows of a tensor, as the groups read it: `row_bytes` each.

    `written`: the tensor whose rows are written, of `written_bytes`, from `column_bytes` on: where
    a PAD is folded in, that is what the PAD reads, else it is `tensor` itself. `fill`: the value of
    what lies outside the image; None where nothing looks at it. `rows`: of the image. `last_row`:
    the last one that is ever let in. `lazy`: (stride, above) of the one reader, which looks at all
    slots whenever it runs; None for any other buffer.
    """

    tensor: int
    written: int
    depth: int
    row_bytes: int
    written_bytes: int
    column_bytes: int
    rows: int
    last_row: int
    fill: Fill
    item_bytes: int = 1
    lazy: tuple[int, int] | None = None

    @property
    def bytes(self) -> int:
        return self.depth * self.row_bytes

    @property
    def is_padded(self) -> bool:
        """Whether its rows have columns that are never written but by a fill."""
        return self.row_bytes != self.written_bytes

    @property
    def filled_rows(self) -> int:
        """Slots that are filled at the start."""
        if self.fill is None:
            return 0
        return self.lazy[1] if self.lazy is not None and not self.is_padded else self.depth


@dataclass(frozen=True, slots=True)
class Source:
    """An input of the segment: its rows enter its buffer, one every `period` ticks."""

    tensor: int
    buffer: int
    rows: int
    period: int
    first_tick: int


@dataclass(frozen=True, slots=True)
class Made:
    """A tensor that a group makes row by row. `buffer`: the line buffer that it is written into,
    if groups read it; `is_output`: its rows are copied to an output of the segment."""

    tensor: int
    buffer: int | None
    is_output: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Ops that make one row of `outputs` per Invoke; at most the first has a window of rows."""

    ops: tuple[int, ...]
    views: tuple[View, ...]
    outputs: tuple[Made, ...]
    rows: int
    period: int
    first_tick: int


@dataclass(frozen=True)
class Stream:
    """Ops [start, stop) as a stream; groups stand in the order in which they run in a tick."""

    start: int
    stop: int
    sources: tuple[Source, ...]
    groups: tuple[Group, ...]
    buffers: tuple[LineBuffer, ...]

    @cached_property
    def ticks(self) -> int:
        """How many ticks it takes until every group has made its rows."""
        return 1 + max(group.first_tick + group.period * (group.rows - 1) for group in self.groups)

    @property
    def invokes(self) -> int:
        return sum(group.rows for group in self.groups)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The segment's outputs, in the order of the groups that make them."""
        return tuple(m.tensor for group in self.groups for m in group.outputs if m.is_output)
