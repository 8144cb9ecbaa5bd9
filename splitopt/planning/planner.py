"""Chooses the cuts: prunes the options of all segments, solves, and says what was proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from splitopt.base.errors import UsageError
from splitopt.base.progress import Progress
from splitopt.planning.build_plan import solver_option, split_plan_of
from splitopt.planning.option_bounds import option_bounds
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_bounds import boundaries_of
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition import cpsat
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, PartitionInstance
from splitopt.solvers.partition.lazy_pruning import OptionName, Pruner
from splitopt.solvers.partition.plan import PartitionPlan, plan_cost

Solved = tuple[Outcome[PartitionPlan], PartitionInstance]


class Planner:
    """Plans one model on one board. Its segment table is kept for further requests."""

    def __init__(self, table: SegmentTable, progress: Progress = lambda _: None) -> None:
        self.table = table
        self._progress = progress
        self._boundaries = boundaries_of(table.graph)

    def plan(self, request: PlanRequest) -> SplitPlan | Infeasible | Outcome[PartitionPlan]:
        """An optimal (or at least feasible) plan, or Infeasible with the smallest feasible budget.

        Where time ran out without a plan, the solver's outcome (UNKNOWN) comes back as it is.
        """
        outcome, instance = self.solve(request)
        if outcome.status is Status.INFEASIBLE:
            return self._explain_infeasible(request)
        if outcome.plan is None:
            return outcome
        check_plan(instance, outcome.plan, outcome.cost)
        return self._built(outcome, request)

    def solve(self, request: PlanRequest) -> Solved:
        """The optimum over all segments, proved on those that pruning left.

        Pruning judges plans by their loads. A plan whose layout needs more than its load is
        dearer than pruning assumed: then options up to its real value are taken in again.
        """
        self._progress("bounding segments and bands")
        pruner = self.pruner(request)
        kept = pruner.kept()
        outcome, instance = self._solve_kept(kept, request)
        if kept and not _is_settled(outcome, pruner):
            wider = pruner.kept_within(outcome.cost)
            if len(wider) > len(kept):
                return self._widen(outcome, instance, wider, request)
        return outcome, instance

    def _widen(
        self,
        first: Outcome[PartitionPlan],
        instance: PartitionInstance,
        wider: Sequence[OptionName],
        request: PlanRequest,
    ) -> Solved:
        """Solves over more options; the first plan stays, unproved, where time runs out."""
        second, wider_instance = self._solve_kept(wider, request)
        if second.plan is None and first.plan is not None:
            return replace(first, status=Status.FEASIBLE, bound=second.bound or 0), instance
        return second, wider_instance

    def _solve_kept(self, kept: Sequence[OptionName], request: PlanRequest) -> Solved:
        self._progress(f"replaying TFLM's planner on {len(kept)} pieces")
        instance = self.instance(kept, request.goal)
        self._progress("choosing cuts, bands and offline plans (CP-SAT)")
        return cpsat.solve(instance, request.params), instance

    def instance(self, kept: Sequence[OptionName], goal: Goal) -> PartitionInstance:
        """The solver's instance over these options, all figures exact.

        Raises UsageError where the objective's weights take its sums out of 64 bits.
        """
        options = tuple(
            solver_option(option) for name in kept for option in self.table.options(*name)
        )
        n = len(self.table.graph.ops)
        try:
            return PartitionInstance(n, options, self._boundaries, goal)
        except ValueError as error:
            raise UsageError(f"$.objective: weights too large for this model ({error})") from error

    def pruner(self, request: PlanRequest) -> Pruner:
        """The allowed options under bounds; exact figures come from the table."""
        table = self.table

        def exact(start: int, stop: int, variant: int) -> list[tuple[int, int]]:
            loads = table.boundary.load_in_bands if variant else table.boundary.load
            outside = int(loads[start, stop])
            options = table.options(start, stop, variant)
            return [(option.arena_bytes + outside, option.added_insn) for option in options]

        bounds = option_bounds(table, request.allowed)
        return Pruner(bounds, len(table.graph.ops), exact, request.goal)

    def _explain_infeasible(self, request: PlanRequest) -> Infeasible:
        """The smallest budget with a plan, every other limit kept; proved by CP-SAT."""
        self._progress("finding the smallest feasible budget")
        goal = replace(request.goal, ram_weight=1, cost_weight=0, capacity=None)
        outcome, _ = self.solve(replace(request, goal=goal))
        return Infeasible(
            request.goal, None if outcome.plan is None else self._built(outcome, request)
        )

    def _built(self, outcome: Outcome[PartitionPlan], request: PlanRequest) -> SplitPlan:
        return split_plan_of(
            self.table,
            outcome.found,
            request.goal,
            outcome.status,
            cost=outcome.cost or 0,
            bound=outcome.bound or 0,
            solve_s=outcome.wall_s,
        )


def _is_settled(outcome: Outcome[PartitionPlan], pruner: Pruner) -> bool:
    """Whether the answer over the kept options is the answer over all."""
    if outcome.plan is None:
        return outcome.status is not Status.INFEASIBLE
    cost = plan_cost(outcome.plan)
    return pruner.reaches_best(outcome.cost or 0, cost.segments, cost.copied_bytes)
