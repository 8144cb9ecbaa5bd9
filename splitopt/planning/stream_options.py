"""Every segment that can be a stream: figures of all at once, one in detail when asked for.

There may be several streams of a segment, one for each level of `rows_per_turn`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np

from splitopt.cost.streaming import moved_insn
from splitopt.planning.alike_ops import AlikeOps
from splitopt.planning.growing_stream import GrowingStream
from splitopt.planning.rows_per_turn import Rules, levels
from splitopt.planning.segment import SegmentFigures
from splitopt.planning.segment_bounds import between
from splitopt.planning.stream_bounds import StreamBounds
from splitopt.planning.stream_pricing import StreamFigures, StreamPricer, WholeInsn
from splitopt.solvers.partition.shortest_paths import Column, Matrix
from splitopt.tiling.rolled import RolledPair, best_pairs
from splitopt.tiling.streams.build import stream_of
from splitopt.tiling.streams.ends import stream_pairs
from splitopt.tiling.streams.grouping import time_of_image
from splitopt.tiling.streams.rules import stream_rule
from splitopt.tiling.streams.stream import Stream

MOST_GROUPS = 20
"""Of one stream: that is the longest in any model at hand, and keeps what is looked at linear in
the ops of a model."""


class StreamColumns(NamedTuple):
    """One entry for each segment that may be a stream: at least the bytes that are granted to its
    arena, the instructions that are added but for those of building it, these, the bytes of its
    image, the same where it may be restored, and the bytes that are copied across its ends."""

    starts: Column
    stops: Column
    arena: Column
    cost: Column
    rebuild: Column
    image: Column
    restorable: Column
    copied: Column


class StreamTable:
    """The streams of one model for one target.

    `most_bytes`: a stream whose arena takes more is left out: leaving the model whole is better.
    `has_longer`: some of more than MOST_GROUPS groups were left out.
    """

    def __init__(
        self,
        ops: AlikeOps,
        whole_insn: WholeInsn,
        *,
        headroom_bytes: int,
        zero_arena: bool,
        most_bytes: int,
    ) -> None:
        self._graph, self._most_bytes, self._whole_insn = ops.graph, most_bytes, whole_insn
        self._ops, self._granted = ops, (headroom_bytes, zero_arena)
        self._pricer = StreamPricer(ops, whole_insn, *self._granted)
        self.has_longer = False
        self._take(tuple(stream_rule(ops.graph, op) for op in ops.graph.ops))

    def _take(self, rules: Rules) -> None:
        self.rules = rules
        """By op: how it runs in a stream, or why it cannot."""
        self._image_ticks = time_of_image(self._graph, rules)
        self._bounds = StreamBounds(self._ops, rules, *self._granted)
        self._growing: dict[int, Iterator[StreamFigures]] = {}
        self._known: dict[int, dict[int, StreamFigures]] = {}
        """Start → stop → figures, of all streams up to the longest that was asked for."""

    @cached_property
    def levels(self) -> tuple[StreamTable, ...]:
        """This table, of one row at a time where that is enough, then those whose streams have
        groups that make several."""
        return self, *map(self.at, levels(self._ops, self.rules))

    def at(self, rules: Rules) -> StreamTable:
        """The table of streams by other rules."""
        other = copy(self)
        other._take(rules)
        return other

    def columns(self, copied: Matrix, beyond: Rules | None = None) -> StreamColumns:
        """`copied`: bytes that cross the ends of each segment, all rows of them. `beyond`: only
        segments that have other streams by these rules."""
        bounds = self._bounds
        fits = bounds.may_be_streams & (bounds.arena <= self._most_bytes)
        if beyond is not None:
            differs = [one != other for one, other in zip(self.rules, beyond, strict=True)]
            fits &= between(np.array([0, *differs])) > 0
        is_short = bounds.groups <= MOST_GROUPS
        self.has_longer |= bool((fits & ~is_short).any())
        at = starts, stops = np.nonzero(fits & is_short)
        crossing = np.maximum(0, copied[at] - bounds.unwanted_bytes)
        whole = [self._whole_insn(*ends) for ends in zip(*map(np.ndarray.tolist, at), strict=True)]
        cost = bounds.insn[at] + moved_insn(crossing) - np.array(whole, dtype=np.int64)
        image, is_whole = bounds.image[at], (starts == 0) & (stops == len(self.rules))
        building = bounds.rebuild[at], image, np.where(is_whole, 0, image)
        return StreamColumns(starts, stops, bounds.arena[at], cost, *building, crossing)

    def quick_figures(self, start: int, stop: int) -> StreamFigures | None:
        """The exact figures of a segment as a stream, without its plan; None where it is none."""
        known = self._known.setdefault(start, {})
        if stop > max(known, default=0):
            for figures in self._growing.setdefault(start, self._from(start)):
                known[figures.stop] = figures
                if figures.stop >= stop:
                    break
        return known.get(stop)

    def stream(self, start: int, stop: int) -> Stream | str:
        """The segment as a stream; why it is none."""
        return stream_of(self._graph, start, stop, self.rules, self._image_ticks)

    def figures(self, stream: Stream) -> SegmentFigures:
        """The exact figures of a stream as a segment's only piece."""
        return self._pricer.figures(stream)

    def resident(self, piece: SegmentFigures) -> SegmentFigures:
        """A stream's piece with persistent data in an arena of their own, which stays for good."""
        return self._pricer.resident(piece)

    def rolled(self, stream: Stream, *, by_rows: bool = False) -> tuple[RolledPair, ...]:
        """The ends that share bytes. `by_rows`: the model's inputs are not there."""
        pairs = stream_pairs(self._graph, stream)
        given = self._graph.inputs if by_rows else ()
        return best_pairs(self._graph, [pair for pair in pairs if pair.read not in given])

    def _from(self, start: int) -> Iterator[StreamFigures]:
        """All streams from one op on."""
        growing = GrowingStream(self._pricer, self._graph, start, self._image_ticks)
        for rule in self.rules[start:]:
            if isinstance(rule, str) or growing.add(rule) is not None:
                return
            if len(growing.grouping.groups) > MOST_GROUPS:
                self.has_longer = True
                return
            figures = growing.figures()
            if figures is not None:
                yield figures
