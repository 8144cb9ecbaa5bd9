"""The streams from one op on, op by op, with exact figures.

With each op, only those groups and line buffers change that it joins, reads or begins; what the
others take is kept. Almost always everyone runs as early as it can, so that lags follow from the
groups alone. The code cites these cases:

1. A source that is ahead of all its readers comes later by just that: nobody is behind it.
2. A group that is ahead of all its readers may run later, and a reader may run before the maker of
   what it reads in the same tick: then the stream is built to know its timing (`streams.timing`).
3. So it is where a group makes several rows at once, from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.planning.group_terms import GroupTerm
from splitopt.planning.stream_copies import Copies, buffer_copies, made_copies, turns_insn
from splitopt.planning.stream_pricing import PricedGroup, StreamFigures, StreamPrice, StreamPricer
from splitopt.tiling.rolled import RolledPair, best_pairs, saved_bytes
from splitopt.tiling.rows import activations_read
from splitopt.tiling.schedule import row_bytes
from splitopt.tiling.streams.build import MOST_TICKS, Seen, built, lacks_fill, line_buffer
from splitopt.tiling.streams.ends import End, is_last_read_before, lead_of, stream_pairs
from splitopt.tiling.streams.group_graph import GroupKey
from splitopt.tiling.streams.grouping import SOURCE, Draft, Flow, Grouping, Window
from splitopt.tiling.streams.rules import StreamRule
from splitopt.tiling.streams.stream import LineBuffer, Made


@dataclass(frozen=True, slots=True)
class _Buffer:
    """`top_bytes`: up to where the buffer is read or written. `lag`: the least of its readers'.
    `late`: groups that look at older rows than what is made in the tick in which they run.
    `lacks_fill`: see `streams.build`."""

    line: LineBuffer
    size_bytes: int
    top_bytes: int
    copies: Copies
    lag: int
    late: tuple[int, ...]
    lacks_fill: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """`places`: tensor → the tensor whose line buffer it is pinned to. `slack`: rows by which the
    group is ahead of all its readers."""

    term: GroupTerm
    rows: int
    places: Mapping[int, int]
    copies: Copies
    slack: int

    def priced(self, numbers: Mapping[int, int]) -> PricedGroup:
        """`numbers`: of the line buffers, from the lowest on."""
        places = {tensor: numbers[buffer] for tensor, buffer in self.places.items()}
        return PricedGroup(self.term, self.rows, self.term.allocate_insn(places))


class GrowingStream:
    """The ops of `grouping`, to which ops are added one by one."""

    def __init__(self, pricer: StreamPricer, graph: ModelGraph, start: int, ticks: int) -> None:
        """`ticks`: of an image, see `time_of_image`."""
        self._pricer, self._graph = pricer, graph
        self.grouping = Grouping(graph, start, ticks)
        self._buffers: dict[int, _Buffer] = {}
        self._groups: dict[int, _Group] = {}
        self._changed_buffers: set[int] = set()
        self._changed_groups: set[int] = set()
        self._waiting: set[tuple[int, int]] = set()
        """What `_waits_anyhow` has found to be true: it stays so."""
        self._unusual: set[int] = set()
        """Line buffers that lack a fill, or have late readers."""
        self._makes_several = False
        self._ahead: set[int] = set()
        """Groups with slack."""
        self._stack: list[int] = []
        """Line buffers from the lowest on, and by these:"""
        self._priced: dict[int, PricedGroup] = {}

    def add(self, rule: StreamRule) -> str | None:
        """The next op in order, by its rule. Why the stream ends before it, if it does."""
        grouping = self.grouping
        op = self._graph.ops[grouping.stop]
        refusal = grouping.add(rule)
        if refusal is None:
            read = activations_read(self._graph, op)
            self._changed_buffers.update(read)
            self._changed_groups.update(grouping.flows[t].group for t in (*read, *op.outputs))
            self._makes_several |= not grouping.flows[op.outputs[0]].is_single
        return refusal

    def figures(self) -> StreamFigures | None:
        """Of all ops that were added; None where they are no stream."""
        if not self.grouping.is_closed:
            return None
        if self._makes_several:
            return self._of_built()
        self._renew()
        if any(self._buffers[tensor].lacks_fill for tensor in self._unusual):
            return None
        return self._of_built() if self._may_run_otherwise() else self._summed()

    def _renew(self) -> None:
        """What has changed since the last figures."""
        drafts = self.grouping.groups
        for tensor in self._changed_buffers:
            readers = [k for k, draft in enumerate(drafts) if tensor in draft.reads]
            if readers:
                self._buffers[tensor] = buffer = self._buffer(tensor, readers)
                _put(self._unusual, tensor, buffer.lacks_fill or bool(buffer.late))
        for number in self._changed_groups - {SOURCE}:
            self._groups[number] = group = self._group(drafts[number])
            _put(self._ahead, number, group.slack > 0)
            self._priced.pop(number, None)
        self._changed_buffers.clear()
        self._changed_groups.clear()

    def _buffer(self, tensor: int, readers: Sequence[int]) -> _Buffer:
        grouping = self.grouping
        flow, drafts = grouping.flows[tensor], [grouping.groups[k] for k in readers]
        windows = [draft.reads[tensor] for draft in drafts]
        lags = [_lag(flow, draft, window) for draft, window in zip(drafts, windows, strict=True)]
        least, is_source = min(lags), flow.group == SOURCE
        if is_source:
            lags = [lag - least for lag in lags]  # case 1
        seen = list(map(Seen, windows, lags, map(Draft.last_row, drafts, windows)))
        line = line_buffer(grouping, tensor, seen)
        late = (
            reader
            for reader, draft, lag in zip(readers, drafts, lags, strict=True)
            if lag > 0 and (draft.first - flow.first) % flow.period == 0
        )
        return _Buffer(
            line=line,
            size_bytes=align_up(line.bytes, ARENA_ALIGNMENT),
            top_bytes=_top_bytes(line, seen, is_source=is_source),
            copies=buffer_copies(line, drafts[0].rows, is_source=is_source),
            lag=least,
            late=() if is_source else tuple(late),
            lacks_fill=lacks_fill(grouping, tensor, seen),
        )

    def _group(self, draft: Draft) -> _Group:
        makes = list(self._made(draft))
        term = self._pricer.terms(
            GroupKey(
                ops=tuple(draft.ops),
                reads=tuple((tensor, window.rows) for tensor, window in draft.reads.items()),
                outputs=tuple((made.tensor, made.buffer is not None) for made in makes),
            )
        )
        places = {tensor: tensor for tensor in draft.reads}
        places.update((made.tensor, made.buffer) for made in makes if made.buffer is not None)
        lags = (self._buffers[made.buffer].lag for made in makes if made.buffer is not None)
        return _Group(
            term=term,
            rows=draft.rows,
            places=places,
            copies=made_copies(self._graph, draft.rows, makes),
            slack=min(lags, default=0),
        )

    def _made(self, draft: Draft) -> Iterator[Made]:
        """A line buffer is named by its tensor here."""
        for op in draft.ops:
            [tensor] = self._graph.ops[op].outputs
            held, is_output = self.grouping.held_as(tensor), tensor in self.grouping.live
            if held in self._buffers or is_output:
                yield Made(tensor, held if held in self._buffers else None, is_output)

    def _may_run_otherwise(self) -> bool:
        """Case 2."""
        return bool(self._ahead) or not all(
            self._waits_anyhow(reader, tensor)
            for tensor in self._unusual
            for reader in self._buffers[tensor].late
        )

    def _waits_anyhow(self, reader: int, tensor: int) -> bool:
        """Whether a group runs behind the maker of a tensor for the sake of another one, too."""
        if (reader, tensor) in self._waiting:
            return True
        drafts, flows = self.grouping.groups, self.grouping.flows
        maker, seen = flows[tensor].group, {SOURCE}
        left = [flows[t].group for t in drafts[reader].reads if t != tensor]
        while left:
            group = left.pop()
            if group == maker:
                self._waiting.add((reader, tensor))
                return True
            if group not in seen:
                seen.add(group)
                left.extend(flows[t].group for t in drafts[group].reads)
        return False

    def _summed(self) -> StreamFigures | None:
        """None where its rows come at rates that meet too late."""
        drafts = self.grouping.groups
        last = max([draft.first + draft.period * (draft.turns - 1) for draft in drafts])
        if last >= MOST_TICKS and self._ticks(last) > MOST_TICKS:
            return None
        groups = self._in_order()
        low = max([group.term.low_bytes for group in groups])
        turns = [(draft.first, draft.period) for draft in drafts]
        copies = self._copies(turns_insn(turns, last))
        ends = self.grouping.start, self.grouping.stop
        price = self._pricer.price(groups, self._head_bytes(low), copies, *ends)
        return self._figures(price, copies, list(self._pairs()))

    def _ticks(self, last: int) -> int:
        """Of the whole stream, in the longest that all turns are multiples of."""
        nodes = [(draft.first, draft.period) for draft in self.grouping.groups]
        nodes += [(end.first, end.period) for _, end, _ in self._sources()]
        earliest = min(first for first, _ in nodes)
        tick = gcd(*(t for first, period in nodes for t in (first - earliest, period)))
        return 1 + (last - earliest) // tick

    def _in_order(self) -> list[PricedGroup]:
        """As they run in a tick, and read line buffers."""
        drafts = self.grouping.groups
        order = sorted(self._groups, key=lambda number: (drafts[number].first, number))
        stack = list(dict.fromkeys([t for number in order for t in drafts[number].reads]))
        if stack[: len(self._stack)] != self._stack:
            self._priced.clear()
        self._stack = stack
        missing = [number for number in order if number not in self._priced]
        if missing:
            numbers = {tensor: k for k, tensor in enumerate(stack)}
            for number in missing:
                self._priced[number] = self._groups[number].priced(numbers)
        return [self._priced[number] for number in order]

    def _head_bytes(self, low: int) -> int:
        """Of the line buffers, one above the other."""
        head = at = low
        for tensor in self._stack:
            buffer = self._buffers[tensor]
            head = max(head, at + buffer.top_bytes)
            at += buffer.size_bytes
        return head

    def _copies(self, loop_insn: int) -> Copies:
        parts = [group.copies for group in self._groups.values()]
        parts += [buffer.copies for buffer in self._buffers.values()]
        return Copies(
            crossing_bytes=sum([part.crossing_bytes for part in parts]),
            insn=loop_insn + sum([part.insn for part in parts]),
        )

    def _sources(self) -> Iterator[tuple[int, End, LineBuffer]]:
        for tensor in self.grouping.sources:
            flow, buffer = self.grouping.flows[tensor], self._buffers[self.grouping.held_as(tensor)]
            first = flow.first + buffer.lag * flow.period
            end = End(flow.rows, row_bytes(self._graph, tensor), first, flow.period)
            yield tensor, end, buffer.line

    def _pairs(self) -> Iterator[RolledPair]:
        """As `stream_pairs` has them."""
        grouping = self.grouping
        for source, read, buffer in self._sources():
            if is_last_read_before(self._graph, source, grouping.stop):
                for made in grouping.live:
                    draft = grouping.groups[grouping.flows[made].group]
                    size = row_bytes(self._graph, made)
                    written = End(draft.rows, size, draft.first, draft.period)
                    yield RolledPair(source, made, lead_of(read, buffer, written))

    def _of_built(self) -> StreamFigures | None:
        stream = built(self.grouping)
        if isinstance(stream, str):
            return None
        price, copies = self._pricer.priced(stream)
        return self._figures(price, copies, list(stream_pairs(self._graph, stream)))

    def _figures(
        self, price: StreamPrice, copies: Copies, pairs: Sequence[RolledPair]
    ) -> StreamFigures:
        graph = self._graph
        saved = _saved_bytes(graph, pairs)
        inside = [pair for pair in pairs if pair.read not in graph.inputs]
        return StreamFigures(
            start=self.grouping.start,
            stop=self.grouping.stop,
            arena_bytes=price.granted_bytes,
            saved=saved,
            saved_inside=saved if len(inside) == len(pairs) else _saved_bytes(graph, inside),
            added_insn=price.added_insn + price.rebuild_insn,
            rebuild_insn=price.rebuild_insn,
            image_bytes=price.image_bytes,
            copied=copies.crossing_bytes,
            resident=price.resident,
        )


def _put(numbers: set[int], number: int, belongs: bool) -> None:
    """Into the set or out of it."""
    (numbers.add if belongs else numbers.discard)(number)


def _saved_bytes(graph: ModelGraph, pairs: Sequence[RolledPair]) -> int:
    return sum([saved_bytes(graph, pair) for pair in best_pairs(graph, pairs)])


def _lag(flow: Flow, draft: Draft, window: Window) -> int:
    """Rows that are there beyond those that a group looks at, while all run as early as they
    can."""
    return (draft.first - flow.first) // flow.period - (window.rows - 1 - window.above)


def _top_bytes(line: LineBuffer, seen: Sequence[Seen], *, is_source: bool) -> int:
    """Of the places that TFLM is given, each a multiple of 16 in size; rows of a source are
    copied."""
    tops = [
        (line.depth - lag - window.rows) * line.row_bytes
        + align_up(window.rows * line.row_bytes, ARENA_ALIGNMENT)
        for window, lag, _ in seen
    ]
    if not is_source:
        newest = (line.depth - 1) * line.row_bytes + line.column_bytes
        tops.append(newest + align_up(line.written_bytes, ARENA_ALIGNMENT))
    return max(tops)
