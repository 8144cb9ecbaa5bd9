"""Exact partition by CP-SAT: choose over loads, lay out, cut off, choose again.

Where the layout of a choice needs more than its load, the model learns that (see model.LayoutCut)
and is solved again, until the best choice costs what it claims. The DP gives no more than
a first plan (`hints`), against whose cost options are dropped that cannot be in a better or equal
one (`prune`): a wrong DP could not make a wrong optimum.
"""

from dataclasses import dataclass, replace

from ortools.sat.python import cp_model

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.engine import proved_bound, run
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import dp
from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.layout_cuts import layout_cuts
from splitopt.solvers.partition.model import LayoutCut, PartitionModel, build
from splitopt.solvers.partition.plan import PartitionPlan, kept_bytes, plan_cost
from splitopt.solvers.partition.prune import fitting, least_sum, worthwhile


def solve(
    instance: PartitionInstance,
    params: SolveParams | None = None,
    by_dp: Outcome[PartitionPlan] | None = None,
) -> Outcome[PartitionPlan]:
    """The plan of smallest weighted sum, by CP-SAT on the options that pruning leaves.

    The outcome's cost and bound are weighted sums of the goal; OPTIMAL covers its tie-breaks, too.
    `by_dp`: what the DP says, where it was asked already.
    """
    return _Search(instance, params or SolveParams(), by_dp).run()


@dataclass(frozen=True)
class _Choice:
    """What a model chose: its options, the region it claims; whether all stages are proved."""

    numbers: tuple[int, ...]
    region: int
    kept: int
    is_proved: bool

    @property
    def peak(self) -> int:
        return self.region + self.kept


class _Search:
    """One solve: the best plan and the best bound so far, and the cuts that were learned."""

    def __init__(
        self,
        instance: PartitionInstance,
        params: SolveParams,
        by_dp: Outcome[PartitionPlan] | None = None,
    ) -> None:
        self.instance = instance
        self.params = params
        self.by_dp = by_dp
        self.deadline = Deadline(params.time_limit_s)
        self.best: PartitionPlan | None = None
        self.bound: int | None = None
        self.cuts: list[LayoutCut] = []

    def run(self) -> Outcome[PartitionPlan]:
        numbers = self._candidates()
        while not self.deadline.is_over:
            model = build(self.instance, numbers, self.cuts)
            status, choice = self._choose(model)
            if status is Status.INFEASIBLE:
                assert self.best is None, "a plan exists, the model cannot be infeasible"
                return Outcome(status, wall_s=self.deadline.spent_s)
            if choice is None:
                break
            is_real, cuts = self._settle(choice)
            if is_real or not cuts or not choice.is_proved:
                return self._answer(is_real and choice.is_proved)
            self.cuts += cuts
        return self._answer(False)

    def _candidates(self) -> list[int]:
        numbers = fitting(self.instance)
        if self.params.hints:
            self.best = self._first_plan()
        if self.best is not None and self.params.prune:
            numbers = worthwhile(self.instance, numbers, self._rank(self.best)[0])
        self.bound = least_sum(self.instance, numbers)
        return numbers

    def _first_plan(self) -> PartitionPlan | None:
        """Where the best path stores or keeps too much, the best one that does neither."""
        instance = self.instance
        plan = (self.by_dp or dp.solve(instance, self._limited())).plan
        if plan is None:
            bare = tuple(o for o in instance.options if not (any(o.stored) or o.kept))
            plan = dp.solve(replace(instance, options=bare), self._limited()).plan
        return plan

    def _choose(self, model: PartitionModel) -> tuple[Status, _Choice | None]:
        """Minimise stage by stage; the first stage that is not proved is the last."""
        choice = None
        first = Status.UNKNOWN
        self._hint_best(model)
        for number, stage in enumerate(model.stages):
            model.cp.minimize(stage)
            status, solver = run(model.cp, self.params, self.deadline, linearization_level=2)
            if number == 0:
                first = status
                self._learn_bound(status, solver, stage)
            if status.has_plan:
                choice = self._read(model, solver, status is Status.OPTIMAL and number == 2)
            if status is not Status.OPTIMAL or choice is None:
                return first, choice and replace(choice, is_proved=False)
            model.cp.add(stage <= solver.value(stage))
            model.hint(choice.numbers, choice.peak)
        return first, choice

    def _hint_best(self, model: PartitionModel) -> None:
        if self.best is not None:
            index = {option: i for i, option in enumerate(self.instance.options)}
            chosen = [index[option] for option in self.best.options]
            model.hint(chosen, plan_cost(self.best).peak)

    def _learn_bound(
        self, status: Status, solver: cp_model.CpSolver, stage: cp_model.LinearExprT
    ) -> None:
        """Cuts stay true and pruned options stay needless, so bounds of all rounds hold."""
        if status.has_plan:
            is_exact = status is Status.OPTIMAL
            bound = solver.value(stage) if is_exact else proved_bound(solver)
            self.bound = bound if self.bound is None else max(bound, self.bound)

    def _read(self, model: PartitionModel, solver: cp_model.CpSolver, is_proved: bool) -> _Choice:
        """The region is the lowest that the model allows for the chosen options."""
        chosen = {i for i, x in model.chosen.items() if solver.boolean_value(x)}
        regions = [self.instance.rams[i] for i in chosen]
        regions += [cut.region for cut in self.cuts if cut.holds(chosen)]
        kept = kept_bytes(self.instance.options[i] for i in chosen)
        ordered = sorted(chosen, key=lambda i: self.instance.options[i].start)
        return _Choice(tuple(ordered), max(regions), kept, is_proved)

    def _settle(self, choice: _Choice) -> tuple[bool, list[LayoutCut]]:
        """Lay the choice out and keep the better plan.

        Returns whether the plan costs what the choice claims, and what the model may learn.
        """
        goal = self.instance.goal
        options = tuple(self.instance.options[i] for i in choice.numbers)
        enough = None
        if goal.capacity is not None and not goal.ram_weight:
            enough = goal.capacity - choice.kept
        laid_out = lay_out(options, self.instance.boundaries, self._limited(), enough)
        region = laid_out.layout.region_bytes
        plan = PartitionPlan(options, laid_out.layout)
        fits = goal.fits(region + choice.kept)
        if fits and (self.best is None or self._rank(plan) < self._rank(self.best)):
            self.best = plan
        is_real = fits and (region <= choice.region or not goal.ram_weight)
        most = choice.region if enough is None else enough
        if is_real or laid_out.bound <= most:
            return is_real, []
        return False, layout_cuts(self.instance, choice.numbers, most, self._limited())

    def _answer(self, is_proved: bool) -> Outcome[PartitionPlan]:
        spent_s = self.deadline.spent_s
        if self.best is None:
            return Outcome(Status.UNKNOWN, bound=self.bound, wall_s=spent_s)
        cost = self._rank(self.best)[0]
        status = Status.OPTIMAL if is_proved else Status.FEASIBLE
        return Outcome(status, self.best, cost, self.bound, spent_s)

    def _rank(self, plan: PartitionPlan) -> tuple[int, int, int]:
        return plan_cost(plan).ranked(self.instance.goal)

    def _limited(self) -> SolveParams:
        return replace(self.params, time_limit_s=self.deadline.left_s)
