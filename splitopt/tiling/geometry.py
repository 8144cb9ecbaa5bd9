"""The rows of every tensor of a segment at every height, and the bands that cover the image.

All heights are looked at together; a segment grows op by op.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

import numpy as np

from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.plan import Band, BandPlan
from splitopt.tiling.rows import Mask, RowRule, Rows, rows_of

_NEVER = np.int64(2**40)


@dataclass(frozen=True, slots=True)
class TensorRows:
    """A tensor's rows in a band of each height: how many, and [low, high) that are right in the
    middle of the image. `scale`: its rows for each row of the segment's highest input."""

    rows: Rows
    low: Rows
    high: Rows
    scale: Fraction


@dataclass(frozen=True)
class SegmentRows:
    """One segment at heights `heights`, of which `usable` are possible.

    Bands start at multiples of `alignment`. `outputs`: what it makes for the outside.
    """

    image_rows: int
    heights: Rows
    usable: Mask
    alignment: int
    tensors: dict[int, TensorRows]
    outputs: tuple[int, ...]

    def index(self, height: int) -> int:
        return int(np.searchsorted(self.heights, height))

    def step(self, above: Rows | int, below: Rows | int) -> Rows:
        """How far a band may start behind the one above it, by the indices of their heights."""
        most = np.min(
            [
                (rows.high[above] - rows.low[below])
                * rows.scale.denominator
                // rows.scale.numerator
                for rows in (self.tensors[tensor] for tensor in self.outputs)
            ],
            axis=0,
        )
        aligned: Rows = most // self.alignment * self.alignment
        return aligned

    def one_height(self) -> Iterator[BandPlan]:
        """For each number of bands, those of the least height that are so few."""
        every = np.arange(len(self.heights))
        step = self.step(every, every)
        usable = self.usable & (step > 0)
        left = self.image_rows - self.heights
        counts = np.where(usable, 1 - (-left // np.maximum(step, 1)), _NEVER)
        fewer = counts < np.minimum.accumulate(np.concatenate([[_NEVER], counts[:-1]]))
        for k in np.flatnonzero(fewer & usable):
            starts = np.minimum(np.arange(counts[k]) * step[k], left[k])
            yield self._plan([(int(start), int(self.heights[k])) for start in starts])

    def two_heights(self, plan: BandPlan) -> Iterator[BandPlan]:
        """The same with a lower last band, and with lower bands at both ends: the lowest ones."""
        high = self.index(plan.heights[0])
        lower = np.flatnonzero(self.usable[:high])
        count, middle = len(plan.bands), int(self.step(high, high))
        tall, last = int(self.heights[high]), self.image_rows - self.heights[lower]
        before = self.step(high, lower)
        fits = lower[(last - (count - 2) * middle <= before)]
        if len(fits):
            low = int(self.heights[fits[0]])
            starts = [(k * middle, tall) for k in range(count - 1)]
            yield self._plan([*starts, (self.image_rows - low, low)])
        if count < 3:
            return
        first = self.step(lower, high)
        fits = lower[(first > 0) & (last - (first + (count - 3) * middle) <= before)]
        if len(fits):
            low, second = int(self.heights[fits[0]]), int(self.step(int(fits[0]), high))
            inner = [(second + k * middle, tall) for k in range(count - 2)]
            yield self._plan([(0, low), *inner, (self.image_rows - low, low)])

    def _plan(self, bands: Sequence[tuple[int, int]]) -> BandPlan:
        """The height of most bands is that of piece 0."""
        heights = sorted({rows for _, rows in bands}, reverse=True)
        return BandPlan(
            self.image_rows,
            tuple(Band(heights.index(rows), start, rows) for start, rows in bands),
        )


def banded_segments(
    graph: ModelGraph, start: int, known: Sequence[RowRule | None]
) -> Iterator[tuple[int, SegmentRows]]:
    """(stop, rows) of the segments from `start` on that can run in bands, as far as any can.

    `known`: the rule of each op, None for those that must stay outside of bands.
    """
    rules = list(_run_from(known, start))
    if not rules:
        return
    outside = _outside_inputs(graph, start, start + len(rules))
    image_rows = max(rows_of(graph.tensors[tensor]) for tensor in outside)
    heights = np.arange(1, image_rows)
    current = SegmentRows(image_rows, heights, np.ones(len(heights), dtype=bool), 1, {}, ())
    for stop, rule in enumerate(rules, start=start + 1):
        extended = _extended(graph, current, graph.ops[stop - 1], rule)
        if extended is None:
            return
        current = replace(extended, outputs=_outputs(graph, extended, start, stop))
        yield stop, current


def _run_from(known: Sequence[RowRule | None], start: int) -> Iterator[RowRule]:
    for rule in known[start:]:
        if rule is None:
            return
        yield rule


def _outside_inputs(graph: ModelGraph, start: int, stop: int) -> set[int]:
    return {
        tensor
        for op in graph.ops[start:stop]
        for tensor in op.given_inputs
        if graph.tensors[tensor].is_activation and graph.producer.get(tensor, -1) < start
    }


def _outputs(graph: ModelGraph, rows: SegmentRows, start: int, stop: int) -> tuple[int, ...]:
    made = (tensor for op in graph.ops[start:stop] for tensor in op.outputs)
    return tuple(
        tensor
        for tensor in made
        if tensor in graph.outputs or graph.readers.get(tensor, (start,))[-1] >= stop
    )


def _extended(graph: ModelGraph, current: SegmentRows, op: Op, rule: RowRule) -> SegmentRows | None:
    """The segment with one op more; None where no height is left."""
    tensors = dict(current.tensors)
    usable = current.usable.copy()
    read = [t for t in dict.fromkeys(op.given_inputs) if graph.tensors[t].is_activation]
    for tensor in read:
        if tensor not in tensors:
            entering = _entering(current, rows_of(graph.tensors[tensor]))
            if entering is None:
                return None
            tensors[tensor], possible = entering
            usable &= possible
    states = [tensors[tensor] for tensor in read]
    first = states[0]
    if any(state.scale != first.scale for state in states):
        return None
    for state in states[1:]:
        usable &= state.rows == first.rows
    whole = rows_of(graph.tensors[read[0]])
    made, result = rule.count(first.rows), rows_of(graph.tensors[op.outputs[0]])
    low = np.max([state.low for state in states], axis=0)
    high = np.min([state.high for state in states], axis=0)
    scale = first.scale * rule.scale
    usable &= (made > 0) & rule.pads_alike(first.rows, whole)
    usable &= (result - made) == (whole - first.rows) * rule.scale.numerator / (
        rule.scale.denominator
    )
    tensors[op.outputs[0]] = TensorRows(
        rows=made,
        low=np.maximum(0, rule.low(low, first.rows)),
        high=np.minimum(made, rule.high(high, first.rows)),
        scale=scale,
    )
    if not usable.any():
        return None
    alignment = lcm(current.alignment, scale.denominator)
    return replace(current, usable=usable, alignment=alignment, tensors=tensors)


def _entering(current: SegmentRows, rows: int) -> tuple[TensorRows, Mask] | None:
    """An input of the segment, of as many rows as the highest or a divisor of them."""
    scale = Fraction(rows, current.image_rows)
    if scale.numerator != 1:
        return None
    band = current.heights // scale.denominator
    possible: Mask = current.heights % scale.denominator == 0
    return TensorRows(band, np.zeros_like(band), band, scale), possible
