"""Every segment's band plans: bounds of all at once, one plan in detail when asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from splitopt.arena.kernel import KernelMemory
from splitopt.arena.one_row import fails_on_one_row
from splitopt.base.limits import PLANNER_TABLES_BYTES
from splitopt.planning.alike_ops import AlikeOps
from splitopt.planning.band_columns import BandColumns, columns_by_stop, sorted_columns
from splitopt.planning.banded_ops import BandedOps
from splitopt.solvers.deadline import Deadline
from splitopt.tiling.entries import Column
from splitopt.tiling.geometry import (
    MOST_BANDS,
    MOST_HEIGHTS,
    MOST_ROWS,
    SegmentRows,
    banded_segments,
)
from splitopt.tiling.plan import BandPlan
from splitopt.tiling.rows import row_rule, rows_of


class BandTable:
    """The band plans of the segments of one model on one target.

    For each number of bands, there is the plan of the shortest band that covers the image, and,
    with `two_heights`, its two-height variants. An op whose instructions have no estimate, on all
    rows or on those of a band, stays outside of bands: their price would not be known. So does, of
    a single row, a convolution that CMSIS-NN gets wrong there.

    Segments that were not reached by the deadline (`is_late`), or within the memory that tables may
    take (`is_full`), have no plans; `unreached` counts them. `notes` says what else is left out.
    """

    def __init__(
        self, ops: AlikeOps, *, two_heights: bool, deadline: Deadline | None = None
    ) -> None:
        self._deadline = deadline or Deadline(math.inf)
        self.is_late, self.is_full, self.unreached = False, False, 0
        self._graph = graph = ops.graph
        self._known = [
            None if ops.whole_insn(op.index) is None else row_rule(graph, op) for op in graph.ops
        ]
        self._ops = BandedOps(ops, self._known)
        self._stops = columns_by_stop(graph, self._known, self._ops, two_heights=two_heights)
        self._found: list[BandColumns] = []
        self._runs: dict[int, Iterator[tuple[int, SegmentRows]]] = {}
        self._rows: dict[tuple[int, int], SegmentRows] = {}

    def go_on(self, deadline: Deadline) -> None:
        """From now on, segments that were not reached for lack of time are looked at, too."""
        self._deadline = deadline
        if self.is_late:
            self.is_late, self.unreached = False, 0
            self.__dict__.pop("columns", None)
            self.__dict__.pop("_segment_numbers", None)

    @property
    def is_complete(self) -> bool:
        return not (self.is_late or self.is_full)

    @cached_property
    def columns(self) -> BandColumns:
        """All plans, with their bounds."""
        found = self._found
        held = sum(columns.held_bytes for columns in found)
        while not self._deadline.is_over and held <= PLANNER_TABLES_BYTES:
            columns = next(self._stops, None)
            if columns is None:
                return sorted_columns(found)
            found.append(columns)
            held += columns.held_bytes
        self.is_full = held > PLANNER_TABLES_BYTES
        self.is_late = not self.is_full
        self.unreached = sum(range(len(found) + 1, len(self._graph.ops) + 1))
        return sorted_columns(found)

    @property
    def segments(self) -> Iterator[tuple[int, int]]:
        """The segments that have band plans."""
        first = self.columns.variants == 1
        starts, stops = self.columns.starts[first].tolist(), self.columns.stops[first].tolist()
        return zip(starts, stops, strict=True)

    def plans(self, start: int, stop: int) -> tuple[BandPlan, ...]:
        """The band plans of a segment; empty where it cannot run in bands."""
        places = self._places(start, stop)
        return tuple(self.plan(start, stop, variant) for variant in range(1, len(places) + 1))

    def plan(self, start: int, stop: int, variant: int) -> BandPlan:
        """One of them: the first is variant 1."""
        at = self._places(start, stop)[variant - 1]
        columns, rows = self.columns, self.rows(start, stop)
        count, ends = int(columns.counts[at]), int(columns.ends[at])
        return rows.plan(count, int(columns.tall[at]), int(columns.low[at]), ends)

    def rows(self, start: int, stop: int) -> SegmentRows:
        """The row geometry of a segment that has band plans."""
        if start not in self._runs:
            self._runs[start] = banded_segments(self._graph, start, self._known)
        while (start, stop) not in self._rows:
            reached, rows = next(self._runs[start])
            self._rows[start, reached] = rows
        return self._rows[start, stop]

    def memories(self, start: int, stop: int, rows: Mapping[int, int]) -> dict[int, KernelMemory]:
        """What the ops of a segment ask for in a piece with so many rows of each activation."""
        return {k: self._ops.memory(k, rows[self._ops.source(k)]) for k in range(start, stop)}

    def insn(self, start: int, stop: int, rows: Mapping[int, int]) -> int:
        """Estimated instructions of the ops of such a piece."""
        return sum(self._ops.insn(k, rows[self._ops.source(k)]) for k in range(start, stop))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is left out of bands because of a model's size or of CMSIS-NN, as sentences."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        graph = self._graph
        able = [graph.ops[k] for k, rule in enumerate(self._known) if rule is not None]
        wrong = [
            graph.op_name(op.index)
            for op in able
            if rows_of(graph.tensors[op.inputs[0]]) > 1 and fails_on_one_row(graph, op)
        ]
        if wrong:
            yield f"No band has a single row of {', '.join(wrong)}: CMSIS-NN gets it wrong."
        tallest = max((rows_of(graph.tensors[op.inputs[0]]) for op in able), default=0)
        if tallest > MOST_ROWS:
            yield f"Images of more than {MOST_ROWS:,} rows are not run in bands."
        if tallest > MOST_HEIGHTS:
            yield (
                f"Of images of more than {MOST_HEIGHTS:,} rows, not every height of a band is "
                f"tried, and no more than {MOST_BANDS:,} bands."
            )

    def _places(self, start: int, stop: int) -> range:
        """Where the plans of a segment stand in the columns."""
        n = len(self._graph.ops) + 1
        first, last = np.searchsorted(
            self._segment_numbers, [start * n + stop, start * n + stop + 1]
        )
        return range(int(first), int(last))

    @cached_property
    def _segment_numbers(self) -> Column:
        return self.columns.starts * (len(self._graph.ops) + 1) + self.columns.stops
