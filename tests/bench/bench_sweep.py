"""Sweeps: exact fronts of models, and 200 budgets over several, as wall time over solver time.

Usage: python tests/bench/bench_sweep.py MODEL.tflite ...
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from splitopt.workflows.sweep.run import SweepResult, run_sweep

BOARD = "{name: bare, sram_bytes: 4194304, reserved_bytes: 0, headroom_bytes: 0, clock_hz: 1}"


def swept(folder: Path, grid: str, models: list[Path]) -> tuple[SweepResult, float]:
    (folder / "job.yaml").write_text(f"model: {{path: {models[0].resolve()}}}\nboard: {BOARD}\n")
    names = ", ".join(str(model.resolve()) for model in models)
    sweep = folder / "sweep.yaml"
    sweep.write_text(f"job: job.yaml\ngrid: {{{grid}, model: [{names}]}}\n")
    started = time.monotonic()
    result = run_sweep(sweep, out=folder / "out")
    return result, time.monotonic() - started


def main(models: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in models:
            result, wall_s = swept(folder, "budget_bytes: auto", [model])
            peaks = [row.peak_ram_bytes for row in result.rows]
            print(
                f"{model.stem}: front of {len(peaks)} points, {peaks[0]:,} to {peaks[-1]:,} B, "
                f"{wall_s:.2f} s (solver {result.document.solver_s:.2f} s)"
            )
        per_model = 200 // len(models)
        grid = f"budget_bytes: {{start: 20000, stop: {20000 + 1500 * (per_model - 1)}, step: 1500}}"
        result, wall_s = swept(folder, grid, models)
        solver_s = result.document.solver_s
        shared = sum(row.shared_from is not None for row in result.rows)
        print(
            f"{len(result.rows)} points over {len(models)} models: {wall_s:.2f} s wall, "
            f"{solver_s:.2f} s in solvers, ratio {wall_s / solver_s:.2f}; {shared} plans shared"
        )


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
