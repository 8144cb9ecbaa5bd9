"""From groups to the stream: the depths of line buffers, lags, and times in whole ticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import floor, lcm

from splitopt.graph.model import ModelGraph
from splitopt.tiling.rows import rows_of
from splitopt.tiling.streams.grouping import Draft, Grouping, pad_amounts, readers_of
from splitopt.tiling.streams.rules import StreamRule
from splitopt.tiling.streams.stream import Group, LineBuffer, Made, Source, Stream, View

MOST_TICKS = 1 << 16


def stream_of(
    graph: ModelGraph, start: int, stop: int, rules: Sequence[StreamRule | str]
) -> Stream | str:
    """Ops [start, stop) as a stream; why they are none, as a sentence. `rules`: of all ops."""
    grouping = Grouping(graph, start)
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
        drafts = grouping.groups
        # Whoever reads what another group makes runs at the same time or later; see `Grouping`.
        order = sorted(range(len(drafts)), key=lambda k: (drafts[k].first, k))
        self._drafts = [drafts[k] for k in order]
        self._read = readers_of(self._drafts)
        self._numbers = {tensor: k for k, tensor in enumerate(self._read)}

    def stream(self) -> Stream | str:
        grouping, drafts = self._grouping, self._drafts
        times = [grouping.flows[t] for t in grouping.sources] + list(drafts)
        scale = lcm(*(x.denominator for time in times for x in (time.period, time.first)))
        zero = min(time.first for time in times)

        def ticks(time: Fraction) -> int:
            return int(time * scale)

        groups = tuple(
            Group(
                ops=tuple(draft.ops),
                views=tuple(self._views(draft)),
                outputs=tuple(self._made(draft)),
                rows=draft.rows,
                period=ticks(draft.period),
                first_tick=ticks(draft.first - zero),
            )
            for draft in drafts
        )
        sources = tuple(
            Source(
                tensor=flow.tensor,
                buffer=self._numbers[self._held_as(flow.tensor)],
                rows=flow.rows,
                period=ticks(flow.period),
                first_tick=ticks(flow.first - zero),
            )
            for flow in (grouping.flows[t] for t in grouping.sources)
        )
        buffers = tuple(self._buffer(tensor) for tensor in self._read)
        stream = Stream(grouping.start, grouping.stop, sources, groups, buffers)
        if stream.ticks > MOST_TICKS:
            return f"its rows come at rates that meet after {stream.ticks} ticks only"
        missing = next(
            (b for b in buffers if b.fill is None and self._looks_outside(b.tensor)), None
        )
        if missing is not None:
            return f"nothing says how to fill rows outside of tensor {missing.tensor}"
        return stream

    def _views(self, draft: Draft) -> Iterator[View]:
        for tensor, (rows, stride, above, repeat) in draft.reads.items():
            flow = self._grouping.flows[tensor]
            newer = floor((draft.first - flow.first) / flow.period) - (rows - 1 - above)
            assert newer >= 0, "a group runs when its rows are there"
            yield View(self._numbers[tensor], rows, stride, above, repeat, newer)

    def _made(self, draft: Draft) -> Iterator[Made]:
        outputs = self._grouping.outputs
        for op in draft.ops:
            [tensor] = self._graph.ops[op].outputs
            number = self._numbers.get(self._held_as(tensor))
            if number is not None or tensor in outputs:
                yield Made(tensor, number, tensor in outputs)

    def _held_as(self, tensor: int) -> int:
        """The tensor whose rows the line buffer holds: what the folded PAD makes."""
        if tensor not in self._grouping.folded:
            return tensor
        [pad] = self._graph.readers[tensor]
        return self._graph.ops[pad].outputs[0]

    def _buffer(self, tensor: int) -> LineBuffer:
        graph, grouping = self._graph, self._grouping
        flow = grouping.flows[tensor]
        written = flow.written
        views = list(self._views_of(tensor))
        depth = max(view.lag + view.rows for _, view in views)
        last = max(_last_row(draft, view) + view.lag for draft, view in views)
        column = 0
        if written != tensor:
            pad = graph.producer[tensor]
            pixel = _row_bytes(graph, tensor) // graph.tensors[tensor].shape[2]
            column = int(pad_amounts(graph, graph.ops[pad])[2, 0]) * pixel
        _, only = views[0]
        is_lazy = len(views) == 1 and only.lag == 0 and only.repeat == 1
        return LineBuffer(
            tensor=tensor,
            written=written,
            depth=depth,
            row_bytes=_row_bytes(graph, tensor),
            written_bytes=_row_bytes(graph, written),
            column_bytes=column,
            rows=flow.rows,
            last_row=last,
            fill=grouping.fills.get(tensor),
            item_bytes=graph.tensors[tensor].dtype.bits // 8,
            lazy=(only.stride, only.above) if is_lazy else None,
        )

    def _views_of(self, tensor: int) -> Iterator[tuple[Draft, View]]:
        for number in self._read[tensor]:
            draft = self._drafts[number]
            views = self._views(draft)
            yield draft, next(view for view in views if view.buffer == self._numbers[tensor])

    def _looks_outside(self, tensor: int) -> bool:
        rows = self._grouping.flows[tensor].rows
        return any(
            view.above > 0 or _last_row(draft, view) >= rows
            for draft, view in self._views_of(tensor)
        )


def _last_row(draft: Draft, view: View) -> int:
    return view.first_row(draft.rows - 1) + view.rows - 1


def _row_bytes(graph: ModelGraph, tensor: int) -> int:
    return graph.tensors[tensor].bytes // rows_of(graph.tensors[tensor])
