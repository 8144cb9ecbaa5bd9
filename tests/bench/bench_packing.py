"""Exact packing: generated instances that are tight, or files, beside another packer's command.

    python tests/bench/bench_packing.py [--seconds 10] [--workers 2] [--counts 50 100 200 350 500]
    python tests/bench/bench_packing.py --files DIR [--capacity BYTES] [--other CMD]

Without files: rectangles of bytes by time that are cut into buffers at random, so that every step
is full. Prints what was solved and in which time; what was not is said.
Files are CSV as google/minimalloc has them. A capacity in the name (A.1048576.csv) holds for the
file where none is given; without any, the lowest mark is looked for. CMD may hold {input},
{capacity} and {output}, a file in a temporary folder: it is run on each file, and its CPU seconds
are set beside those of `splitopt pack`, both as processes of their own.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from splitopt.solvers.outcome import Status
from splitopt.solvers.packing.check import check_plan
from splitopt.solvers.packing.greedy_replay import plan_greedy
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.params import SolveParams

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tight_packings import CAPACITY, tight

SEEDS = range(4)


def bench_tight(counts: Sequence[int], limit_s: float, workers: int) -> None:
    solved = 0
    print("buffers  seed  TFLM's greedy  mark      bound     of load  status    CPU s")
    for count in counts:
        for seed in SEEDS:
            instance = tight(count, seed)
            assert instance.peak_load == CAPACITY
            greedy = plan_greedy(instance).high_water_mark(instance)
            started = time.process_time()
            found = solve(instance, SolveParams(time_limit_s=limit_s, workers=workers))
            took = time.process_time() - started
            assert found.plan is not None
            check_plan(instance, found.plan)
            solved += found.status is Status.OPTIMAL
            print(
                f"{count:7}  {seed:4}  {100 * greedy / CAPACITY:11.1f} %  {found.cost:8}  "
                f"{found.bound:8}  {100 * (found.cost or 0) / CAPACITY:5.1f} %  "
                f"{found.status.name:8}  {took:6.2f}",
                flush=True,
            )
    total = len(counts) * len(SEEDS)
    print(
        f"{solved} of {total} solved to proved optimality within {limit_s:g} s, {workers} workers"
    )


def bench_files(folder: Path, capacity: int | None, limit_s: float, other: str | None) -> None:
    ratios = []
    print("file                      answer      mark      CPU s" + "   other  ratio" * bool(other))
    for file in sorted(folder.glob("*.csv")):
        bytes_ = capacity if capacity is not None else _in_name(file)
        command = [sys.executable, "-m", "splitopt", "pack", str(file), "--json"]
        command += ["--time-limit", f"{limit_s:g}"]
        command += [] if bytes_ is None else ["--capacity", str(bytes_)]
        code, out, cpu_s = timed(command, limit_s)
        shown = json.loads(out) if code == 0 else {"status": f"exit code {code}"}
        line = (
            f"{file.name:24}  {shown['status']:10}  {shown.get('mark_bytes', '-')!s:8} {cpu_s:6.2f}"
        )
        if other:
            with tempfile.TemporaryDirectory() as place:
                words = list(_filled(other, file, bytes_, Path(place) / "out.csv"))
                code, _, theirs_s = timed(words, limit_s)
            line += f"  {theirs_s:6.2f}  {cpu_s / max(theirs_s, 1e-3):5.2f}"
            line += "" if code == 0 else f"  (its exit code: {code})"
            ratios += [cpu_s / max(theirs_s, 1e-3)] if code == 0 and "mark_bytes" in shown else []
        print(line, flush=True)
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"geometric mean of {len(ratios)} ratios where both have an answer: {mean:.2f}")


def _in_name(file: Path) -> int | None:
    last = file.stem.rpartition(".")[2]
    return int(last) if last.isdecimal() and last != file.stem else None


def _filled(command: str, file: Path, capacity: int | None, output: Path) -> Iterator[str]:
    """The words of a command; no shell sees them."""
    values = {"{input}": str(file), "{capacity}": str(capacity or ""), "{output}": str(output)}
    for word in shlex.split(command):
        for name, value in values.items():
            word = word.replace(name, value)
        yield word


def timed(command: Sequence[str], limit_s: float) -> tuple[int, str, float]:
    """(exit code, standard output, CPU seconds) of a process. It is killed at twice the limit and
    ten seconds more: exit code -9."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=2 * limit_s + 10
        )
        code, out = done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        code, out = -9, ""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return code, out, cpu_s


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seconds", type=float, default=10.0, help="time limit of each instance")
    words.add_argument("--workers", type=int, default=2, help="threads of CP-SAT")
    words.add_argument("--counts", type=int, nargs="+", default=[50, 100, 200, 350, 500])
    words.add_argument("--files", type=Path, help="a folder of CSV files")
    words.add_argument("--capacity", type=int, help="bytes, for all files")
    words.add_argument("--other", help="another packer's command")
    given = words.parse_args()
    if given.files:
        bench_files(given.files, given.capacity, given.seconds, given.other)
    else:
        bench_tight(given.counts, given.seconds, given.workers)


if __name__ == "__main__":
    main()
