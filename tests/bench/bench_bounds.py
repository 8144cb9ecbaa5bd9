"""How far bounds of segments on all rows lie below the exact figures, and how long both take.

    python tests/bench/bench_bounds.py [MODEL.tflite or chain:OPS, mobilenet:OPS, unet:OPS]...

Gaps of RAM in bytes and of added instructions in per cent of the exact ones: worst and mean of all
segments, or of 1,000 of them. `any`: bounds that hold with an offline plan, too. CPU time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import synthetic

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.solvers.partition.shortest_paths import Matrix

MODELS = Path(__file__).parents[2] / "configs" / "models"
MADE = {
    "chain": synthetic.convolution_chain,
    "mobilenet": synthetic.mobilenet_v2_like,
    "unet": synthetic.u_net,
}
MOST_SEGMENTS = 1000


def main() -> None:
    names = sys.argv[1:] or [*map(str, sorted(MODELS.glob("*.tflite"))), "chain:100", "unet:100"]
    print("model, ops                    bounds   a price  RAM gap: stock        any  insn gap")
    for name in names:
        graph = _graph(name)
        n, table = len(graph.ops), SegmentTable(graph, target_rules("m55"))
        started = time.process_time()
        bounds: tuple[Matrix, ...] = (table.stock_ram_bound, table.ram_bound)
        bounds += (table.stock_added_bound(),)
        bounded = time.process_time() - started
        allowed = has_both_ends(graph)
        allowed[0, n] = False
        segments = np.argwhere(allowed)
        if len(segments) > MOST_SEGMENTS:
            segments = np.random.default_rng(0).choice(segments, MOST_SEGMENTS, replace=False)
        started = time.process_time()
        exact = [(table.ram(a, b), table.figures(a, b).added_insn) for a, b in segments.tolist()]
        priced = (time.process_time() - started) / len(exact)
        ram, added = np.array(exact).T
        stock, anyhow, insn = (bound[tuple(segments.T)] for bound in bounds)
        shares = 100 * (added - insn) / added
        print(
            f"{Path(name).stem:24} {n:4} {bounded:7.3f} s {1000 * priced:6.2f} ms"
            f"  {_gap(ram - stock)}  {_gap(ram - anyhow)}"
            f"  {shares.max():.2f} {shares.mean():.3f} %",
            flush=True,
        )


def _graph(name: str) -> ModelGraph:
    kind, _, ops = name.partition(":")
    if ops:
        return parse_tflite(MADE[kind](int(ops)), name=kind, where=name)
    return read_tflite(Path(name))


def _gap(gaps: Matrix) -> str:
    return f"{gaps.max():6} {gaps.mean():6.1f}"


if __name__ == "__main__":
    main()
