"""Times as ranks: what overlaps what stays as it was, and no step is without a start or an end."""

from bisect import bisect_left
from dataclasses import replace

from splitopt.solvers.packing.instance import BEFORE_ALL, LiveRange, PackingInstance

_FEW_STEPS = 4
"""For each buffer."""


def ranked_times(instance: PackingInstance) -> PackingInstance:
    """For methods that walk through all steps; empty ranges stay at BEFORE_ALL.

    An instance with few steps stays as it is."""
    held = [b.live.steps for b in instance.buffers]
    if max((stop for _, stop in held), default=0) <= _FEW_STEPS * len(held):
        return instance
    times = sorted({time for steps in held for time in steps})
    first = BEFORE_ALL if times[:1] == [BEFORE_ALL] else 0
    buffers = tuple(
        replace(b, live=LiveRange(*(first + bisect_left(times, time) for time in steps)))
        for b, steps in zip(instance.buffers, held, strict=True)
    )
    return PackingInstance(buffers, instance.capacity)
