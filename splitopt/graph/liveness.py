"""When each activation must exist, in the steps of TFLM's planner.

Step 0 is before the first op (inputs are there), op k of a segment runs at step k + 1.
Source: tensorflow/lite/micro/micro_allocation_info.cc, MarkAllocationLifetimes.
"""

from __future__ import annotations

from dataclasses import dataclass

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment


@dataclass(frozen=True, slots=True)
class LiveRange:
    """Steps [start, stop); empty (0, 0) for a tensor that nothing touches."""

    start: int
    stop: int


UNTOUCHED = LiveRange(0, 0)


def live_ranges(graph: ModelGraph, segment: Segment) -> dict[int, LiveRange]:
    """Live ranges of the segment's activations that take up RAM, by ascending tensor index."""
    return {tensor: LiveRange(*steps) for tensor, steps in live_steps(graph, segment).items()}


def live_steps(graph: ModelGraph, segment: Segment) -> dict[int, tuple[int, int]]:
    """The same as pairs (start, stop), for callers that ask very often."""
    first: dict[int, int] = dict.fromkeys(segment.inputs, 0)
    last: dict[int, int] = dict.fromkeys(segment.inputs, 0)
    for step, op in enumerate(graph.ops[segment.start : segment.stop], start=1):
        for tensor in op.outputs:
            first[tensor] = last[tensor] = step
        for tensor in op.given_inputs:
            last[tensor] = step
    final = segment.stop - segment.start
    for tensor in segment.outputs:
        first.setdefault(tensor, final)
        last[tensor] = final
    tensors, untouched = graph.tensors, (UNTOUCHED.start, UNTOUCHED.stop)
    return {
        tensor: (first[tensor], last[tensor] + 1) if tensor in first else untouched
        for tensor in segment.tensors
        if tensors[tensor].is_activation and tensors[tensor].bytes
    }
