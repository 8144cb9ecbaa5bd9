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


def rolled_bytes(graph: ModelGraph, stop: int, segments: AllStarts, plans: PlanEntries) -> Column:
    """For each plan, the most that pairs of an input and an output save, each in one pair: exact
    where a segment has one of either, not too little elsewhere."""
    by_input = np.zeros(len(plans.tall), dtype=np.int64)
    by_output = [np.zeros_like(by_input) for _ in segments.outputs]
    starts = segments.entries["start"][plans.tall]
    for read in _free_inputs(graph, stop, starts):
        own = plans.where(read.plans)
        saved = [_saved(graph, read, made, segments, own) for made in segments.outputs]
        by_input[read.plans] += np.max([np.zeros_like(own.tall), *saved], axis=0)
        for most, found in zip(by_output, saved, strict=True):
            most[read.plans] = np.maximum(most[read.plans], found)
    least: Column = np.minimum(by_input, sum(by_output, np.zeros_like(by_input)))
    return least


def _free_inputs(graph: ModelGraph, stop: int, starts: Column) -> Iterator[Ends]:
    """All of them, the fewest times that give each plan one of its inputs at a time."""
    layers: list[list[tuple[int, int, int]]] = []
    for low, high, tensor in sorted(_ranges(graph, stop, starts)):
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


def _ranges(graph: ModelGraph, stop: int, starts: Column) -> Iterator[tuple[int, int, int]]:
    """Tensors that nothing reads from `stop` on, behind the range of plans that have them as
    inputs: those that start behind their maker and no later than their last reader."""
    first = int(starts.min(initial=stop))
    for tensor, readers in graph.readers.items():
        if first <= readers[-1] < stop and tensor not in graph.outputs:
            maker, rows = graph.producer.get(tensor, -1), rows_of(graph.tensors[tensor])
            low, high = np.searchsorted(starts, [maker + 1, readers[-1] + 1])
            if graph.tensors[tensor].is_activation and rows and low < high:
                yield int(low), int(high), tensor


def _saved(
    graph: ModelGraph, read: Ends, made: int, segments: AllStarts, plans: PlanEntries
) -> Column:
    """How much less than both tensors the pair takes: nothing where no segment makes it."""
    lead = -(-_lead(graph, read, made, segments, plans) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
    made_bytes = align_up(graph.tensors[made].bytes, ARENA_ALIGNMENT)
    apart = np.maximum(np.maximum(0, lead) + read.bytes, made_bytes)
    saved = read.bytes + made_bytes - apart
    is_made = segments.makes(made)[plans.tall]
    found: Column = np.where(is_made, np.maximum(0, saved), 0)
    return found


def _lead(
    graph: ModelGraph, read: Ends, made: int, segments: AllStarts, plans: PlanEntries
) -> Column:
    """How far what is written reaches beyond what is still to be read, in bytes."""
    tall, low, bands, ends = plans
    entries = segments.entries
    image_rows = entries["image_rows"][tall]
    part: Column = np.floor_divide(image_rows, read.rows)
    last, middle = image_rows - entries["height"][low], segments.step(tall, tall)

    made_bytes = row_bytes(graph, made)

    def beyond(start: Column, following: Column) -> Column:
        written = segments.written(made, tall, start)
        reached: Column = written * made_bytes - following // part * read.row_bytes
        return reached

    lead = beyond((bands - 2) * middle, last)
    first = beyond(np.zeros_like(middle), middle)
    inner = np.maximum(first, beyond((bands - 3) * middle, (bands - 2) * middle))
    lead = np.where(bands > 2, np.maximum(lead, inner), lead)
    second = segments.step(low, tall)
    whole: Column = beyond(second + (bands - 3) * middle, np.zeros_like(middle))
    return np.where(ends == 2, whole, lead)
