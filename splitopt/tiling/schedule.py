"""A band plan in the rows of the model's tensors: what each execution reads, and what it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.tiling.geometry import SegmentRows
from splitopt.tiling.plan import BandPlan, Execution, RowSpan
from splitopt.tiling.rows import rows_of


def executions_of(
    graph: ModelGraph, segment: Segment, rows: SegmentRows, plan: BandPlan
) -> tuple[tuple[Execution, ...], ...]:
    """For each piece of a band plan, its executions from top to bottom. Every output row is kept
    exactly once."""
    found: list[list[Execution]] = [[] for _ in plan.heights]
    done = dict.fromkeys(segment.outputs, 0)
    for number, band in enumerate(plan.bands):
        at = rows.index(band.rows)
        is_last = number == len(plan.bands) - 1
        inputs = tuple(
            RowSpan(t, _scaled(rows, t, band.start), int(rows.tensors[t].rows[at]))
            for t in segment.inputs
        )
        outputs = []
        for tensor in segment.outputs:
            start = _scaled(rows, tensor, band.start)
            stop = start + int(rows.tensors[tensor].high[at])
            stop = rows_of(graph.tensors[tensor]) if is_last else stop
            row = done[tensor]
            outputs.append(RowSpan(tensor, row, stop - row, from_row=row - start))
            done[tensor] = stop
        found[band.piece].append(Execution(inputs, tuple(outputs)))
    return tuple(tuple(executions) for executions in found)


def heights_of(rows: SegmentRows, height: int) -> dict[int, int]:
    """Rows of every activation of the segment in the piece of this height."""
    at = rows.index(height)
    return {tensor: int(state.rows[at]) for tensor, state in rows.tensors.items()}


def copied_bytes(graph: ModelGraph, executions: Sequence[Execution]) -> list[int]:
    """Bytes of each copy between arena and boundary buffer, into and out of the piece."""
    spans = (span for execution in executions for span in (*execution.inputs, *execution.outputs))
    return [span.rows * row_bytes(graph, span.tensor) for span in spans]


def row_bytes(graph: ModelGraph, tensor: int) -> int:
    """Bytes of one row of a tensor."""
    whole = graph.tensors[tensor]
    return whole.bytes // rows_of(whole)


def kept_rows(executions: Sequence[Execution]) -> Mapping[int, int]:
    """Output tensor → how many of its rows these executions keep."""
    kept: dict[int, int] = {}
    for execution in executions:
        for span in execution.outputs:
            kept[span.tensor] = kept.get(span.tensor, 0) + span.rows
    return kept


def _scaled(rows: SegmentRows, tensor: int, row: int) -> int:
    scale = rows.tensors[tensor].scale
    scaled, rest = divmod(row * scale.numerator, scale.denominator)
    assert not rest, "bands start where every tensor has a row"
    return scaled
