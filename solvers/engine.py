"""One call of CP-SAT under our parameters, independent of any model."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import ceil

from ortools.sat.python import cp_model

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.interrupt import is_asked_to_stop
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams

_STATUS = {
    cp_model.OPTIMAL: Status.OPTIMAL,
    cp_model.FEASIBLE: Status.FEASIBLE,
    cp_model.INFEASIBLE: Status.INFEASIBLE,
    cp_model.UNKNOWN: Status.UNKNOWN,
}

_LOOK_S = 0.1
"""How often a search looks whether it is asked to stop."""


def run(
    model: cp_model.CpModel,
    params: SolveParams,
    deadline: Deadline,
    *,
    linearization_level: int = 1,
) -> tuple[Status, cp_model.CpSolver]:
    """Solve for as long as the deadline leaves. Raises AssertionError on a malformed model.

    `linearization_level` 2 puts all constraints into the linear relaxation: much quicker where
    that is nearly exact, as for paths.
    """
    solver = cp_model.CpSolver()
    if deadline.is_over:
        return Status.UNKNOWN, solver
    solver.parameters.max_time_in_seconds = deadline.left_s
    solver.parameters.random_seed = params.seed
    solver.parameters.num_workers = params.workers
    solver.parameters.linearization_level = linearization_level
    solver.parameters.catch_sigint_signal = False
    status = _interruptible(solver, model)
    assert status in _STATUS, f"CP-SAT refused the model: {model.validate()}"
    return _STATUS[status], solver


def _interruptible(solver: cp_model.CpSolver, model: cp_model.CpModel) -> cp_model.CpSolverStatus:
    """Solves in a second thread: Ctrl-C ends the search, where CP-SAT would ignore it, and so does
    the request to stop, which leaves the best plan so far."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        solving = pool.submit(solver.solve, model)
        try:
            while not solving.done():
                with suppress(TimeoutError):
                    solving.result(timeout=_LOOK_S)
                if is_asked_to_stop():
                    solver.stop_search()
            return solving.result()
        except KeyboardInterrupt:
            solver.stop_search()
            raise


def proved_bound(solver: cp_model.CpSolver) -> int:
    """The proved lower bound of an integer objective, rounded up against float noise."""
    return ceil(solver.best_objective_bound - 1e-6)
