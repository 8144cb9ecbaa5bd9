"""Decomposition: where nothing is alive, what comes before and after can be packed by itself."""

from splitopt.solvers.packing.instance import PackingInstance


def parts(instance: PackingInstance) -> list[tuple[int, ...]]:
    """Indices of buffers that are connected by overlapping live ranges, in order of time."""
    ranges = [b.live.steps for b in instance.buffers]
    found: list[list[int]] = []
    end: int | None = None
    for index in sorted(range(len(ranges)), key=lambda i: ranges[i]):
        start, stop = ranges[index]
        if end is None or start >= end:
            found.append([])
            end = stop
        found[-1].append(index)
        end = max(end, stop)
    return [tuple(sorted(part)) for part in found]


def part_of(instance: PackingInstance, indices: tuple[int, ...]) -> PackingInstance:
    """Only the buffers of these indices, under the same capacity."""
    if indices == tuple(range(len(instance.buffers))):
        return instance
    return PackingInstance(tuple(instance.buffers[i] for i in indices), instance.capacity)
