"""The front door of partition: the dynamic programme where it proves its answer, else CP-SAT.

A layout that reaches the load of the best path over loads is a proof, and so is it that no path
keeps the limits. Then CP-SAT has nothing to add, and OR-tools is not loaded.
"""

from dataclasses import replace

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import dp
from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.plan import PartitionPlan


def solve(
    instance: PartitionInstance, params: SolveParams | None = None, *, quickly: bool = False
) -> Outcome[PartitionPlan]:
    """The plan of smallest weighted sum, ties as by `cpsat.solve`, and a proved bound of it.
    `quickly`: what the dynamic programme says will do, proved or not."""
    params = params or SolveParams()
    deadline = Deadline(params.time_limit_s)
    found = dp.solve(instance, params)
    if found.status in (Status.OPTIMAL, Status.INFEASIBLE) or quickly:
        return found
    from splitopt.solvers.partition import cpsat  # loads OR-tools

    return cpsat.solve(instance, replace(params, time_limit_s=deadline.left_s), found)
