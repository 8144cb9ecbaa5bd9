"""What rolled ends save of all band plans that stop behind one op, in closed form.

Bands of one height start at rows 0, middle, 2 * middle, ..., and the last one at the end of the
image. From one to the next, what is written and what is still read move on by as much each time, so
the lead of a pair is the largest of three differences (see `tiling.rolled.lead_bytes`): behind the
first band, and behind the last two but one. Where the first and the last band are shorter, they
are run last: then all that the others write lies above what the first one reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.tiling.all_starts import AllStarts
from splitopt.tiling.entries import Column
from splitopt.tiling.plan_entries import PlanEntries
from splitopt.tiling.rows import rows_of
from splitopt.tiling.schedule import row_bytes


class Ends(NamedTuple):
    """Inputs of segments that nothing reads later, one for each of some plans: rows of the image,
    bytes of one, and of all, a multiple of 16."""

    plans: Column
    rows: Column
    row_bytes: Column
    bytes: Column


class Turns(NamedTuple):
    """By plan, three bands behind which the lead may be largest: where each starts, and where the
    first of those behind it does, in rows of the image."""

    starts: Column
    following: Column


class FreeInputs:
    """Tensors that segments may read and nothing behind them does, by their last readers."""

    def __init__(self, graph: ModelGraph) -> None:
        found = [
            (readers[-1], graph.producer.get(tensor, -1), tensor)
            for tensor, readers in graph.readers.items()
            if tensor not in graph.outputs and rows_of(graph.tensors[tensor])
            if graph.tensors[tensor].is_activation
        ]
        self._graph = graph
        columns = np.array(sorted(found), dtype=np.int64).reshape(-1, 3).T
        self._readers, self._makers, self._tensors = columns

    def layers(self, stop: int, starts: Column) -> Iterator[Ends]:
        """All that plans of these starts have, the fewest times that give each plan one of its
        inputs at a time."""
        graph, layers = self._graph, list[list[tuple[int, int, int]]]()
        for low, high, tensor in sorted(self._ranges(stop, starts)):
            layer = next((found for found in layers if found[-1][1] <= low), None)
            if layer is None:
                layers.append(layer := [])
            layer.append((low, high, tensor))
        for layer in layers:
            counts = [high - low for low, high, _ in layer]
            tensors = [tensor for _, _, tensor in layer]
            sizes = [align_up(graph.tensors[t].bytes, ARENA_ALIGNMENT) for t in tensors]
            yield Ends(
                plans=np.concatenate([np.arange(low, high) for low, high, _ in layer]),
                rows=np.repeat([rows_of(graph.tensors[t]) for t in tensors], counts),
                row_bytes=np.repeat([row_bytes(graph, t) for t in tensors], counts),
                bytes=np.repeat(sizes, counts),
            )

    def _ranges(self, stop: int, starts: Column) -> Iterator[tuple[int, int, int]]:
        """The range of plans that have each as an input: those that start behind its maker and no
        later than its last reader."""
        first = int(starts.min(initial=stop))
        near = slice(*np.searchsorted(self._readers, [first, stop]))
        low = np.searchsorted(starts, self._makers[near] + 1).tolist()
        high = np.searchsorted(starts, self._readers[near] + 1).tolist()
        every = zip(low, high, self._tensors[near].tolist(), strict=True)
        return ((least, most, tensor) for least, most, tensor in every if least < most)


def rolled_bytes(free: FreeInputs, stop: int, segments: AllStarts, plans: PlanEntries) -> Column:
    """For each plan, the most that pairs of an input and an output save, each in one pair: exact
    where a segment has one of either, not too little elsewhere."""
    by_input = np.zeros(len(plans.tall), dtype=np.int64)
    by_output = [np.zeros_like(by_input) for _ in segments.outputs]
    image_rows = segments.entries["image_rows"][plans.tall]
    turns = _turns(segments, plans, image_rows)
    written = [segments.written(made, plans.tall, turns.starts) for made in segments.outputs]
    is_made = [segments.makes(made)[plans.tall] for made in segments.outputs]
    for read in free.layers(stop, segments.entries["start"][plans.tall]):
        part: Column = np.floor_divide(image_rows[read.plans], read.rows)
        read_bytes = turns.following[:, read.plans] // part * read.row_bytes
        most = np.zeros_like(read.plans)
        for k, made in enumerate(segments.outputs):
            tensor = segments.graph.tensors[made]
            lead = written[k][:, read.plans] * row_bytes(segments.graph, made) - read_bytes
            saved = _saved(read, align_up(tensor.bytes, ARENA_ALIGNMENT), lead.max(axis=0))
            saved *= is_made[k][read.plans]
            np.maximum(most, saved, out=most)
            by_output[k][read.plans] = np.maximum(by_output[k][read.plans], saved)
        by_input[read.plans] += most
    least: Column = np.minimum(by_input, sum(by_output, np.zeros_like(by_input)))
    return least


def _turns(segments: AllStarts, plans: PlanEntries, image_rows: Column) -> Turns:
    """Behind the last band but one, the first one, and the one between; see the module."""
    tall, low, bands, ends, middle = plans
    last = image_rows - segments.entries["height"][low]
    starts = np.stack([(bands - 2) * middle, np.zeros_like(middle), (bands - 3) * middle])
    following = np.stack([last, middle, (bands - 2) * middle])
    few, both = bands <= 2, np.flatnonzero(ends == 2)
    starts[1:, few], following[1:, few] = starts[0, few], following[0, few]
    second = segments.step(low[both], tall[both])  # the short first band is run last
    starts[:, both], following[:, both] = second + (bands[both] - 3) * middle[both], 0
    return Turns(starts, following)


def _saved(read: Ends, made_bytes: int, lead: Column) -> Column:
    """How much less than both tensors the pair takes. `lead`: how far what is written reaches
    beyond what is still to be read, in bytes."""
    rounded = -(-lead // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
    apart = np.maximum(np.maximum(0, rounded) + read.bytes, made_bytes)
    saved: Column = np.maximum(0, read.bytes + made_bytes - apart)
    return saved
