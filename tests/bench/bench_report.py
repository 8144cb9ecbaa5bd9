"""Times reports and tells their sizes: `python tests/bench/bench_report.py [POINTS ...]`.

Prints figures; asserts nothing about time. Machines differ and are noisy.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from report_documents import run_bundle, run_documents, synthetic_sweep, write_sweep
from synthetic import convolution_chain

from splitopt.bundle.load import load_run, load_sweep
from splitopt.report.charts.chart_files import write_charts
from splitopt.report.pages.run import render_run
from splitopt.report.pages.sweep import render_sweep

T = TypeVar("T")


def timed(what: str, action: Callable[[], T]) -> T:
    started = time.perf_counter()
    done = action()
    spent = time.perf_counter() - started
    size = f", {len(done.encode()) / 1e6:.3f} MB" if isinstance(done, str) else ""
    print(f"{what}: {spent:.2f} s{size}")
    return done


def chain_bundle(ops: int, folder: Path) -> Path:
    from splitopt.config.job import read_job
    from splitopt.workflows.run import run_job

    (folder / "chain.tflite").write_bytes(convolution_chain(ops))
    job = folder / "chain.yaml"
    job.write_text(
        "model: {path: chain.tflite}\n"
        "board: {name: bench, sram_bytes: 67108864, headroom_bytes: 0}\n"
    )
    return run_job(job=read_job(job), out=folder, verify=False).folder


def main(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = run_bundle("mbv2_digits", folder)
        timed("run: read and rendered", lambda: render_run(load_run(bundle)))
        timed("run: rendered once more", lambda: render_run(load_run(bundle)))
        timed(
            "run: figures as SVG and PNG",
            lambda: write_charts(load_run(bundle), folder / "figures"),
        )
        chain = chain_bundle(200, folder)
        timed("chain of 200 ops: read and rendered", lambda: render_run(load_run(chain)))
        for points in sizes:
            home = folder / f"sweep_{points}"
            write_sweep(synthetic_sweep(run_documents(bundle), points), home)
            read = timed(f"sweep of {points} points: read", lambda home=home: load_sweep(home))
            timed(f"sweep of {points} points: rendered", lambda read=read: render_sweep(read))


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [200, 1000])
