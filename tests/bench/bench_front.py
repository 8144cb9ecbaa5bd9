"""Planning below the single-op bound: how long optimum and front take, what the front reaches.

    python tests/bench/bench_front.py MODEL.tflite...

Headroom 0. Per cent are of the unsplit model's estimated Invoke: what Invoke and copies take more
(rows computed more than once, copies of boundary tensors), and AllocateTensors with construction.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from planning_helpers import allowed_everywhere

from splitopt.arena.rules import target_rules
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.pareto_front import plan_front
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.unsplit import unsplit
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        graph = read_tflite(path)
        n = len(graph.ops)
        allowed = allowed_everywhere(n) & has_both_ends(graph)
        request = PlanRequest(Goal(64, 1), allowed, SolveParams(60.0))

        def planner() -> Planner:
            rules = target_rules("m55")
            return Planner(SegmentTable(graph, rules, techniques=Techniques()))  # noqa: B023

        whole = unsplit(planner().table)
        started = time.monotonic()
        optimum = planner().plan(request)
        took = time.monotonic() - started
        assert isinstance(optimum, SplitPlan)
        print(f"{path.stem}: {n} ops, {whole.ram_bytes:,} B unsplit")
        print(f"  optimum at 64 instructions a byte: {optimum.status.name} in {took:.2f} s")
        started = time.monotonic()
        front = plan_front(planner(), request)
        took = time.monotonic() - started
        complete = "complete" if front.is_complete else "NOT COMPLETE"
        print(f"  front: {len(front.plans)} points, {complete}, in {took:.2f} s")
        share = 100 / whole.invoke.insn
        for plan in in_bytes_and_time(front.plans):
            more = share * (plan.copy_insn + plan.recomputed_insn)
            rebuilt = share * plan.rebuild_insn
            bands = sum(len(s.figures.executions) for s in plan.segments)
            print(
                f"  {plan.peak_ram_bytes:9,} B  Invoke and copies {more:+7.2f} %  AllocateTensors "
                f"{rebuilt:+6.1f} %  {len(plan.segments):2} pieces  {bands:3} bands"
            )


def in_bytes_and_time(plans: Sequence[SplitPlan]) -> list[SplitPlan]:
    """Those that are not on the front for their few cuts alone, by falling peak."""
    kept: list[SplitPlan] = []
    for plan in sorted(plans, key=lambda plan: (plan.peak_ram_bytes, plan.added_insn)):
        if not kept or plan.added_insn < kept[-1].added_insn:
            kept.append(plan)
    return kept[::-1]


if __name__ == "__main__":
    main()
