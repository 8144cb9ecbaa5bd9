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
    """A row goes from one slot of a buffer to another; of a row just made, no more than what was
    written."""

    buffer: int
    to_slot: int
    from_slot: int


@dataclass(frozen=True, slots=True)
class Run:
    """A group is invoked for its turn `turn`."""

    group: int
    turn: int


@dataclass(frozen=True, slots=True)
class Keep:
    """A row of an output of the segment is copied from what group `group` made."""

    group: int
    output: int
    row: int


@dataclass(frozen=True, slots=True)
class EnterRow:
    """Row `row` of output `output` of group `group` is copied to a slot of its buffer."""

    group: int
    output: int
    row: int
    slot: int


Move = Take | FillRows | MoveRow | Run | Keep | EnterRow


def moves_of(stream: Stream) -> Iterator[Move]:
    """All steps of one run of the stream."""
    slots = [_Slots(k, buffer) for k, buffer in enumerate(stream.buffers)]
    for k, buffer in enumerate(stream.buffers):
        if buffer.filled_rows:
            yield FillRows(k, 0, buffer.filled_rows)
    for tick in range(stream.ticks):
        for k, source in enumerate(stream.sources):
            row = _turn_at(tick, source.first_tick, source.period)
            if row is not None:
                for _, slot in (yield from slots[source.buffer].enter(range(row, row + 1))):
                    yield (
                        Take(k, row, slot)
                        if row < source.rows
                        else FillRows(source.buffer, slot, 1)
                    )
        for k, group in enumerate(stream.groups):
            turn = _turn_at(tick, group.first_tick, group.period)
            if turn is not None:
                yield from _group_turn(stream, slots, k, turn)


def _group_turn(stream: Stream, slots: list[_Slots], number: int, turn: int) -> Iterator[Move]:
    group = stream.groups[number]
    rows = range(turn * group.rows_per_turn, (turn + 1) * group.rows_per_turn)
    entered: list[tuple[int, int, int, int]] = []
    for k, made in enumerate(group.outputs):
        if made.buffer is not None:
            for row, slot in (yield from slots[made.buffer].enter(rows)):
                entered.append((k, made.buffer, row, slot))
    if turn >= group.turns:
        for _, buffer, _, slot in entered:
            yield FillRows(buffer, slot, 1)
        return
    yield Run(number, turn)
    for k, made in enumerate(group.outputs):
        if made.is_output:
            yield from (Keep(number, k, row) for row in rows)
    for k, buffer, row, slot in entered:
        written = stream.buffers[buffer].depth - (rows.stop - row)
        if not group.writes_into(stream.buffers[buffer]):
            yield EnterRow(number, k, row, slot)
        elif slot != written:
            yield MoveRow(buffer, slot, written)
    for view in group.views:
        yield from slots[view.buffer].leave(is_last=turn + 1 == group.turns)


class _Slots:
    """One line buffer while the stream runs."""

    def __init__(self, number: int, buffer: LineBuffer) -> None:
        self._number, self._buffer = number, buffer
        self._turns = 0

    def enter(self, rows: range) -> Generator[Move, None, list[tuple[int, int]]]:
        """Makes room. Returns each row that is wanted, and the slot that it goes to."""
        buffer, number = self._buffer, self._number
        if rows.start > buffer.last_row:
            return []
        slots = range(buffer.depth - len(rows), buffer.depth)
        if buffer.lazy is None:
            for slot in range(len(rows), buffer.depth):
                yield MoveRow(number, slot - len(rows), slot)
        else:
            stride, above = buffer.lazy
            first = rows.start - (stride * self._turns - above)
            slots = range(first, first + len(rows))
        return [
            (row, slot)
            for row, slot in zip(rows, slots, strict=True)
            if 0 <= slot < buffer.depth and self._is_wanted(row)
        ]

    def leave(self, *, is_last: bool) -> Iterator[Move]:
        """A reader was invoked."""
        if self._buffer.lazy is None:
            return
        self._turns += 1
        stride, _ = self._buffer.lazy
        for slot in range(stride, 0 if is_last else self._buffer.depth):
            yield MoveRow(self._number, slot - stride, slot)

    def _is_wanted(self, row: int) -> bool:
        return row <= self._buffer.last_row and (
            row < self._buffer.rows or self._buffer.fill is not None
        )


def _turn_at(tick: int, first_tick: int, period: int) -> int | None:
    turn, rest = divmod(tick - first_tick, period)
    return turn if turn >= 0 and not rest else None
