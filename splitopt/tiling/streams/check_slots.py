"""The slots of a line buffer while a stream is replayed: what each of them holds, and beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from splitopt.graph.model import ModelGraph
from splitopt.tiling.streams.check_ops import Content, Filled, PadRows, Row, Sides
from splitopt.tiling.streams.stream import Group, LineBuffer, Stream


def sides_of(graph: ModelGraph, buffer: LineBuffer) -> Sides:
    """Columns beside the rows of a tensor that is held as it is written, in whole ones."""
    if buffer.tensor != buffer.written:
        return Sides(0, 0, None)
    tensor = graph.tensors[buffer.tensor]
    column = tensor.bytes // (tensor.shape[1] * tensor.shape[2])
    behind = buffer.row_bytes - buffer.column_bytes - buffer.written_bytes
    return Sides(buffer.column_bytes // column, behind // column, buffer.fill)


def sides_of_views(graph: ModelGraph, stream: Stream, group: Group) -> Iterator[tuple[int, Sides]]:
    """By tensor that the group reads."""
    for view in group.views:
        buffer = stream.buffers[view.buffer]
        yield buffer.tensor, sides_of(graph, buffer)


@dataclass
class Slots:
    """What the slots of one buffer hold, rubbish before they are written. `rows`: in the columns
    that are written; `sides`: in those of padding, which only a fill writes. `pad`: how a PAD makes
    the buffer's tensor, where one does."""

    buffer: LineBuffer
    pad: PadRows | None
    rows: list[Content] = field(init=False)
    sides: list[Content] = field(init=False)
    _turns: int = 0

    def __post_init__(self) -> None:
        self.rows = [None] * self.buffer.depth
        self.sides = [None] * self.buffer.depth
        for slot in range(self.buffer.filled_rows):
            self.fill(slot)

    def make_room(self, first: int, count: int = 1) -> list[int | None]:
        """The slots of `count` rows that come together, once there is room for them; None for one
        that does not enter."""
        buffer, rows = self.buffer, self.rows
        if first > buffer.last_row:
            return [None] * count
        if buffer.lazy is None:
            rows[: buffer.depth - count] = rows[count:]
            return list(range(buffer.depth - count, buffer.depth))
        stride, above = buffer.lazy
        slots = [(row, row + above - stride * self._turns) for row in range(first, first + count)]
        is_inside = [row <= buffer.last_row and slot in range(buffer.depth) for row, slot in slots]
        return [
            slot if inside else None for (_, slot), inside in zip(slots, is_inside, strict=True)
        ]

    def drop(self, *, is_last: bool) -> None:
        """A reader ran. Behind its last turn, what it has read stays where it is."""
        self._turns += 1
        if self.buffer.lazy is not None and not is_last:
            stride, _ = self.buffer.lazy
            self.rows[: max(0, self.buffer.depth - stride)] = self.rows[stride:]

    def write(self, slot: int, content: Content) -> None:
        self.rows[slot] = content

    def write_last(self, made: Sequence[Content]) -> None:
        """An Invoke writes here, whether the rows enter or not."""
        self.rows[-len(made) :] = made

    def settle(self, slots: Sequence[int | None]) -> None:
        """What an Invoke has written last goes to these slots, one row after the other."""
        for back, slot in zip(range(-len(slots), 0), slots, strict=True):
            if slot is not None:
                self.rows[slot] = self.rows[back]

    def enter(self, slots: Sequence[int | None], made: Sequence[Content]) -> None:
        """Rows that were made elsewhere go to these slots."""
        for slot, content in zip(slots, made, strict=True):
            if slot is not None:
                self.rows[slot] = content

    def fill(self, slot: int) -> None:
        """All columns of the slot, if there is a fill."""
        if self.buffer.fill is not None:
            self.rows[slot] = self.sides[slot] = Filled(self.buffer.fill)

    def window(self, lag: int, rows: int) -> list[Content]:
        """What a view sees, as rows of the buffer's tensor."""
        first = self.buffer.depth - lag - rows
        return [self._seen(slot) for slot in range(first, first + rows)]

    def _seen(self, slot: int) -> Content:
        held, pad = self.rows[slot], self.pad
        if self.buffer.tensor == self.buffer.written:
            beside = held if isinstance(held, Filled) else Filled(self.buffer.fill or 0)
            return None if self.buffer.is_padded and self.sides[slot] != beside else held
        if pad is None:
            return held
        sides = held if isinstance(held, Filled) else _value(pad)
        if held is None or sides is None or (self.buffer.is_padded and self.sides[slot] != sides):
            return None
        return Row(self.buffer.tensor, held.row + pad.above) if isinstance(held, Row) else held


def _value(pad: PadRows) -> Filled | None:
    return Filled(pad.value) if pad.value is not None else None
