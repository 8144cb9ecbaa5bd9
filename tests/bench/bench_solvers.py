"""Prints how long the solvers take: `python tests/bench/bench_solvers.py [items] [--bare]`.

Records nothing and asserts nothing; the instances are random but seeded.
"""

import random
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from splitopt.solvers.outcome import Outcome
from splitopt.solvers.packing.greedy_replay import greedy_with_work
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance, peak_load
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import cpsat, dp
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance

Columns = tuple[list[int], list[int], list[int]]


def chain_buffers(steps: int, rng: random.Random) -> Columns:
    """One value per step that lives for two, and some scratch, as a chain of ops has."""
    sizes, starts, stops = [], [], []
    for step in range(steps):
        for share, most, length in ((1.0, 2000, 2), (0.5, 500, 1), (0.2, 500, 4)):
            if rng.random() < share:
                sizes.append(16 * rng.randrange(1, most))
                starts.append(step)
                stops.append(min(steps, step + length))
    return sizes, starts, stops


def long_buffers(count: int, rng: random.Random) -> Columns:
    """Live ranges with random ends."""
    ends = [sorted(rng.sample(range(61), 2)) for _ in range(count)]
    sizes = [16 * rng.randrange(1, 2000) for _ in range(count)]
    return sizes, [start for start, _ in ends], [stop for _, stop in ends]


def chain_instance(n: int, rng: random.Random) -> PartitionInstance:
    """A chain with a few skips: all segments, arenas from live loads plus a tail that grows."""
    sizes = [16 * rng.randrange(20, 2500) for _ in range(n + 1)]
    boundaries = [Boundary(sizes[0], None, (0,))]
    for item in range(n - 1):
        last = item + rng.randrange(2, 6) if rng.random() < 0.2 else item + 1
        readers = tuple(sorted({item + 1, min(n - 1, last)}))
        boundaries.append(Boundary(sizes[item + 1], item, readers))
    tails = [16 * rng.randrange(10, 200) for _ in range(n)]
    works = [rng.randrange(3_000, 60_000) for _ in range(n)]
    options = []
    for start in range(n):
        arena = tail = work = 0
        for stop in range(start + 1, n + 1):
            item = stop - 1
            arena = max(arena, sizes[item] + sizes[item + 1])
            tail += tails[item]
            work += works[item]
            copied = sizes[start] * (start > 0) + sizes[stop] * (stop < n)
            is_whole = start == 0 and stop == n
            cost = 0 if is_whole else work + 4000 + copied * 9 // 16
            options.append(Option(start, stop, arena + tail, cost, copied))
    return PartitionInstance(n, tuple(options), tuple(boundaries))


def timed(name: str, ask: Callable[[], object], repeats: int = 1) -> None:
    start_s = time.perf_counter()
    for _ in range(repeats):
        answer = ask()
    spent_s = (time.perf_counter() - start_s) / repeats
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    shown = f"{answer.status} {answer.cost}" if isinstance(answer, Outcome) else ""
    print(f"{name:52} {spent_s * 1e3:12.3f} ms {peak_mib:5} MiB {shown}", flush=True)


def bench_packing(rng: random.Random) -> None:
    for name, columns in (
        ("chain of 300 steps", chain_buffers(300, rng)),
        ("chain of 30 steps", chain_buffers(30, rng)),
        ("long ranges", long_buffers(60, rng)),
    ):
        label = f"{name}, {len(columns[0])} buffers"
        timed(f"greedy_with_work, {label}", partial(greedy_with_work, *columns), 100)
        timed(f"peak_load, {label}", partial(peak_load, list(zip(*columns, strict=True))), 100)
    buffers = tuple(
        Buffer(size, LiveRange(start, stop))
        for size, start, stop in zip(*long_buffers(60, rng), strict=True)
    )
    instance = PackingInstance(buffers)
    timed("packing.solve, 60 long ranges", partial(solve, instance))


def bench_partition(n: int, is_bare: bool, rng: random.Random) -> None:
    instance = chain_instance(n, rng)
    timed(f"loads of {len(instance.options)} options", lambda: instance.rams)
    for ram_weight, cost_weight in ((1, 0), (1, 1), (100, 1), (0, 1)):
        for most in (None, 8):
            goal = Goal(ram_weight, cost_weight, max_segments=most)
            if not ram_weight:
                least = replace(instance, goal=Goal(1, 0, max_segments=most))
                goal = replace(goal, capacity=dp.solve(least).cost)
            one = replace(instance, goal=goal)
            name = f"weights {ram_weight}:{cost_weight}, segments <= {most}"
            timed(f"dp, {name}", partial(dp.solve, one))
            timed(f"cpsat, {name}", partial(cpsat.solve, one))
            if is_bare:
                bare = SolveParams(hints=False, prune=False)
                timed(f"cpsat without hints, {name}", partial(cpsat.solve, one, bare))


if __name__ == "__main__":
    items = [int(word) for word in sys.argv[1:] if word.isdigit()]
    bench_packing(random.Random(1))
    bench_partition(items[0] if items else 300, "--bare" in sys.argv, random.Random(2))
