"""Exact packing on generated instances that are tight: a plan at 100 % of the load exists.

    python tests/bench/bench_packing.py [seconds] [workers]

A rectangle of bytes by time is cut into buffers at random, so that every step is full. Prints what
was solved and in which time; what was not is said.
"""

from __future__ import annotations

import random
import sys
import time

from splitopt.solvers.outcome import Status
from splitopt.solvers.packing.check import check_plan
from splitopt.solvers.packing.cpsat import solve
from splitopt.solvers.packing.greedy_by_size import plan_greedy
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.params import SolveParams

CAPACITY, STEPS = 1 << 20, 400
UNIT = 16


def tight(count: int, seed: int) -> PackingInstance:
    """`count` buffers that fill CAPACITY bytes at each of STEPS steps."""
    draw = random.Random(seed)
    boxes = [(0, STEPS, 0, CAPACITY // UNIT)]
    while len(boxes) < count:
        weights = [(z - a) * (y - x) for a, z, x, y in boxes]
        a, z, x, y = boxes.pop(draw.choices(range(len(boxes)), weights)[0])
        by_time = draw.random() < 0.5
        if (by_time and z - a < 2) or (not by_time and y - x < 2):
            boxes.append((a, z, x, y))
        elif by_time:
            at = draw.randrange(a + 1, z)
            boxes += [(a, at, x, y), (at, z, x, y)]
        else:
            at = draw.randrange(x + 1, y)
            boxes += [(a, z, x, at), (a, z, at, y)]
    draw.shuffle(boxes)
    return PackingInstance(tuple(Buffer(UNIT * (y - x), LiveRange(a, z)) for a, z, x, y in boxes))


def main() -> None:
    limit = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    solved = total = 0
    print("buffers  seed  TFLM's greedy  mark      bound     of load  status    seconds")
    for count in (50, 100, 200, 350, 500):
        for seed in range(4):
            instance = tight(count, seed)
            assert instance.peak_load == CAPACITY
            greedy = plan_greedy(instance).high_water_mark(instance)
            started = time.monotonic()
            found = solve(instance, SolveParams(time_limit_s=limit, workers=workers))
            took = time.monotonic() - started
            assert found.plan is not None
            check_plan(instance, found.plan)
            total, solved = total + 1, solved + (found.status is Status.OPTIMAL)
            print(
                f"{count:7}  {seed:4}  {100 * greedy / CAPACITY:11.1f} %  {found.cost:8}  "
                f"{found.bound:8}  {100 * (found.cost or 0) / CAPACITY:5.1f} %  "
                f"{found.status.name:8}  {took:7.2f}",
                flush=True,
            )
    print(f"{solved} of {total} solved to proved optimality within {limit:g} s, {workers} workers")


if __name__ == "__main__":
    main()
