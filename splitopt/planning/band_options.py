"""Every segment's band plans, and bounds of their bytes and instructions that need no replay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from splitopt.arena.kernel import KernelMemory
from splitopt.arena.rules import TargetRules
from splitopt.base.limits import PLANNER_TABLES_BYTES
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.cost.costs import Costs, estimate_invoke
from splitopt.graph.liveness import LiveRange, live_ranges
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.packing.instance import peak_load
from splitopt.tiling.geometry import (
    MOST_BANDS,
    MOST_HEIGHTS,
    MOST_ROWS,
    SegmentRows,
    banded_segments,
)
from splitopt.tiling.plan import BandPlan
from splitopt.tiling.resized import resized
from splitopt.tiling.rows import RowRule, row_rule, rows_of
from splitopt.tiling.schedule import heights_of, row_bytes


@dataclass(frozen=True, slots=True)
class _BandedOp:
    """One op at one height: what its kernel asks for, and the instructions it takes, where there
    is an estimate."""

    memory: KernelMemory
    insn: int | None


@dataclass(frozen=True, slots=True)
class _PieceBounds:
    """Of the piece of one height: peak load, scratch requests, instructions of one Invoke."""

    peak_load_bytes: int
    scratch: int
    insn: int


def _held_bytes(rows: SegmentRows, plans: Sequence[BandPlan]) -> int:
    """About what a segment adds to the table: the columns of what its last op touches, an entry for
    each tensor, its bands and the bounds of its plans (CPython objects of about 100 bytes)."""
    columns = 3 * 3 * rows.heights.nbytes
    bands = sum(len(plan.bands) for plan in plans)
    return columns + 100 * (len(rows.tensors) + bands) + 500 * len(plans)


@dataclass(frozen=True, slots=True)
class PlanBounds:
    """Bounds of one band plan.

    `peak_load_bytes`: the highest peak load of its pieces, exact. `scratch`: the smallest number of
    scratch requests of a piece. `invoke_insn`: estimated, of all executions. `copied_bytes` and
    `copies`: exact.
    """

    peak_load_bytes: int
    scratch: int
    invoke_insn: int
    copied_bytes: int
    copies: int


class BandTable:
    """The band plans of the segments of one model on one target.

    For each number of bands, there is the plan of the shortest band that covers the image, and,
    with `two_heights`, its two-height variants. An op whose instructions have no estimate, on all
    rows or on those of a band, stays outside of bands: their price would not be known.

    Segments that were not reached by the deadline, or within the memory that tables may take, have
    no plans; `is_complete` then turns false, and `unreached` counts them. `notes` says what else a
    model's size leaves out.
    """

    def __init__(
        self,
        graph: ModelGraph,
        rules: TargetRules,
        costs: Costs,
        two_heights: bool,
        deadline: Deadline | None = None,
    ) -> None:
        self._deadline = deadline or Deadline(math.inf)
        self.is_complete, self.unreached = True, 0
        self._graph, self._rules, self._costs = graph, rules, costs
        self._two_heights = two_heights
        self._ops: dict[tuple[int, int], _BandedOp] = {}

    def plans(self, start: int, stop: int) -> tuple[BandPlan, ...]:
        """The band plans of a segment; empty where it cannot run in bands."""
        return self._segments[start, stop][1] if (start, stop) in self._segments else ()

    def rows(self, start: int, stop: int) -> SegmentRows:
        """The row geometry of a segment that has band plans."""
        return self._segments[start, stop][0]

    @property
    def segments(self) -> Iterator[tuple[int, int]]:
        """The segments that have band plans."""
        return iter(self._segments)

    def memories(self, start: int, stop: int, height: int) -> dict[int, KernelMemory]:
        """What the ops of a segment ask for in a piece of this height."""
        rows = heights_of(self.rows(start, stop), height)
        return {k: self._op(k, rows[self._source(k)]).memory for k in range(start, stop)}

    def bounds(self, start: int, stop: int) -> Iterator[PlanBounds]:
        """Bounds of each band plan of a segment, in the order of `plans`."""
        segment = segment_of(self._graph, start, stop)
        lives = live_ranges(self._graph, segment)
        rows, plans = self._segments[start, stop]
        known: dict[int, _PieceBounds] = {}
        for plan in plans:
            for height in plan.heights:
                if height not in known:
                    known[height] = self._of_height(segment, lives, rows, height)
            yield self._bounds(segment, rows, plan, [known[h] for h in plan.heights])

    @cached_property
    def _segments(self) -> dict[tuple[int, int], tuple[SegmentRows, tuple[BandPlan, ...]]]:
        found: dict[tuple[int, int], tuple[SegmentRows, tuple[BandPlan, ...]]] = {}
        held = 0
        for start in range(len(self._graph.ops)):
            for stop, rows in banded_segments(self._graph, start, self._rules_by_op):
                if self._deadline.is_over or held > PLANNER_TABLES_BYTES:
                    self.is_complete, left = False, len(self._graph.ops) - start
                    self.unreached = left * (left + 1) // 2
                    return found
                found_plans = self._plans(rows) if self._has_all_rows(start, stop, rows) else ()
                plans = tuple(p for p in found_plans if self._is_priced(start, stop, rows, p))
                if plans:
                    found[start, stop] = rows, plans
                    held += _held_bytes(rows, plans)
        return found

    @property
    def notes(self) -> Iterator[str]:
        """What is left out of bands because of a model's size, as sentences."""
        graph = self._graph
        able = (graph.ops[k] for k, rule in enumerate(self._rules_by_op) if rule is not None)
        tallest = max((rows_of(graph.tensors[op.inputs[0]]) for op in able), default=0)
        if tallest > MOST_ROWS:
            yield f"Images of more than {MOST_ROWS:,} rows are not run in bands."
        if tallest > MOST_HEIGHTS:
            yield (
                f"Of images of more than {MOST_HEIGHTS:,} rows, not every height of a band is "
                f"tried, and no more than {MOST_BANDS:,} bands."
            )

    def _has_all_rows(self, start: int, stop: int, rows: SegmentRows) -> bool:
        """Whether all that the segment reads and makes has a height in bands. Only the whole model
        may have inputs that no op reads."""
        is_whole = (start, stop) == (0, len(self._graph.ops))
        unread = set(self._graph.inputs).difference(rows.tensors) if is_whole else ()
        return bool(rows.outputs) and not unread

    @cached_property
    def _rules_by_op(self) -> list[RowRule | None]:
        graph = self._graph
        return [
            None if self._costs.invoke(graph, op) is None else row_rule(graph, op)
            for op in graph.ops
        ]

    def _plans(self, rows: SegmentRows) -> Iterator[BandPlan]:
        for plan in rows.one_height():
            yield plan
            if self._two_heights:
                yield from rows.two_heights(plan)

    def _is_priced(self, start: int, stop: int, rows: SegmentRows, plan: BandPlan) -> bool:
        """Other code may run on few rows: a CONV_2D on one row, for instance."""
        heights = [heights_of(rows, height) for height in plan.heights]
        return all(
            self._op(op, counts[self._source(op)]).insn is not None
            for counts in heights
            for op in range(start, stop)
        )

    def _of_height(
        self, segment: Segment, lives: dict[int, LiveRange], rows: SegmentRows, height: int
    ) -> _PieceBounds:
        graph, counts = self._graph, heights_of(rows, height)
        buffers = [
            (align_up(counts[t] * row_bytes(graph, t), ARENA_ALIGNMENT), live.start, live.stop)
            for t, live in lives.items()
        ]
        insn, requests = estimate_invoke(self._costs, graph, 0, 0).insn, 0
        for step, op in enumerate(range(segment.start, segment.stop), start=1):
            banded = self._op(op, counts[self._source(op)])
            scratch = banded.memory.scratch
            buffers += [(align_up(size, ARENA_ALIGNMENT), step, step + 1) for size in scratch]
            requests += len(scratch)
            insn += banded.insn or 0  # there is one: see `_is_priced`
        return _PieceBounds(peak_load(buffers), requests, insn)

    def _bounds(
        self, segment: Segment, rows: SegmentRows, plan: BandPlan, pieces: Sequence[_PieceBounds]
    ) -> PlanBounds:
        graph = self._graph
        copied = sum(graph.tensors[tensor].bytes for tensor in segment.outputs)
        for band in plan.bands:
            at = rows.index(band.rows)
            copied += sum(
                int(rows.tensors[tensor].rows[at]) * row_bytes(graph, tensor)
                for tensor in segment.inputs
            )
        ends = len(segment.inputs) + len(segment.outputs)
        return PlanBounds(
            peak_load_bytes=max(piece.peak_load_bytes for piece in pieces),
            scratch=min(piece.scratch for piece in pieces),
            invoke_insn=sum(pieces[band.piece].insn for band in plan.bands),
            copied_bytes=copied,
            copies=ends * len(plan.bands),
        )

    def _source(self, op: int) -> int:
        """The activation whose rows say those of all that the op touches."""
        tensors = self._graph.tensors
        return next(t for t in self._graph.ops[op].given_inputs if tensors[t].is_activation)

    def _op(self, op: int, rows: int) -> _BandedOp:
        found = self._ops.get((op, rows))
        if found is None:
            found = self._ops[op, rows] = self._compute(op, rows)
        return found

    def _compute(self, index: int, rows: int) -> _BandedOp:
        graph, op, rule = self._graph, self._graph.ops[index], self._rules_by_op[index]
        assert rule is not None, "asked for ops that can run in bands"
        counts = {t: rows for t in op.given_inputs if graph.tensors[t].is_activation}
        counts[op.outputs[0]] = int(rule.count(np.array(rows)))
        banded = resized(graph, index, index + 1, counts)
        return _BandedOp(self._rules.memory(banded, op), self._costs.invoke(banded, op))
