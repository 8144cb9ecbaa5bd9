"""Plans one model for one objective and prints what that took, as JSON: a case of bench_planning.

python tests/bench/planning_case.py MODEL.tflite OBJECTIVE SECONDS
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.stages import StageClock
from planning_helpers import allowed_everywhere

from splitopt.arena.rules import target_rules
from splitopt.config.objective import ObjectiveSpec, integer_weights
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning import planner as planning
from splitopt.planning.pareto_front import plan_front
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.unsplit import unsplit
from splitopt.solvers import deadline
from splitopt.solvers.outcome import Outcome
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import cpsat, dp
from splitopt.solvers.partition.instance import Goal, PartitionInstance

OBJECTIVES = ("weighted", "peak", "budget", "front")
SHARE = 0.9
"""Of the unsplit model's RAM: the budget."""

Solved = list[tuple[PartitionInstance, Outcome[Any]]]


class CpuClock:
    """In the place of the module `time`, for deadlines."""

    monotonic = staticmethod(time.process_time)


def main(path: Path, objective: str, limit_s: float) -> None:
    graph = read_tflite(path)
    deadline.time = CpuClock()  # type: ignore[assignment]
    goal, planner = goal_of(graph, objective), Planner(table_of(graph))
    allowed = allowed_everywhere(len(graph.ops)) & has_both_ends(graph)
    request = PlanRequest(goal, allowed, SolveParams(limit_s))
    started_s = time.process_time()
    with recorded() as solved, StageClock() as clock:
        answer = plan_front(planner, request) if objective == "front" else planner.plan(request)
    figures = {
        "ops": len(graph.ops),
        "cpu_s": time.process_time() - started_s,
        "stages": clock.spent_s,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures | told(answer, goal) | {"dp": agreement(solved)}))


def table_of(graph: ModelGraph) -> SegmentTable:
    return SegmentTable(graph, target_rules("m55"), techniques=Techniques())


def goal_of(graph: ModelGraph, objective: str) -> Goal:
    """`weighted`: a byte for 1,000 instructions. `budget`: least added instructions."""
    if objective == "peak":
        return Goal(1, 0)
    if objective == "budget":
        return Goal(0, 1, capacity=int(SHARE * unsplit(table_of(graph)).ram_bytes))
    return Goal(*integer_weights(ObjectiveSpec(minimise="weighted")))


def told(answer: Any, goal: Goal) -> dict[str, Any]:
    """The answer's figures. Of a front, what each objective's optimum over it costs."""
    if isinstance(answer, SplitPlan):
        return {
            "status": answer.status.name,
            "cost": answer.cost,
            "bound": answer.bound,
            "peak_ram_bytes": answer.peak_ram_bytes,
            "added_insn": answer.added_insn,
            "pieces": len(answer.segments),
            "capacity": goal.capacity,
        }
    if hasattr(answer, "plans"):
        points = [(plan.peak_ram_bytes, plan.added_insn) for plan in answer.plans]
        status = "COMPLETE" if answer.is_complete else "NOT COMPLETE"
        return {"status": status, "points": points, "weights": (goal.ram_weight, goal.cost_weight)}
    status = answer.status.name if isinstance(answer, Outcome) else type(answer).__name__.upper()
    return {"status": status, "bound": getattr(answer, "bound", None)}


@contextmanager
def recorded() -> Iterator[Solved]:
    """Collects what the solver is asked for, and its answers."""
    found: Solved = []
    solve = planning.solve_partition

    def listening(instance: PartitionInstance, params: SolveParams, **how: bool) -> Outcome[Any]:
        outcome = solve(instance, params, **how)
        found.append((instance, outcome))
        return outcome

    planning.solve_partition = listening
    try:
        yield found
    finally:
        planning.solve_partition = solve


def agreement(solved: Solved) -> str:
    """Whether CP-SAT and the dynamic programme cost the same wherever they are sure of theirs."""
    proved = [(i, o) for i, o in solved if o.status.name in ("OPTIMAL", "INFEASIBLE")]
    for instance, outcome in proved:
        for other in (dp.solve(instance), cpsat.solve(instance)):
            is_sure = other.status.name in ("OPTIMAL", "INFEASIBLE")
            if is_sure and other.cost != outcome.cost:
                return f"CP-SAT and DP differ: {outcome.cost}, {other.cost}"
    return "CP-SAT = DP" if proved else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
