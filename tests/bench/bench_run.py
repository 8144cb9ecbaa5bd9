"""Times planning, end to end and against the DP: `python tests/bench/bench_run.py [MODEL ...]`.

Prints figures; asserts nothing about time. Machines differ and are noisy.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from synthetic import convolution_chain

JOB = """model: {{path: {path}}}
board: {{name: bench, sram_bytes: 67108864, headroom_bytes: 0}}
"""


def main(models: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for ops in (100, 300):
            chain = folder / f"chain_{ops}.tflite"
            chain.write_bytes(convolution_chain(ops))
            models.append(chain)
        for model in models:
            job = folder / f"{model.stem}.yaml"
            job.write_text(JOB.format(path=model.resolve()))
            whole_process(job, folder)
            in_process(job)


def whole_process(job: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "splitopt", "run", str(job), "--no-verify", "--json"]
    started = time.perf_counter()
    done = subprocess.run([*command, "--out", str(folder)], capture_output=True, check=False)
    spent = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{job.stem}: whole process {spent:.2f} s, exit {done.returncode}, "
        f"largest child so far {peak:.0f} MiB"
    )


def in_process(job_file: Path) -> None:
    from planning_helpers import dp_outcome

    from splitopt.config.job import read_job
    from splitopt.convert.open_model import open_model
    from splitopt.planning.planner import Planner
    from splitopt.planning.request import request_of
    from splitopt.workflows.run import plan_job

    started = time.perf_counter()
    job = read_job(job_file)
    planned = plan_job(job, open_model(job))
    spent = time.perf_counter() - started
    table, plan = planned.table, planned.plan
    print(
        f"  after imports {spent:.2f} s: {plan.status.name}, {len(planned.graph.ops)} ops, "
        f"{table.replays} segments replayed, CP-SAT {plan.solve_s:.2f} s, "
        f"peak {plan.peak_ram_bytes:,} B in {len(plan.segments)} pieces"
    )
    started = time.perf_counter()
    request = request_of(planned.graph, job)
    outcome = dp_outcome(Planner(table), request)
    same = "equal" if outcome.cost == plan.cost else f"DIFFERENT ({outcome.cost} and {plan.cost})"
    print(
        f"  DP over all {int(request.allowed.sum())} segments, replays included: "
        f"{time.perf_counter() - started:.2f} s, cost {same}"
    )


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
