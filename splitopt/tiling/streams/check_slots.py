"""The slots of a line buffer while a stream is replayed: what each of them holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from splitopt.tiling.streams.check_ops import Content, Filled, PadRows, Row
from splitopt.tiling.streams.stream import LineBuffer


@dataclass
class Slots:
    """What the slots of one buffer hold, rubbish before they are written. `rows`: in the columns
    that are written; `sides`: in those of a PAD, which only a fill writes. `pad`: how the buffer's
    tensor is made, where a PAD makes it. `windows_done`: how often its readers ran."""

    buffer: LineBuffer
    pad: PadRows | None
    rows: list[Content] = field(init=False)
    sides: list[Content] = field(init=False)
    windows_done: int = 0
    _dropped: int = 0

    def __post_init__(self) -> None:
        self.rows = [None] * self.buffer.depth
        self.sides = [None] * self.buffer.depth
        for slot in range(self.buffer.filled_rows):
            self.fill(slot)

    def make_room(self, row: int) -> int | None:
        """The slot of the row, once there is room for it; None where it does not enter."""
        buffer, rows = self.buffer, self.rows
        if row > buffer.last_row:
            return None
        if buffer.lazy is None:
            rows[:-1] = rows[1:]
            return buffer.depth - 1
        stride, above = buffer.lazy
        for _ in range(self._dropped, self.windows_done):
            rows[: max(0, buffer.depth - stride)] = rows[stride:]
        self._dropped = self.windows_done
        slot = row + above - stride * self._dropped
        return slot if slot in range(buffer.depth) else None

    def write(self, slot: int, content: Content) -> None:
        self.rows[slot] = content

    def write_last(self, content: Content) -> None:
        """An Invoke writes here, whether the row enters or not."""
        self.rows[-1] = content

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
        if self.buffer.tensor == self.buffer.written or pad is None:
            return held
        sides = held if isinstance(held, Filled) else _value(pad)
        if held is None or sides is None or (self.buffer.is_padded and self.sides[slot] != sides):
            return None
        return Row(self.buffer.tensor, held.row + pad.above) if isinstance(held, Row) else held


def _value(pad: PadRows) -> Filled | None:
    return Filled(pad.value) if pad.value is not None else None
