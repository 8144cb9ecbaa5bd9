"""Says whether ends of a segment that share bytes stay intact; independent of any planner.

What a segment reads of its inputs and writes of its outputs is a list of touches in the order in
which they happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from splitopt.graph.model import ModelGraph
from splitopt.tiling.plan import Execution
from splitopt.tiling.rolled import RolledPair


class InvalidRolledEnds(AssertionError):
    """An output's row is written over bytes of an input that are still read."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Rows [row, row + rows) of a tensor at an end of the segment are written, or read."""

    tensor: int
    row: int
    rows: int
    is_write: bool


def touches_of_bands(executions: Sequence[Execution]) -> Iterator[Touch]:
    """Each execution copies in all that it reads, then runs, then copies out."""
    for execution in executions:
        for is_write, spans in ((False, execution.inputs), (True, execution.outputs)):
            yield from (Touch(span.tensor, span.row, span.rows, is_write) for span in spans)


def check_rolled(
    graph: ModelGraph,
    start: int,
    stop: int,
    touches: Sequence[Touch],
    pairs: Sequence[RolledPair],
) -> None:
    """Raises InvalidRolledEnds unless each pair of ops [start, stop) may lie as it says: at every
    distance from `lead_bytes` on, no byte is written over that is read later."""
    for pair in pairs:
        where = f"tensors {pair.read} and {pair.made} of ops {start} to {stop - 1}"
        _check_ends(graph, start, stop, pair, where)
        unread = size = graph.tensors[pair.read].bytes
        for touch in reversed(touches):
            if touch.tensor not in (pair.read, pair.made):
                continue
            first, end = _span(graph, touch)
            if not touch.is_write:
                unread = min(unread, first)
            # What ends below all that is read later does so at any greater distance, too.
            elif unread < size and end > unread + pair.lead_bytes:
                raise InvalidRolledEnds(
                    f"{where}: at a lead of {pair.lead_bytes} B, row {touch.row} of what is made "
                    f"ends at {end} B, over what is read later from {unread} B on"
                )


def _check_ends(graph: ModelGraph, start: int, stop: int, pair: RolledPair, where: str) -> None:
    ops = graph.ops[start:stop]
    if any(pair.read in op.outputs for op in ops):
        raise InvalidRolledEnds(f"{where}: the first is no input")
    if not any(pair.made in op.outputs for op in ops):
        raise InvalidRolledEnds(f"{where}: the second is no output")
    if pair.read in graph.outputs or graph.readers.get(pair.read, (-1,))[-1] >= stop:
        raise InvalidRolledEnds(f"{where}: the first is needed later")


def _span(graph: ModelGraph, touch: Touch) -> tuple[int, int]:
    """Bytes [first, end) of the tensor."""
    tensor = graph.tensors[touch.tensor]
    row_bytes = tensor.bytes // tensor.shape[1]
    return touch.row * row_bytes, (touch.row + touch.rows) * row_bytes
