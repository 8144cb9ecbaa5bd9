"""Times as ranks: what overlaps what stays as it was, and no step is without a start or an end."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from splitopt.solvers.packing.instance import BEFORE_ALL, LiveRange, PackingInstance

_FEW_STEPS = 4
"""For each buffer."""


def has_few_steps(ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether an instance of these steps stays as it is."""
    return max((stop for _, stop in ranges), default=0) <= _FEW_STEPS * len(ranges)


def ranked_times(instance: PackingInstance) -> PackingInstance:
    """For methods that walk through all steps; empty ranges stay at BEFORE_ALL.

    An instance with few steps stays as it is."""
    held = [b.live.steps for b in instance.buffers]
    if has_few_steps(held):
        return instance
    times = sorted({time for steps in held for time in steps})
    first = BEFORE_ALL if times[:1] == [BEFORE_ALL] else 0
    buffers = tuple(
        replace(b, live=LiveRange(*(first + bisect_left(times, time) for time in steps)))
        for b, steps in zip(instance.buffers, held, strict=True)
    )
    return PackingInstance(buffers, instance.capacity)
