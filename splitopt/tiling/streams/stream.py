"""A stream: the groups, line buffers and timing by which a segment runs a few rows at a time.

A group is one .tflite that makes `rows_per_turn` rows of its outputs per Invoke: one, as many as a
TRANSPOSE_CONV makes of each row it reads, or as many as pay where rows are narrow. It reads windows
of line buffers, which hold the newest rows of a tensor; slot 0 holds the oldest one. What happens
when follows from the timing alone (`moves` says it in steps, the runner loops over it):

1. At the start every buffer with a fill is filled: `filled_rows` slots from slot 0 on.
2. Ticks count 0, 1, 2, ... until every group has made its rows. At each tick first the sources,
   then the groups, each in its order, look whether it is their turn: their turn number is
   t = (tick - first_tick) / period, where that is a whole number and not negative. A source's turn
   has row t, a group's the r = `rows_per_turn` rows from t * r on.
3. The rows of a turn enter their buffer if the first of them is <= `last_row`; no window looks at
   later ones. A buffer that is not `lazy` first makes room: its rows move down by as many slots as
   rows enter, which go to the last slots. In a lazy buffer row n goes to slot
   n - (stride * turns of its reader - above), and where that is none, or n > `last_row`, nobody
   looks at the row.
4. A source's row n < `rows` is copied to its slot, at `column_bytes`. A group's turn below `turns`
   is an Invoke: it writes its rows into the last slots of its buffers (there is room before), in
   order, behind `dropped` rows that are wrong; from there each row is copied to the segment's
   outputs, then, from the first on, to its slot where that is another one. Several rows for a
   buffer with columns beside its rows do not lie there together: they are made elsewhere in the
   arena, and all of them are copied to their slots. If the group has more turns, the lazy buffers
   that it reads then drop `stride` rows: the others move down.
5. Rows n >= `rows` lie below the image: the slot is filled, if there is a fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

Fill = int | None


@dataclass(frozen=True, slots=True)
class View:
    """Rows of a line buffer that a group looks at: in its turn t, `rows` ones from
    stride * t // repeat - above on. `lag`: how many slots it has for newer ones."""

    buffer: int
    rows: int
    stride: int = 1
    above: int = 0
    repeat: int = 1
    lag: int = 0

    def first_row(self, turn: int) -> int:
        return self.stride * turn // self.repeat - self.above


@dataclass(frozen=True, slots=True)
class LineBuffer:
    """The newest `depth` rows of a tensor, as the groups read it: `row_bytes` each.

    `written`: the tensor whose rows are written, of `written_bytes`, from `column_bytes` on: where
    a PAD is folded in, that is what the PAD reads, else it is `tensor` itself. The columns beside
    are those of the PAD, or of the padding of a reader that makes several rows at once. `fill`: the
    value of what lies outside the image; None where nothing looks at it. `rows`: of the image.
    `last_row`: the last one that is ever let in. `lazy`: (stride, above) of the one reader, which
    looks at the first slots whenever it runs, at all of them if rows come one at a time; None for
    any other.
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
    """A tensor that a group makes. `buffer`: the line buffer that its rows are written into, if
    groups read it; `is_output`: they are copied to an output of the segment."""

    tensor: int
    buffer: int | None
    is_output: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Ops that make rows of `outputs`; at most the first has a window of rows.

    `rows`: of the image, a multiple of `rows_per_turn`. `dropped`: rows that each Invoke makes
    above the right ones; they are wrong.
    """

    ops: tuple[int, ...]
    views: tuple[View, ...]
    outputs: tuple[Made, ...]
    rows: int
    period: int
    first_tick: int
    rows_per_turn: int = 1
    dropped: int = 0

    @property
    def turns(self) -> int:
        """How often it is invoked."""
        return self.rows // self.rows_per_turn

    @property
    def made_rows(self) -> int:
        """Of its tensors, right or wrong."""
        return self.dropped + self.rows_per_turn

    def writes_into(self, buffer: LineBuffer) -> bool:
        """Whether its rows for this buffer are made there, and not copied to it one by one."""
        return self.made_rows == 1 or not buffer.is_padded


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
        return 1 + max(group.first_tick + group.period * (group.turns - 1) for group in self.groups)

    @property
    def invokes(self) -> int:
        return sum(group.turns for group in self.groups)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The segment's outputs, in the order of the groups that make them."""
        return tuple(m.tensor for group in self.groups for m in group.outputs if m.is_output)
