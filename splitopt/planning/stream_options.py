"""Every segment that can be a stream: figures of all at once, one in detail when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from splitopt.arena.rules import TargetRules
from splitopt.cost.costs import Costs
from splitopt.graph.model import ModelGraph
from splitopt.planning.growing_stream import GrowingStream, StreamFigures
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.stream_pricing import StreamPricer, WholeInsn
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.shortest_paths import Column
from splitopt.tiling.rolled import RolledPair, best_pairs
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.ends import stream_pairs
from splitopt.tiling.streams.grouping import time_of_image
from splitopt.tiling.streams.rules import StreamRule, stream_rule
from splitopt.tiling.streams.stream import Stream

MOST_GROUPS = 20
"""Of one stream: that is the longest in any model at hand, and keeps what is looked at linear in
the ops of a model."""


class StreamColumns(NamedTuple):
    """`StreamFigures`, one entry for each segment that can be a stream."""

    starts: Column
    stops: Column
    arena: Column
    saved: Column
    saved_inside: Column
    cost: Column
    copied: Column


class StreamTable:
    """The streams of one model for one target.

    `most_bytes`: a stream whose arena takes more is left out, with all longer ones from its start:
    leaving the model whole is better. `has_longer`: some of more than MOST_GROUPS groups were left
    out. Behind the deadline no more of them are found: `unreached` counts the segments that were
    not looked at.
    """

    def __init__(
        self,
        graph: ModelGraph,
        rules: TargetRules,
        costs: Costs,
        whole_insn: WholeInsn,
        *,
        headroom_bytes: int,
        zero_arena: bool,
        most_bytes: int,
        deadline: Deadline,
    ) -> None:
        self._graph = graph
        self._most_bytes, self._deadline = most_bytes, deadline
        self._pricer = StreamPricer(
            graph,
            rules,
            costs,
            whole_insn,
            headroom_bytes=headroom_bytes,
            zero_arena=zero_arena,
        )
        self.unreached = 0
        self.has_longer = False
        self._rows: dict[int, list[StreamFigures]] = {}
        """Op → all streams from it on, where time was enough for them."""

    def go_on(self, deadline: Deadline) -> None:
        """From now on, what was not reached before is looked at, too."""
        self._deadline = deadline
        if not self.is_complete:
            self.unreached = 0
            self.__dict__.pop("columns", None)

    @property
    def is_complete(self) -> bool:
        return not self.unreached

    @cached_property
    def rules(self) -> tuple[StreamRule | str, ...]:
        """By op: how it runs in a stream, or why it cannot."""
        return tuple(stream_rule(self._graph, op) for op in self._graph.ops)

    @cached_property
    def _image_ticks(self) -> int:
        return time_of_image(self._graph, self.rules)

    @cached_property
    def columns(self) -> StreamColumns:
        """The figures of all streams, an entry for each."""
        rows = [row for start in range(len(self._graph.ops)) for row in self._rows_from(start)]
        table = np.array(rows, dtype=np.int64).reshape(-1, len(StreamFigures._fields))
        return StreamColumns(*table.T)

    def stream(self, start: int, stop: int) -> Stream | str:
        """The segment as a stream; why it is none."""
        return stream_of(self._graph, start, stop, self.rules)

    def figures(self, stream: Stream) -> SegmentFigures:
        """The exact figures of a stream as a segment's only piece."""
        return self._pricer.figures(stream)

    def rolled(self, stream: Stream, *, by_rows: bool = False) -> tuple[RolledPair, ...]:
        """The ends that share bytes. `by_rows`: the model's inputs are not there."""
        pairs = stream_pairs(self._graph, stream)
        given = self._graph.inputs if by_rows else ()
        return best_pairs(self._graph, [pair for pair in pairs if pair.read not in given])

    def _rows_from(self, start: int) -> list[StreamFigures]:
        if start in self._rows:
            return self._rows[start]
        missed = self.unreached
        rows = list(self._from(start))
        if self.unreached == missed:
            self._rows[start] = rows
        return rows

    def _from(self, start: int) -> Iterator[StreamFigures]:
        """All streams from one op on."""
        growing = GrowingStream(self._pricer, self._graph, start, self._image_ticks)
        for stop in range(start + 1, len(self._graph.ops) + 1):
            rule = self.rules[stop - 1]
            if isinstance(rule, str) or growing.add(rule) is not None:
                return
            if len(growing.grouping.groups) > MOST_GROUPS:
                self.has_longer = True
                return
            if self._deadline.is_over:
                self.unreached += len(self._graph.ops) + 1 - stop
                return
            figures = growing.figures()
            if figures is None:
                continue
            if figures.arena > self._most_bytes:
                return
            yield figures
