"""Says whether a stream makes every row of the unsplit model, and in its arena; knows no planner.

The timing is replayed with a loop of its own. Every slot of every line buffer is followed by what
it holds: a row of the unsplit model's tensor, a fill, or rubbish. At each Invoke every op of the
group has to find just the rows that the unsplit model reads for that row, and fills of its own
value outside of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from splitopt.graph.model import ModelGraph
from splitopt.tiling.check_rolled import Touch, check_rolled
from splitopt.tiling.rolled import RolledPair
from splitopt.tiling.streams.check_arena import Placed, check_arena
from splitopt.tiling.streams.check_ops import (
    Content,
    Filled,
    InvalidStream,
    PadRows,
    Reading,
    Row,
    pad_rows,
    readings,
)
from splitopt.tiling.streams.check_slots import Slots, sides_of_views
from splitopt.tiling.streams.check_structure import check_group, check_structure
from splitopt.tiling.streams.stream import Stream


def check_stream(
    graph: ModelGraph,
    placed: Placed,
    rolled: Sequence[RolledPair] = (),
    granted_bytes: int | None = None,
) -> None:
    """Raises InvalidStream unless the stream makes all that it has to, right and intact, and
    InvalidRolledEnds unless its ends may share bytes as `rolled` says. `granted_bytes`: of the
    arena that the groups get; None: what they ask for."""
    stream = placed.stream
    touches = check_rows(graph, stream, [group.graph for group in placed.groups])
    check_arena(placed, granted_bytes)
    check_rolled(graph, stream.start, stream.stop, touches, rolled)


def check_rows(graph: ModelGraph, stream: Stream, groups: Sequence[ModelGraph]) -> list[Touch]:
    """What the stream reads and writes at its ends, in order. `groups`: their graphs. Raises
    InvalidStream unless every output row is made once, and right."""
    check_structure(graph, stream)
    if len(groups) != len(stream.groups):
        raise InvalidStream(f"{len(groups)} graphs for {len(stream.groups)} groups")
    for group, own in zip(stream.groups, groups, strict=True):
        check_group(graph, stream, group, own)
    replay = _Replay(graph, stream, groups)
    replay.run()
    return replay.touches


class _Replay:
    def __init__(self, graph: ModelGraph, stream: Stream, groups: Sequence[ModelGraph]) -> None:
        self._graph, self._stream = graph, stream
        self._pad, self._row, self._inside = cache(self._pad_rows), cache(Row), cache(self._content)
        self._slots = [Slots(b, self._pad(b.tensor)) for b in stream.buffers]
        self._readings: list[list[tuple[int, list[Reading]]]] = [
            [
                (op, list(readings(graph, graph.ops[op], own, own.ops[k], sides)))
                for k, op in enumerate(group.ops)
            ]
            for group, own in zip(stream.groups, groups, strict=True)
            for sides in [dict(sides_of_views(graph, stream, group))]
        ]
        self._done = {
            made.tensor: [0] * graph.tensors[made.tensor].shape[1]
            for group in stream.groups
            for made in group.outputs
            if made.is_output
        }
        self.touches: list[Touch] = []

    def run(self) -> None:
        stream = self._stream
        ends = (g.first_tick + g.period * (g.rows // g.rows_per_turn - 1) for g in stream.groups)
        for tick in range(max(ends) + 1):
            for number, source in enumerate(stream.sources):
                row, rest = divmod(tick - source.first_tick, source.period)
                if row >= 0 and not rest:
                    self._take(number, row)
            for number, group in enumerate(stream.groups):
                turn, rest = divmod(tick - group.first_tick, group.period)
                if turn >= 0 and not rest:
                    self._turn(number, turn)
        for tensor, counts in self._done.items():
            if wrong := [row for row, count in enumerate(counts) if count != 1]:
                raise InvalidStream(f"tensor {tensor}: rows {wrong} are not written just once")

    def _take(self, number: int, row: int) -> None:
        source = self._stream.sources[number]
        slots = self._slots[source.buffer]
        [slot] = slots.make_room(row)
        if slot is None:
            return
        if row < source.rows:
            slots.write(slot, Row(source.tensor, row))
            self.touches.append(Touch(source.tensor, row, 1, is_write=False))
        else:
            slots.fill(slot)

    def _turn(self, number: int, turn: int) -> None:
        group = self._stream.groups[number]
        first, count = turn * group.rows_per_turn, group.rows_per_turn
        all_slots = [self._slots[end.buffer] for end in group.outputs if end.buffer is not None]
        rooms = [(slots, slots.make_room(first, count)) for slots in all_slots]
        if first >= group.rows:
            for slots, room in rooms:
                for slot in room:
                    if slot is not None:
                        slots.fill(slot)
            return
        made = self._invoke(number, turn)
        for slots, room in rooms:
            rows = made[slots.buffer.written]
            if len(rows) > 1 and slots.buffer.row_bytes != slots.buffer.written_bytes:
                slots.enter(room, rows[group.dropped :])  # rows do not lie there together
                continue
            slots.write_last(rows)
            slots.settle(room)
        for view in group.views:
            self._slots[view.buffer].drop(is_last=first + count >= group.rows)
        for end in (end.tensor for end in group.outputs if end.is_output):
            for row, held in enumerate(made[end][group.dropped :], start=first):
                if held != Row(end, row):
                    raise InvalidStream(f"tensor {end}: {_said(held)} is kept as row {row}")
                self._done[end][row] += 1
            self.touches.append(Touch(end, first, count, is_write=True))

    def _invoke(self, number: int, turn: int) -> dict[int, list[Content]]:
        """What the rows of each tensor that the group makes hold."""
        group = self._stream.groups[number]
        known: dict[int, list[Content]] = {}
        firsts: dict[int, int] = {}
        for view in group.views:
            tensor = self._stream.buffers[view.buffer].tensor
            known[tensor] = self._slots[view.buffer].window(view.lag, view.rows)
            # Rows of a line buffer count without those that a PAD puts above.
            firsts[tensor] = view.first_row(turn) + self._above(tensor)
        rows = range(turn * group.rows_per_turn, (turn + 1) * group.rows_per_turn)
        for op, reads in self._readings[number]:
            [output] = self._graph.ops[op].outputs
            made: list[Content] = [None] * group.dropped
            for k, row in enumerate(rows, start=group.dropped):
                for reading in reads:
                    if wrong := self._wrong(reading, row, k, known, firsts):
                        name = self._graph.op_name(op)
                        raise InvalidStream(f"group {number}, row {row}: {name} {wrong}")
                made.append(self._row(output, row + self._above(output)))
            known[output] = made
        return known

    def _wrong(
        self,
        reading: Reading,
        row: int,
        k: int,
        known: Mapping[int, Sequence[Content]],
        firsts: Mapping[int, int],
    ) -> str:
        """What is wrong with what an op reads for a row of the image, which is number k of those
        that the group makes at once; nothing if it is right."""
        if row >= len(reading.bases) or k >= len(reading.taps):
            return "has no such row"
        tensor, base = reading.tensor, reading.bases[row]
        if tensor not in known:
            return f"reads tensor {tensor}, which it does not have"
        held, rows = known[tensor], self._graph.tensors[tensor].shape[1]
        for at, step in reading.taps[k]:
            is_inside = 0 <= base + step < rows
            if not 0 <= at < len(held):
                if is_inside:
                    return f"does not see row {base + step} of {tensor}"
                continue  # the kernel leaves the tap out, as in the unsplit model
            if not is_inside and reading.outside is None:
                return f"counts row {base + step} of {tensor}, outside of it"
            want = self._inside(tensor, base + step) if is_inside else Filled(reading.outside or 0)
            if held[at] is not want and held[at] != want:
                return f"reads {_said(held[at])}, not {_said(want)}"
            if tensor in firsts and firsts[tensor] + at != base + step:
                return f"reads row {base + step}, its view says another one"
        return ""

    def _content(self, tensor: int, row: int) -> Content:
        pad = self._pad(tensor)
        if pad is None or pad.value is None or pad.holds(row):
            return self._row(tensor, row)
        return Filled(pad.value)

    def _pad_rows(self, tensor: int) -> PadRows | None:
        """Only of a PAD in the segment: what another one made comes whole, with its padding."""
        inside = range(self._stream.start, self._stream.stop)
        is_own = self._graph.producer.get(tensor, -1) in inside
        return pad_rows(self._graph, tensor) if is_own else None

    def _above(self, tensor: int) -> int:
        pad = self._pad(tensor)
        return pad.above if pad is not None else 0


def _said(content: Content) -> str:
    return "rubbish" if content is None else str(content)
