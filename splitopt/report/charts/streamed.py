"""A stream over time, as its memory map shows it: which rows of its ends are still to be read or
already made, and how rows pass through line buffers. Times in ticks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from splitopt.bundle.schema.stream import Group, LineBuffer, Source, Stream

_MOST_COLUMNS = 16
_MOST_ROWS = 16


@dataclass(frozen=True)
class Held:
    """Rows [start, stop) of `rows` of a tensor at an end of the stage that count from one tick to
    another: still to be read (`reads`), or made."""

    tensor: int
    rows: int
    start: int
    stop: int
    first_tick: int
    last_tick: int
    reads: bool

    @property
    def says(self) -> str:
        what = "are still to be read" if self.reads else "are made by then"
        return (
            f"rows {self.start} to {self.stop - 1} of tensor {self.tensor} {what}, ticks "
            f"{self.first_tick} to {self.last_tick - 1}"
        )


@dataclass(frozen=True)
class Passing:
    """A row on its way through a line buffer: from each tick on it lies in a slot. It leaves, or
    the stage ends, at `last_tick`."""

    buffer: int
    places: tuple[tuple[int, int], ...]
    last_tick: int


class StreamTimes:
    """When the rows of a stream come and go."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    @cached_property
    def ticks(self) -> int:
        return 1 + max(g.first_tick + g.period * (g.turns - 1) for g in self.stream.groups)

    @property
    def invokes(self) -> int:
        return sum(group.turns for group in self.stream.groups)

    def held(self) -> Iterator[Held]:
        """In columns of some ticks each, from the left."""
        width = ceil(self.ticks / _MOST_COLUMNS)
        columns = [(k, min(k + width, self.ticks)) for k in range(0, self.ticks, width)]
        for first, last in columns:
            for source in self.stream.sources:
                read = _count(source, first)
                if read < source.rows:
                    yield Held(source.tensor, source.rows, read, source.rows, first, last, True)
            for group in self.stream.groups:
                made = _count(group, last)
                for output in group.outputs:
                    if output.is_output and made:
                        yield Held(output.tensor, group.rows, 0, made, first, last, False)

    def passing(self) -> Iterator[Passing]:
        """Some rows of every line buffer, evenly spread."""
        for number, buffer in enumerate(self.stream.buffers):
            stride = ceil(buffer.rows / _MOST_ROWS)
            for row in range(0, min(buffer.rows, buffer.last_row + 1), stride):
                yield self._passing(number, buffer, row)

    def _passing(self, number: int, buffer: LineBuffer, row: int) -> Passing:
        """Slot by slot: from each tick on."""
        places: list[tuple[int, int]] = []
        for tick, slot in self._moves(number, buffer, row):
            if slot < 0 or tick >= self.ticks:
                return Passing(number, tuple(places), min(tick, self.ticks))
            places.append((tick, slot))
        return Passing(number, tuple(places), self.ticks)

    def _moves(self, number: int, buffer: LineBuffer, row: int) -> Iterator[tuple[int, int]]:
        """(tick, slot) of a row that enters, and whenever it moves; below slot 0 it is dropped."""
        writer = self._writer(number)
        at_once = _at_once(writer)
        turn = row // at_once
        entered = writer.first_tick + writer.period * turn
        if buffer.lazy is None:
            for later in range(turn, buffer.last_row // at_once + 1):
                tick = writer.first_tick + writer.period * later
                yield tick, buffer.depth + row - at_once * (later + 1)
            return
        stride, above = buffer.lazy
        reader = next(g for g in self.stream.groups if any(v.buffer == number for v in g.inputs))
        done = _count(reader, entered + self._runs_first(reader, writer)) // _at_once(reader)
        yield entered, row + above - stride * done
        for later in range(done, reader.turns - 1):
            tick = reader.first_tick + reader.period * later
            yield tick + 1, row + above - stride * (later + 1)  # behind the reader's turn

    def _runs_first(self, reader: Group, writer: Source | Group) -> bool:
        """Whether the reader has its turn before the one that makes the row, in the same tick."""
        groups = self.stream.groups
        return writer in groups and groups.index(reader) < groups.index(writer)

    def _writer(self, number: int) -> Source | Group:
        for source in self.stream.sources:
            if source.buffer == number:
                return source
        groups = self.stream.groups
        return next(g for g in groups if any(made.buffer == number for made in g.outputs))


def _count(rows: Source | Group, tick: int) -> int:
    """How many rows there were before a tick."""
    turns = max(0, -((rows.first_tick - tick) // rows.period))
    return min(rows.rows, turns * _at_once(rows))


def _at_once(rows: Source | Group) -> int:
    return rows.rows_per_turn if isinstance(rows, Group) else 1
