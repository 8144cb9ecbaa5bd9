"""The rows of every tensor of a segment at every height, and the bands that cover the image.

A band runs the segment on `height` neighbouring rows of its highest input. All heights are looked
at together, as numpy columns, and a segment grows op by op. The code cites these cases; the
example is a convolution of 3 x 3, padding SAME, stride 1, on an image of 10 rows.

1. A tensor that enters the segment has as many rows as the highest input or a whole fraction of
   them. A band has the same fraction: beside 10 rows, one of 5 rows allows even heights only.
2. Operands of one op must have the same scale (rows for each row of the highest input), and as many
   rows as one another at a height.
3. The first row of a band must be padded above as the first row of the image is, and a band must
   make as many rows fewer than the image as its own rows are fewer, times the scale. Then the first
   band is right down to `high`, and the last one from `low` on. Height 6 makes 6 rows.
4. In the middle of the image, rows [low, high) of a band are right: of 6 rows, [1, 5), as rows 0
   and 5 would read rows that are not in the band.
5. A band may start so far below the one above it that the right rows of both touch. By `step` rows
   of the highest input, its tensors move by step * scale, so low + step * scale <= high above:
   5 - 1 = 4.
6. Bands start at multiples of `alignment`, the least common denominator of all scales: every tensor
   then starts at a whole row.
7. To cover the image takes 1 + ceil((image_rows - height) / step) bands, the last one at the end of
   the image: height 6 takes 1 + ceil(4 / 4) = 2, at rows 0 and 4.
8. With two heights, the last band may be shorter: it starts at image_rows - its height, no further
   below the one above it than case 5 allows.
9. Or the first band and the last one are shorter, the first one at row 0.
10. An operand that is read whole for every row, such as a gate of channels, enters every band
   whole: its scale is 0. So no op makes rows of it, and a segment that makes it runs in no bands.

What a file may claim is bounded: images above MOST_ROWS run in no bands, of images above
MOST_HEIGHTS rows a part of the heights is looked at, and no plan has more than MOST_BANDS bands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

import numpy as np

from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.plan import Band, BandPlan
from splitopt.tiling.rows import Mask, RowRule, Rows, gates_read, images_read, rows_of

MOST_ROWS, MOST_HEIGHTS, MOST_BANDS = 16_384, 1_024, 1_024


@dataclass(frozen=True, slots=True)
class TensorRows:
    """A tensor's rows in a band of each height: how many, and [low, high) that are right in the
    middle of the image (case 4). `scale`: its rows for each row of the segment's highest input."""

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
        """How far a band may start below the one above it, by the indices of their heights."""
        outputs = [self.tensors[tensor] for tensor in self.outputs]
        steps = [
            (rows.high[above] - rows.low[below]) * rows.scale.denominator // rows.scale.numerator
            for rows in outputs
        ]  # case 5
        aligned: Rows = np.min(steps, axis=0) // self.alignment * self.alignment  # case 6
        return aligned

    def plan(self, count: int, tall: int, low: int, ends: int) -> BandPlan:
        """`count` bands of `tall` rows; `ends` of them have `low` rows: 0, the last, or the first
        and the last."""
        at = self.index(tall)
        middle, left = int(self.step(at, at)), self.image_rows - tall
        if not ends:  # case 7
            return self._plan([(min(k * middle, left), tall) for k in range(count)])
        last = self.image_rows - low, low
        if ends == 1:  # case 8
            return self._plan([*((k * middle, tall) for k in range(count - 1)), last])
        second = int(self.step(self.index(low), at))
        inner = ((second + k * middle, tall) for k in range(count - 2))
        return self._plan([(0, low), *inner, last])  # case 9

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
    if image_rows > MOST_ROWS:
        return
    heights = heights_tried(image_rows)
    current = SegmentRows(image_rows, heights, np.ones(len(heights), dtype=bool), 1, {}, ())
    for stop, rule in enumerate(rules, start=start + 1):
        extended = _extended(graph, current, graph.ops[stop - 1], rule)
        if extended is None:
            return
        current = replace(extended, outputs=_outputs(graph, extended, start, stop))
        yield stop, current


def heights_tried(image_rows: int) -> Rows:
    """Every height, or every second, fourth, ... that strides and fractions of a power of two
    divide as they divide the image."""
    step = 1
    while (image_rows - 1) // step > MOST_HEIGHTS:
        step *= 2
    heights: Rows = np.arange(image_rows - (image_rows - 1) // step * step, image_rows, step)
    return heights


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
    usable, alignment = current.usable.copy(), current.alignment
    read = images_read(graph, op)
    for tensor in gates_read(graph, op):  # case 10
        if tensors.setdefault(tensor, _whole(current.heights)).scale:
            return None
    for tensor in read:
        if tensor not in tensors:
            entering = _entering(current, rows_of(graph.tensors[tensor]))  # case 1
            if entering is None:
                return None
            tensors[tensor], possible = entering
            usable &= possible
            alignment = lcm(alignment, tensors[tensor].scale.denominator)  # case 6
    states = [tensors[tensor] for tensor in read]
    first = states[0]
    if not first.scale or any(state.scale != first.scale for state in states):  # cases 2, 10
        return None
    for state in states[1:]:
        usable &= state.rows == first.rows
    whole = rows_of(graph.tensors[read[0]])
    made, result = rule.count(first.rows), rows_of(graph.tensors[op.outputs[0]])
    low = np.max([state.low for state in states], axis=0)
    high = np.min([state.high for state in states], axis=0)
    scale = first.scale * rule.scale
    usable &= (made > 0) & rule.pads_alike(first.rows, whole)  # case 3
    usable &= (result - made) == (whole - first.rows) * rule.scale.numerator / (
        rule.scale.denominator
    )
    tensors[op.outputs[0]] = TensorRows(  # case 4
        rows=made,
        low=np.maximum(0, rule.low(low, first.rows)),
        high=np.minimum(made, rule.high(high, first.rows)),
        scale=scale,
    )
    if not usable.any():
        return None
    alignment = lcm(alignment, scale.denominator)
    return replace(current, usable=usable, alignment=alignment, tensors=tensors)


def _whole(heights: Rows) -> TensorRows:
    """A tensor of one row that enters every band."""
    one = np.ones_like(heights)
    return TensorRows(one, np.zeros_like(heights), one, Fraction(0))


def _entering(current: SegmentRows, rows: int) -> tuple[TensorRows, Mask] | None:
    """An input of the segment at each height, and the heights at which it has whole rows."""
    scale = Fraction(rows, current.image_rows)
    if scale.numerator != 1:
        return None
    band = current.heights // scale.denominator
    possible: Mask = current.heights % scale.denominator == 0
    return TensorRows(band, np.zeros_like(band), band, scale), possible
