"""greedy_memory_planner.cc in slow motion: inclusive times, bubble sort, list walks."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.solvers.packing.greedy_work import PlannerWork
from splitopt.solvers.packing.instance import PackingInstance


def planned_slowly(instance: PackingInstance) -> tuple[list[int], PlannerWork]:
    """Offsets and steps."""
    needs = []
    for buffer in instance.buffers:
        start, stop = buffer.live.start, buffer.live.stop
        first, last = (-1, -1) if start == stop else (start, stop - 1)
        needs.append((buffer.size, first, last, buffer.offset))
    order = [i for i, need in enumerate(needs) if need[3] is not None]
    free = [i for i in reversed(range(len(needs))) if needs[i][3] is None]
    compared, swapped = bubble(free, [need[0] for need in needs])
    offsets = [0] * len(needs)
    listed: list[tuple[int, int]] = []
    scanned = active = walked = 0
    for i in order + free:
        size, first, last, pin = needs[i]
        offset = 0
        if pin is not None:
            offset = pin
        else:
            for at, other in listed:
                other_size, other_first, other_last, _ = needs[other]
                scanned += 1
                if other_first > last or first > other_last:
                    continue
                active += 1
                if at - offset >= size:
                    break
                offset = max(offset, at + other_size)
        offsets[i] = offset
        place = 0
        while place < len(listed) and listed[place][0] <= offset:
            place += 1
            walked += 1
        listed.insert(place, (offset, i))
    return offsets, PlannerWork(compared, swapped, scanned, active, walked)


def bubble(ids: list[int], sizes: Sequence[int]) -> tuple[int, int]:
    """Sorts ids by falling size in place; passes go on until one swaps nothing."""
    compared = swapped = 0
    restless = bool(ids)
    while restless:
        restless = False
        for k in range(1, len(ids)):
            compared += 1
            if sizes[ids[k - 1]] < sizes[ids[k]]:
                ids[k - 1], ids[k] = ids[k], ids[k - 1]
                swapped += 1
                restless = True
    return compared, swapped
