"""Exact packing on generated instances that are tight: a plan at 100 % of the load exists.

    python tests/bench/bench_packing.py [seconds] [workers]

A rectangle of bytes by time is cut into buffers at random, so that every step is full. Prints what
was solved and in which time; what was not is said.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from splitopt.solvers.outcome import Status
from splitopt.solvers.packing.check import check_plan
from splitopt.solvers.packing.greedy_by_size import plan_greedy
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.params import SolveParams

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tight_packings import CAPACITY, tight


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
