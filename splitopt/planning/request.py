"""What a job asks of the planner: a goal, the allowed segments, how long to solve."""

from __future__ import annotations

from dataclasses import dataclass, replace

from splitopt.config.job import Job
from splitopt.config.objective import integer_weights
from splitopt.graph.model import ModelGraph
from splitopt.planning.allowed_cuts import CutNames, allowed_segments
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.option_pool import Mask

__all__ = ["Deadline", "PlanRequest", "request_of"]


@dataclass(frozen=True)
class PlanRequest:
    """What to minimise within which limits, over which segments. `with_ties` false: of plans that
    are equally good, any will do."""

    goal: Goal
    allowed: Mask
    params: SolveParams
    with_ties: bool = True

    def without_capacity(self) -> PlanRequest:
        return replace(self, goal=replace(self.goal, capacity=None))


def request_of(graph: ModelGraph, job: Job, names: CutNames | None = None) -> PlanRequest:
    """What a job asks for: its objective, limits, allowed cuts and time. Raises UsageError for cuts
    that the model does not have."""
    spec = job.spec
    ram_weight, cost_weight = integer_weights(spec.objective)
    goal = Goal(
        ram_weight=ram_weight,
        cost_weight=cost_weight,
        capacity=job.budget_bytes,
        max_cost=spec.objective.max_added_insn,
        max_segments=spec.pieces.max,
    )
    solve = spec.solve
    params = SolveParams(solve.time_limit_s, solve.seed, solve.workers)
    return PlanRequest(goal, allowed_segments(graph, job, names), params)
