"""The arena of a streamed stage as a picture of all its groups: who lies where, and when.

Steps are those of the segment on all rows: step 0 has its inputs, op k of it runs at step k + 1. A
line buffer lives through all of them. What TFLM places by itself in a group lives while an op of
the group needs it, and only then: between two ops of a group others may run in the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.arena.replay import Arena, PlannedBuffer
from splitopt.arena.shared import SharedArena
from splitopt.base.units import ARENA_ALIGNMENT, align_up
from splitopt.graph.liveness import LiveRange
from splitopt.tiling.streams.stream import Stream


def stage_arena(stream: Stream, offsets: Sequence[int], shared: SharedArena) -> Arena:
    """Line buffers first, at these offsets, as pinned buffers; then what the groups need in turn,
    with the model's own numbers of tensors where `shared` has them."""
    return shared.with_buffers([*_line_buffers(stream, offsets), *_passing(stream, shared.heads)])


def _line_buffers(stream: Stream, offsets: Sequence[int]) -> Iterator[PlannedBuffer]:
    always = LiveRange(0, stream.stop - stream.start + 1)
    for buffer, offset in zip(stream.buffers, offsets, strict=True):
        size = align_up(buffer.bytes, ARENA_ALIGNMENT)
        yield PlannedBuffer(buffer.tensor, None, size, always, offset, pinned=True)


def _passing(stream: Stream, heads: Sequence[Sequence[PlannedBuffer]]) -> Iterator[PlannedBuffer]:
    for group, head in zip(stream.groups, heads, strict=True):
        for buffer in head:
            op = None if buffer.op is None else group.ops[buffer.op]
            for live in () if buffer.pinned else _steps(stream.start, group.ops, buffer.live):
                yield PlannedBuffer(buffer.tensor, op, buffer.size_bytes, live, buffer.offset)


def _steps(start: int, ops: Sequence[int], live: LiveRange) -> Iterator[LiveRange]:
    """Steps of a group as steps of the segment, neighbouring ones together. The group's op k runs
    at its step k + 1; no buffer that TFLM places is alive at its step 0, as inputs are pinned."""
    steps = [ops[step - 1] - start + 1 for step in range(live.start, live.stop)]
    first = 0
    for k, step in enumerate(steps, start=1):
        if k == len(steps) or steps[k] != step + 1:
            yield LiveRange(steps[first], step + 1)
            first = k
