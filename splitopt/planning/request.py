"""What a job asks of the planner: a goal, the allowed segments, how long to solve."""

from __future__ import annotations

from dataclasses import dataclass, replace

from splitopt.config.job import Job
from splitopt.config.objective import Aim, integer_weights
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
    are equally good, any will do. `aim`: what the job asks for by name, see aims.py. `is_patient`
    false: where the searches over layouts give up, CP-SAT is asked over few options only."""

    goal: Goal
    allowed: Mask
    params: SolveParams
    with_ties: bool = True
    aim: Aim = "weighted"
    is_patient: bool = True

    def without_capacity(self) -> PlanRequest:
        return replace(self, goal=replace(self.goal, capacity=None))


def request_of(
    graph: ModelGraph,
    job: Job,
    names: CutNames | None = None,
    unsplit: tuple[int, int] | None = None,
) -> PlanRequest:
    """What a job asks for: its objective, limits, allowed cuts and time.

    `unsplit`: RAM and instructions of an Invoke of the unsplit model, by which `balanced` measures.
    Raises UsageError for cuts that the model does not have.
    """
    spec = job.spec
    ram_weight, cost_weight = integer_weights(spec.objective, *(unsplit or (1, 1)))
    goal = Goal(
        ram_weight=ram_weight,
        cost_weight=cost_weight,
        capacity=job.budget_bytes,
        max_cost=spec.objective.max_added_insn,
        max_segments=spec.pieces.max,
    )
    solve = spec.solve
    params = SolveParams(solve.time_limit_s, solve.seed, solve.workers)
    allowed = allowed_segments(graph, job, names)
    return PlanRequest(goal, allowed, params, aim=spec.objective.minimise)
