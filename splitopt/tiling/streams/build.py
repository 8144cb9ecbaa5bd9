"""From groups to the stream: the depths of line buffers, lags, and times in whole ticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from splitopt.graph.model import ModelGraph
from splitopt.tiling.schedule import row_bytes
from splitopt.tiling.streams.grouping import (
    SOURCE,
    Draft,
    Grouping,
    Window,
    pad_amounts,
    time_of_image,
)
from splitopt.tiling.streams.rules import StreamRule
from splitopt.tiling.streams.stream import Group, LineBuffer, Made, Source, Stream, View
from splitopt.tiling.streams.timing import Timing

MOST_TICKS = 1 << 16


def stream_of(
    graph: ModelGraph,
    start: int,
    stop: int,
    rules: Sequence[StreamRule | str],
    image_ticks: int | None = None,
) -> Stream | str:
    """Ops [start, stop) as a stream; why they are none, as a sentence. `rules`: of all ops.
    `image_ticks`: `time_of_image` of both, where it is known."""
    grouping = Grouping(graph, start, image_ticks or time_of_image(graph, rules))
    for op in range(start, stop):
        rule = rules[op]
        why = rule if isinstance(rule, str) else grouping.add(rule)
        if isinstance(why, str):
            return f"{graph.op_name(op)} {why}"
    if not grouping.is_closed:
        return "a PAD's rows are made by those who read it, and these are not all in the segment"
    return built(grouping)


def built(grouping: Grouping) -> Stream | str:
    """The stream of a grouping that is closed."""
    return _Builder(grouping).stream()


class _Builder:
    def __init__(self, grouping: Grouping) -> None:
        self._grouping, self._graph = grouping, grouping.graph
        self._outputs = grouping.live
        read = dict.fromkeys(tensor for draft in grouping.groups for tensor in draft.reads)
        makers = {tensor: self._maker(tensor) for tensor in read}
        sizes = {tensor: row_bytes(self._graph, tensor) for tensor in read}
        self._flows = [grouping.flows[tensor] for tensor in grouping.sources]
        self._timing = Timing(grouping.groups, self._flows, makers, sizes)
        self._order = self._timing.order()
        in_order = (t for number in self._order for t in grouping.groups[number].reads)
        self._numbers = {tensor: k for k, tensor in enumerate(dict.fromkeys(in_order))}

    def stream(self) -> Stream | str:
        grouping = self._grouping
        seen = {tensor: self._seen(tensor) for tensor in self._numbers}
        missing = next((t for t in seen if lacks_fill(grouping, t, seen[t])), None)
        if missing is not None:
            return f"nothing says how to fill rows outside of tensor {missing}"
        groups = tuple(self._group(number) for number in self._order)
        sources = tuple(self._source(number) for number in range(len(self._flows)))
        buffers = tuple(line_buffer(grouping, tensor, seen[tensor]) for tensor in seen)
        stream = Stream(grouping.start, grouping.stop, sources, groups, buffers)
        if stream.ticks > MOST_TICKS:
            return f"its rows come at rates that meet after {stream.ticks} ticks only"
        return stream

    def _maker(self, tensor: int) -> int:
        """The node of `Timing` that makes a tensor's rows: a group, or a source behind them."""
        flow = self._grouping.flows[tensor]
        if flow.group != SOURCE:
            return flow.group
        return len(self._grouping.groups) + self._grouping.sources.index(flow.written)

    def _group(self, number: int) -> Group:
        draft, turns = self._grouping.groups[number], self._timing.turns[number]
        lags = {e.tensor: self._timing.lag(e) for e in self._timing.edges if e.reader == number}
        views = (View(self._numbers[t], *window, lags[t]) for t, window in draft.reads.items())
        return Group(
            ops=tuple(draft.ops),
            views=tuple(views),
            outputs=tuple(self._made(draft)),
            rows=draft.rows,
            period=turns.period,
            first_tick=turns.first,
            rows_per_turn=draft.at_once,
            dropped=draft.dropped,
        )

    def _source(self, number: int) -> Source:
        flow = self._flows[number]
        turns = self._timing.turns[len(self._grouping.groups) + number]
        buffer = self._numbers[self._grouping.held_as(flow.tensor)]
        return Source(flow.tensor, buffer, flow.rows, turns.period, turns.first)

    def _made(self, draft: Draft) -> Iterator[Made]:
        for op in draft.ops:
            [tensor] = self._graph.ops[op].outputs
            number = self._numbers.get(self._grouping.held_as(tensor))
            if number is not None or tensor in self._outputs:
                yield Made(tensor, number, tensor in self._outputs)

    def _seen(self, tensor: int) -> list[Seen]:
        return [
            Seen(e.window, self._timing.lag(e), self._grouping.groups[e.reader].last_row(e.window))
            for e in self._timing.readers[tensor]
        ]


class Seen(NamedTuple):
    """What one group sees of a line buffer: its window, how many slots there are for newer rows,
    and the last row that it looks at."""

    window: Window
    lag: int
    last: int


def line_buffer(grouping: Grouping, tensor: int, seen: Sequence[Seen]) -> LineBuffer:
    """`seen`: by each group that reads the tensor."""
    graph, flow = grouping.graph, grouping.flows[tensor]
    window, only_lag, last_seen = seen[0]
    waits = only_lag > 0 and flow.is_single
    is_lazy = len(seen) == 1 and not waits and window.repeat == 1
    left, beside = _side_bytes(grouping, tensor)
    return LineBuffer(
        tensor=tensor,
        written=flow.written,
        depth=max(lag + window.rows for window, lag, _ in seen),
        row_bytes=row_bytes(graph, tensor) + beside,
        written_bytes=row_bytes(graph, flow.written),
        column_bytes=left,
        rows=flow.rows,
        last_row=last_seen if is_lazy else max(last + lag for _, lag, last in seen),
        fill=grouping.fills.get(tensor),
        item_bytes=graph.tensors[tensor].dtype.bits // 8,
        lazy=(window.stride, window.above) if is_lazy else None,
    )


def lacks_fill(grouping: Grouping, tensor: int, seen: Sequence[Seen]) -> bool:
    """Whether rows outside of the image are looked at, and nothing says what they hold."""
    rows = grouping.flows[tensor].rows
    is_left = any(window.above > 0 or last >= rows for window, _, last in seen)
    return is_left and tensor not in grouping.fills


def _side_bytes(grouping: Grouping, tensor: int) -> tuple[int, int]:
    """Of a row before what is written, and beside those that the tensor's own rows have."""
    graph, sides = grouping.graph, grouping.sides.get(tensor, (0, 0))
    left = sides[0]
    if grouping.flows[tensor].written != tensor:
        left = int(pad_amounts(graph, graph.ops[graph.producer[tensor]])[2, 0])
    column = row_bytes(graph, tensor) // graph.tensors[tensor].shape[2]
    return left * column, sum(sides) * column
