"""A stream run in the host's TFLM, a row at a time, as `moves_of` says it.

Every group has an interpreter and an arena of its own, so line buffers are arrays out here: what
they hold is copied in and out around each Invoke. They begin full of rubbish. All samples are at
the same step at the same time, each in line buffers of its own: models are stateless.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.runtime.host_checks import check_input
from splitopt.runtime.worker_process import Array
from splitopt.tiling.streams.moves import (
    EnterRow,
    FillRows,
    Keep,
    MoveRow,
    Run,
    Take,
    moves_of,
)
from splitopt.tiling.streams.stream import LineBuffer, Stream

NewEnd = Callable[[int, tuple[int, ...], np.dtype[Any]], Array]
"""A place for an output of the segment: of its tensor, shape and type, [samples, *shape]."""


def run_stream(
    stream: Stream, groups: Sequence[Any], feeds: Sequence[Array], new_end: NewEnd
) -> list[Array]:
    """What the segment makes, whole, in the order of `stream.outputs`.

    `groups`: an interpreter each. `feeds`: [samples, 1, rows, columns, channels] for each source,
    of which each row is read when the stream takes it.
    Raises ToolError for files and feeds of other shapes than the stream's.
    """
    running = _Running(stream, groups, feeds, new_end)
    for move in moves_of(stream):
        match move:
            case Take(source, row, slot):
                running.take(source, row, slot)
            case FillRows(buffer, slot, rows):
                running.fill(buffer, slot, rows)
            case MoveRow(buffer, to_slot, from_slot):
                running.move(buffer, to_slot, from_slot)
            case Run(group, _):
                running.invoke(group)
            case Keep(group, output, row):
                running.keep(group, output, row)
            case EnterRow(group, output, row, slot):
                running.enter(group, output, row, slot)
    return [running.kept[tensor] for tensor in stream.outputs]


class _Running:
    """Line buffers while the stream runs, and what its groups made last.

    `_lines`: of each buffer [samples, slots, columns, channels], of the type that its readers take;
    `_rows`: what is written of the same memory, [samples, slots, bytes]. `_made`: by group and
    output, [samples, 1, rows, columns, channels].
    """

    def __init__(
        self, stream: Stream, groups: Sequence[Any], feeds: Sequence[Array], new_end: NewEnd
    ) -> None:
        self._new_end = new_end
        self._stream, self._groups, self._samples = stream, groups, len(feeds[0])
        self._lines = self._rubbish()
        self._rows = [
            _written(lines, buffer)
            for lines, buffer in zip(self._lines, stream.buffers, strict=True)
        ]
        self._windows = [self._windows_of(k) for k in range(len(groups))]
        self._sources = [
            _source_rows(k, feed, source.rows, stream.buffers[source.buffer])
            for k, (source, feed) in enumerate(zip(stream.sources, feeds, strict=True))
        ]
        self._made: dict[int, list[Array]] = {}
        self.kept: dict[int, Array] = {}

    def take(self, source: int, row: int, slot: int) -> None:
        self._rows[self._stream.sources[source].buffer][:, slot] = self._sources[source][:, row]

    def fill(self, buffer: int, slot: int, rows: int) -> None:
        self._lines[buffer][:, slot : slot + rows] = self._stream.buffers[buffer].fill

    def move(self, buffer: int, to_slot: int, from_slot: int) -> None:
        self._rows[buffer][:, to_slot] = self._rows[buffer][:, from_slot]

    def invoke(self, number: int) -> None:
        """On each sample's windows; the new rows, and wrong ones above them, go to the last slots
        of their buffers, if they are made there."""
        group, interpreter = self._stream.groups[number], self._groups[number]
        made_by: list[list[Array]] = [[] for _ in group.outputs]
        for sample in range(self._samples):
            for position, window in enumerate(self._windows[number]):
                interpreter.set_input(window[sample], position)
            interpreter.invoke()
            for position, found in enumerate(made_by):
                found.append(interpreter.get_output(position))
        self._made[number] = [np.stack(found) for found in made_by]
        for made, rows in zip(group.outputs, self._made[number], strict=True):
            if made.buffer is not None and group.writes_into(self._stream.buffers[made.buffer]):
                written = self._row_bytes(number, made.buffer, rows)
                self._rows[made.buffer][:, -group.made_rows :] = written

    def keep(self, group: int, output: int, row: int) -> None:
        own, rows = self._stream.groups[group], self._made[group][output]
        tensor = own.outputs[output].tensor
        if tensor not in self.kept:
            shape = 1, own.rows, *rows.shape[3:]
            self.kept[tensor] = self._new_end(tensor, shape, rows.dtype)
        self.kept[tensor][:, :, row] = rows[:, :, own.dropped + row % own.rows_per_turn]

    def enter(self, group: int, output: int, row: int, slot: int) -> None:
        own = self._stream.groups[group]
        buffer = own.outputs[output].buffer
        assert buffer is not None, "its rows enter one"
        rows = self._row_bytes(group, buffer, self._made[group][output])
        self._rows[buffer][:, slot] = rows[:, own.dropped + row % own.rows_per_turn]

    def _rubbish(self) -> list[Array]:
        rng = np.random.default_rng(0)
        found = []
        for buffer, detail in zip(self._stream.buffers, self._readers(), strict=True):
            dtype, row = np.dtype(detail["dtype"]), tuple(int(n) for n in detail["shape"][2:])
            if int(np.prod(row)) * dtype.itemsize != buffer.row_bytes:
                raise ToolError(f"it reads rows of {dtype}{list(row)}, want {buffer.row_bytes} B")
            count = self._samples, buffer.depth, buffer.row_bytes
            data = rng.integers(0, 256, count, np.uint8)
            found.append(data.view(dtype).reshape(self._samples, buffer.depth, *row))
        return found

    def _readers(self) -> list[dict[str, Any]]:
        """Of each line buffer, how the first group that reads it sees what it reads."""
        found: dict[int, dict[str, Any]] = {}
        for interpreter, group in zip(self._groups, self._stream.groups, strict=True):
            for position, view in enumerate(group.views):
                found.setdefault(view.buffer, interpreter.get_input_details(position))
        return [found[k] for k in range(len(self._stream.buffers))]

    def _windows_of(self, number: int) -> list[Array]:
        """What a group reads of each sample, by input: [samples, 1, rows, columns, channels]."""
        found = []
        for position, view in enumerate(self._stream.groups[number].views):
            first = self._stream.buffers[view.buffer].depth - view.lag - view.rows
            window = self._lines[view.buffer][:, np.newaxis, first : first + view.rows]
            check_input(position, window, self._groups[number].get_input_details(position))
            found.append(window)
        return found

    def _row_bytes(self, group: int, buffer: int, rows: Array) -> Array:
        """[samples, rows, bytes]"""
        count = self._stream.groups[group].made_rows
        want = self._stream.buffers[buffer].written_bytes * count
        if rows[0].nbytes != want:
            raise ToolError(f"group {group} makes {rows[0].nbytes} B at a time, want {want}")
        return rows.reshape(self._samples, count, -1).view(np.uint8)


def _written(lines: Array, buffer: LineBuffer) -> Array:
    """Of a buffer's memory, the columns that are written: [samples, slots, bytes]."""
    samples, slots = lines.shape[:2]
    rows = lines.view(np.uint8).reshape(samples, slots, buffer.row_bytes)
    return rows[:, :, buffer.column_bytes : buffer.column_bytes + buffer.written_bytes]


def _source_rows(number: int, feed: Array, rows: int, buffer: LineBuffer) -> Array:
    """[samples, rows, bytes]"""
    if feed.ndim < 3 or feed[0].nbytes != rows * buffer.written_bytes:
        raise ToolError(
            f"input {number}: got samples of {feed.dtype}{list(feed.shape[1:])}, "
            f"want {rows} rows of {buffer.written_bytes} B"
        )
    return feed.reshape(len(feed), rows, -1).view(np.uint8)
