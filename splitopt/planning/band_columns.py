"""Every band plan of a model, as columns, with bounds of what it takes that need no replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from splitopt.graph.model import ModelGraph
from splitopt.planning.band_ends import FreeInputs, rolled_bytes
from splitopt.planning.band_sums import BandSums
from splitopt.planning.banded_ops import BandedOps
from splitopt.tiling.all_starts import AllStarts
from splitopt.tiling.entries import Column, Mask
from splitopt.tiling.plan_entries import plan_entries
from splitopt.tiling.rows import RowRule


class BandColumns(NamedTuple):
    """One figure for each plan, by segment, then by variant: 1, 2, ... of each segment.

    `counts` bands: `ends` of them (see PlanEntries) are `low` rows high, the others `tall` ones;
    with one height, both are the same. `peak_load`: the highest peak load of its pieces in bytes,
    exact. `rolled`: bytes that rolled ends save at most. `requests`: the smallest number of scratch
    requests of a piece. `insn`: estimated, of the ops in all executions. `copied` bytes and
    `copies`: exact.
    """

    starts: Column
    stops: Column
    variants: Column
    counts: Column
    ends: Column
    tall: Column
    low: Column
    peak_load: Column
    rolled: Column
    requests: Column
    insn: Column
    copied: Column
    copies: Column

    @property
    def pieces(self) -> Column:
        """How many pieces each plan has."""
        return 1 + (self.ends > 0)

    @property
    def held_bytes(self) -> int:
        """While they are put in order, there are up to three of each."""
        return 3 * sum(column.nbytes for column in self)

    def where(self, chosen: Mask | Column) -> BandColumns:
        return BandColumns(*(column[chosen] for column in self))


def columns_by_stop(
    graph: ModelGraph, known: Sequence[RowRule | None], ops: BandedOps, *, two_heights: bool
) -> Iterator[BandColumns]:
    """The plans of all segments with stop 1, then of those with stop 2, and so on.

    `known`: the rule of each op, None for those that must stay outside of bands.
    """
    segments = AllStarts(graph, known)
    sums, free = BandSums(graph, segments, ops), FreeInputs(graph)
    for op in graph.ops:
        segments.add(op)
        sums.add(op)
        yield _columns(op.index + 1, segments, sums, free, two_heights=two_heights)


def sorted_columns(parts: Sequence[BandColumns]) -> BandColumns:
    """Of several stops, by segment."""
    nothing = BandColumns(*np.zeros((len(BandColumns._fields), 0), dtype=np.int64))
    columns = zip(nothing, *parts, strict=True)
    every = BandColumns(*(np.concatenate(column) for column in columns))
    return every.where(np.lexsort((every.variants, every.stops, every.starts)))


def _columns(
    stop: int, segments: AllStarts, sums: BandSums, free: FreeInputs, *, two_heights: bool
) -> BandColumns:
    graph, entries = segments.graph, segments.entries
    plans = plan_entries(segments, two_heights=two_heights)
    if stop == len(graph.ops) and any(tensor not in graph.readers for tensor in graph.inputs):
        # The whole model has inputs without a band.
        plans = plans.where(entries["start"][plans.tall] > 0)
    tall, low, bands, ends, _ = plans

    def total(name: str) -> Column:
        figures = entries[name]
        summed: Column = figures[tall] * (bands - ends) + figures[low] * ends
        return summed

    start, peak, requests = entries["start"][tall], sums.peak_load, entries["requests"]
    made = [segments.makes(tensor)[tall] for tensor in segments.outputs]
    sizes = np.array([graph.tensors[tensor].bytes for tensor in segments.outputs], dtype=np.int64)
    makes = np.array(made, dtype=np.int64).reshape(len(sizes), len(tall))
    return BandColumns(
        starts=start,
        stops=np.full_like(start, stop),
        variants=np.arange(1, len(start) + 1) - np.searchsorted(start, start),
        counts=bands,
        ends=ends,
        tall=entries["height"][tall],
        low=entries["height"][low],
        peak_load=np.maximum(peak[tall], peak[low]),
        rolled=rolled_bytes(free, stop, segments, plans),
        requests=np.minimum(requests[tall], requests[low]),
        insn=total("insn"),
        copied=total("in_bytes") + sizes @ makes,
        copies=(entries["inputs"][tall] + makes.sum(axis=0)) * bands,
    )
