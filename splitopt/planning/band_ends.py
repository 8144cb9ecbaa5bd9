"""What rolled ends save of all band plans that stop behind one op, in closed form.

Bands of one height start at rows 0, middle, 2 * middle, ..., and the last one at the end of the
image. From one to the next, what is written and what is still read move on by as much each time, so
the lead of a pair is the largest of three differences (see `tiling.rolled.lead_bytes`): behind the
first band, and behind the last two but one. Where the first and the last band are shorter, they
are run last: then all that the others write lies above what the first one reads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.model import ModelGraph
from splitopt.tiling.all_starts import AllStarts
from splitopt.tiling.entries import Column
from splitopt.tiling.plan_entries import PlanEntries
from splitopt.tiling.rows import rows_of
from splitopt.tiling.schedule import row_bytes


def rolled_bytes(graph: ModelGraph, stop: int, segments: AllStarts, plans: PlanEntries) -> Column:
    """For each plan, the most that pairs of an input and an output save, each in one pair: exact
    where a segment has one of either, not too little elsewhere."""
    by_input = np.zeros(len(plans.tall), dtype=np.int64)
    by_output = [np.zeros_like(by_input) for _ in segments.outputs]
    starts = segments.entries["start"][plans.tall]
    for tensor, low, high in _free_inputs(graph, stop, starts):
        own = PlanEntries(*(column[low:high] for column in plans))
        saved = [_saved(graph, tensor, made, segments, own) for made in segments.outputs]
        by_input[low:high] += np.max([np.zeros_like(own.tall), *saved], axis=0)
        for most, found in zip(by_output, saved, strict=True):
            most[low:high] = np.maximum(most[low:high], found)
    least: Column = np.minimum(by_input, sum(by_output, np.zeros_like(by_input)))
    return least


def _free_inputs(graph: ModelGraph, stop: int, starts: Column) -> Iterator[tuple[int, int, int]]:
    """Tensors that nothing reads from `stop` on, and the range of plans that have them as inputs:
    those that start behind their maker and no later than their last reader."""
    first = int(starts.min(initial=stop))
    for tensor, readers in graph.readers.items():
        if first <= readers[-1] < stop and tensor not in graph.outputs:
            maker, rows = graph.producer.get(tensor, -1), rows_of(graph.tensors[tensor])
            low, high = np.searchsorted(starts, [maker + 1, readers[-1] + 1])
            if graph.tensors[tensor].is_activation and rows and low < high:
                yield tensor, int(low), int(high)


def _saved(
    graph: ModelGraph, read: int, made: int, segments: AllStarts, plans: PlanEntries
) -> Column:
    """How much less than both tensors the pair takes: nothing where no segment makes it."""
    lead = np.maximum(0, _lead(graph, read, made, segments, plans))
    lead = -(-lead // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
    sizes = (align_up(graph.tensors[t].bytes, ARENA_ALIGNMENT) for t in (read, made))
    read_bytes, made_bytes = sizes
    saved = read_bytes + made_bytes - np.maximum(lead + read_bytes, made_bytes)
    is_made = segments.makes(made)[plans.tall]
    found: Column = np.where(is_made, np.maximum(0, saved), 0)
    return found


def _lead(
    graph: ModelGraph, read: int, made: int, segments: AllStarts, plans: PlanEntries
) -> Column:
    """How far what is written reaches beyond what is still to be read, in bytes."""
    tall, low, bands, ends = plans
    entries = segments.entries
    image_rows = entries["image_rows"][tall]
    part = image_rows // rows_of(graph.tensors[read])
    last, middle = image_rows - entries["height"][low], segments.step(tall, tall)
    widths = row_bytes(graph, made), row_bytes(graph, read)

    def beyond(start: Column, following: Column) -> Column:
        written = segments.written(made, tall, start)
        reached: Column = written * widths[0] - following // part * widths[1]
        return reached

    lead = beyond((bands - 2) * middle, last)
    first = beyond(np.zeros_like(middle), middle)
    inner = np.maximum(first, beyond((bands - 3) * middle, (bands - 2) * middle))
    lead = np.where(bands > 2, np.maximum(lead, inner), lead)
    second = segments.step(low, tall)
    whole: Column = beyond(second + (bands - 3) * middle, np.zeros_like(middle))
    return np.where(ends == 2, whole, lead)
