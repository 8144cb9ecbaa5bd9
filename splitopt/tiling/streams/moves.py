"""The steps of a stream in order, as its timing says them (see `stream`)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from splitopt.tiling.streams.stream import LineBuffer, Stream


@dataclass(frozen=True, slots=True)
class Take:
    """Row `row` of a source goes to a slot of its buffer."""

    source: int
    row: int
    slot: int


@dataclass(frozen=True, slots=True)
class FillRows:
    """Slots [slot, slot + rows) of a buffer are filled, all of their columns."""

    buffer: int
    slot: int
    rows: int


@dataclass(frozen=True, slots=True)
class MoveRow:
    """A row goes from one slot of a buffer to another; of a group's row just made, no more than
    what was written."""

    buffer: int
    to_slot: int
    from_slot: int


@dataclass(frozen=True, slots=True)
class Run:
    """A group is invoked for its row `row`."""

    group: int
    row: int


@dataclass(frozen=True, slots=True)
class Keep:
    """A row of an output of the segment is copied from what group `group` made."""

    group: int
    output: int
    row: int


Move = Take | FillRows | MoveRow | Run | Keep


def moves_of(stream: Stream) -> Iterator[Move]:
    """All steps of one run of the stream."""
    slots = [_Slots(k, buffer) for k, buffer in enumerate(stream.buffers)]
    for k, buffer in enumerate(stream.buffers):
        if buffer.filled_rows:
            yield FillRows(k, 0, buffer.filled_rows)
    for tick in range(stream.ticks):
        for k, source in enumerate(stream.sources):
            row = _row_at(tick, source.first_tick, source.period)
            if row is not None:
                slot = yield from slots[source.buffer].enter(row)
                if slot is not None:
                    yield (
                        Take(k, row, slot)
                        if row < source.rows
                        else FillRows(source.buffer, slot, 1)
                    )
        for k, group in enumerate(stream.groups):
            row = _row_at(tick, group.first_tick, group.period)
            if row is not None:
                yield from _group_row(stream, slots, k, row)


def _group_row(stream: Stream, slots: list[_Slots], number: int, row: int) -> Iterator[Move]:
    group = stream.groups[number]
    is_real = row < group.rows
    entered: list[tuple[int, int]] = []
    for made in group.outputs:
        if made.buffer is not None:
            slot = yield from slots[made.buffer].enter(row)
            if slot is not None:
                entered.append((made.buffer, slot))
    if not is_real:
        for buffer, slot in entered:
            yield FillRows(buffer, slot, 1)
        return
    yield Run(number, row)
    for view in group.views:
        slots[view.buffer].windows_done += 1
    for buffer, slot in entered:
        if slot != (last := stream.buffers[buffer].depth - 1):
            yield MoveRow(buffer, slot, last)
    for k, made in enumerate(group.outputs):
        if made.is_output:
            yield Keep(number, k, row)


class _Slots:
    """One line buffer while the stream runs."""

    def __init__(self, number: int, buffer: LineBuffer) -> None:
        self._number, self._buffer = number, buffer
        self.windows_done = self._dropped = 0

    def enter(self, row: int) -> Generator[Move, None, int | None]:
        """Makes room. Returns the slot that the row goes to; None where it is not wanted."""
        buffer, number = self._buffer, self._number
        if row > buffer.last_row:
            return None
        is_wanted = row < buffer.rows or buffer.fill is not None
        if buffer.lazy is None:
            for slot in range(1, buffer.depth):
                yield MoveRow(number, slot - 1, slot)
            return buffer.depth - 1 if is_wanted else None
        stride, above = buffer.lazy
        while self._dropped < self.windows_done:
            for slot in range(stride, buffer.depth):
                yield MoveRow(number, slot - stride, slot)
            self._dropped += 1
        slot = row - (stride * self._dropped - above)
        return slot if 0 <= slot < buffer.depth and is_wanted else None


def _row_at(tick: int, first_tick: int, period: int) -> int | None:
    row, rest = divmod(tick - first_tick, period)
    return row if row >= 0 and not rest else None
