"""Chooses the cuts: prunes the options of all segments, solves, and says what was proved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import ceil

from splitopt.base.errors import UsageError
from splitopt.base.progress import Progress
from splitopt.planning.build_plan import solver_option, split_plan_of
from splitopt.planning.layout_search import LayoutSearch
from splitopt.planning.outside import Outside
from splitopt.planning.placing import Found, best_placed
from splitopt.planning.priced_options import option_pool
from splitopt.planning.request import PlanRequest
from splitopt.planning.resident_search import residents_first, with_residents
from splitopt.planning.segment import SegmentOption
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.switching import without_place
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.lazy_pruning import Pruner
from splitopt.solvers.partition.option_pool import OptionName
from splitopt.solvers.partition.plan import PartitionPlan, plan_cost
from splitopt.solvers.partition.solve import solve as solve_partition
from splitopt.solvers.partition.stored import most_stored

_PRUNING, _PRICING, _ORDERING = 0.8, 0.5, 0.8
"""How much of what is left of the time pruning may take, then the exact prices of what it kept, and
the search of all options with their layouts."""

_WIDENING, _FEW = (1 / 64, 1 / 8, 1), 1_000
"""How far to go from the least value of any plan to that of a known one, in turn; of so many
options, all the way at once."""

Solved = tuple[Outcome[PartitionPlan], PartitionInstance]
Answer = SplitPlan | Infeasible | Outcome[PartitionPlan]
"""A plan, the proof that there is none, or neither (UNKNOWN)."""


class Planner:
    """Plans one model on one board. Its segment table is kept for further requests."""

    def __init__(self, table: SegmentTable, progress: Progress = lambda _: None) -> None:
        self.table = table
        self._progress = progress
        self._placed: dict[Outside, Planner] = {}
        self._layouts = LayoutSearch(table)

    def plan(self, request: PlanRequest, deadline: Deadline | None = None) -> Answer:
        """An optimal (or at least feasible) plan, or Infeasible with the smallest feasible budget.

        All of it by the deadline, or within the request's time: bounds, bands, prices, the search.
        Where that is too little, the best plan so far is not proved; where there is none, the
        solver's outcome (UNKNOWN) comes back as it is.
        """
        deadline = deadline or Deadline(request.params.time_limit_s)
        found = self.find(request, deadline)
        if isinstance(found, Outcome) and found.status is Status.INFEASIBLE:
            return self._explain_infeasible(request, deadline)
        return found

    def find(self, request: PlanRequest, deadline: Deadline) -> Found:
        """As `plan`, but what has no plan is not explained. Boundary tensors lie where that is best
        of the places that memories beside the main SRAM are for, all of a kind in one."""
        if len(self.table.techniques.switching.outsides) == 1:
            return self.find_here(request, deadline)
        return best_placed(self, request, deadline)

    def placing(self, outside: Outside) -> Planner:
        """A planner of the same with boundary tensors in these places, which is kept."""
        if outside == self.table.outside:
            return self
        if outside not in self._placed:
            self._placed[outside] = Planner(self.table.placed(outside), self._progress)
        return self._placed[outside]

    def find_here(self, request: PlanRequest, deadline: Deadline) -> Found:
        """As `find`, with boundary tensors where the table has them; these may take more of a
        memory than what else is kept in it leaves."""
        outcome, instance = self.solve(request, deadline)
        if outcome.plan is None:
            return outcome
        check_plan(instance, outcome.plan, outcome.cost)
        return self.built(outcome, request)

    def solve(self, request: PlanRequest, deadline: Deadline | None = None) -> Solved:
        """The optimum over all segments, proved on those that pruning left.

        Pruning judges plans by their loads. Where a plan's layout needs more than its load, the
        plan is dearer than pruning assumed: then all options are searched together with their
        layouts. Where that takes too long, options up to the plan's real value are taken in again,
        those of the lowest value first.
        """
        deadline = deadline or Deadline(request.params.time_limit_s)
        self.prepare(request, deadline)
        instance_of = partial(self.instance, goal=request.goal, inside=True)
        first = residents_first(self.table, request, instance_of, deadline.share(_PRUNING))
        if first is not None:
            return first
        pruner = self.pruner(request, deadline.share(_PRUNING))
        kept = pruner.kept(with_ties=request.with_ties)
        if not pruner.is_complete:
            kept = sorted({*kept, *self._always(request, pruner)})
        quickly = self._is_complete(pruner)  # better layouts are looked for among all options
        least = pruner.bound if quickly else None
        solved = self._solve_kept(kept, pruner, request, deadline, quickly=quickly)
        is_late = solved[0].plan is None and deadline.is_over
        is_settled = self._is_complete(pruner)
        if is_late and solved[0].status is Status.INFEASIBLE:
            is_settled = False  # of some of the options
        if kept and is_settled and not (is_late or _is_settled(solved[0], pruner)):
            limited = deadline.share(_ORDERING)
            found = self._best_first(solved[0].cost, kept, pruner, request, limited)
            if found is not None:
                solved = found
            elif self._is_for_cpsat(solved[0].cost, pruner, request):
                solved = self._solve_kept(kept, pruner, request, deadline)
                solved, is_settled = self._widened(solved, pruner, request, deadline)
            else:
                is_settled = False
        if not is_settled:
            solved = self._unproved(solved[0], request, pruner, least), solved[1]
        return with_residents(self.table, solved, request, instance_of, deadline)

    def _is_complete(self, pruner: Pruner) -> bool:
        return pruner.is_complete and self.table.is_complete

    def _is_for_cpsat(self, known: int | None, pruner: Pruner, request: PlanRequest) -> bool:
        most = request.goal.most_value if known is None else known
        return request.is_patient or len(pruner.within(most).numbers) <= _FEW

    def _best_first(
        self,
        known: int | None,
        kept: Sequence[OptionName],
        pruner: Pruner,
        request: PlanRequest,
        deadline: Deadline,
    ) -> Solved | None:
        """The optimum over all options and their layouts, each in its cheapest way; None where that
        takes too long, or more of a memory than there is.

        `known`: what a plan is known to reach.
        """
        self._progress("choosing by layouts")
        goal = request.goal
        among = pruner.within(goal.most_value if known is None else known)
        outcome = self._layouts.best(pruner.pool, among, request, deadline)
        if outcome.status is Status.UNKNOWN:
            return None
        options = () if outcome.plan is None else outcome.plan.options
        names = {(option.start, option.stop, option.key) for option in options}
        instance = self.instance([*kept, *names], goal)
        is_possible = instance.fits_stores(options) and set(options) <= set(instance.options)
        return (outcome, instance) if is_possible else None

    def _widened(
        self, solved: Solved, pruner: Pruner, request: PlanRequest, deadline: Deadline
    ) -> tuple[Solved, bool]:
        """Solves over more and more options, and says whether all that were left out are worse
        than the answer."""
        least, known = pruner.bound, 0
        for part in _WIDENING:
            outcome, _ = solved
            most = request.goal.most_value if outcome.cost is None else outcome.cost
            if part < 1 and (most is None or len(pruner.within(most).numbers) <= _FEW):
                continue
            if deadline.is_over:
                return solved, False
            value = None if most is None else least + ceil((most - least) * part)
            wider = pruner.kept_within(value)
            if len(wider) > known:
                known = len(wider)
                solved = self._better(solved, self._solve_kept(wider, pruner, request, deadline))
            cost = solved[0].cost
            if not self._is_complete(pruner):
                return solved, False
            if value is None or (cost is not None and cost <= value):
                break
        return solved, True

    def prepare(self, request: PlanRequest, deadline: Deadline) -> None:
        """Finds bands and bounds all options, for this and further requests."""
        self._progress("bounding segments and bands")
        self.table.begin(deadline)
        option_pool(self.table, request.allowed, self._progress)

    def _unproved(
        self,
        outcome: Outcome[PartitionPlan],
        request: PlanRequest,
        pruner: Pruner,
        least: int | None,
    ) -> Outcome[PartitionPlan]:
        """What is said where options are missing: a plan, and a bound that holds for all plans,
        `least` where that was found in time. Of bands that were not found it is only known that
        Invoke is not negative."""
        is_ruled_out = self.table.is_complete and not pruner.has_plans
        if outcome.status is Status.INFEASIBLE and not is_ruled_out:
            return replace(outcome, status=Status.UNKNOWN)
        if outcome.cost is None:  # its bound is that of the options which were priced
            return replace(outcome, bound=None)
        if self.table.is_complete:
            least = pruner.bound
        elif least is None:
            least = request.goal.weigh(0, -self.table.whole_invoke(0, len(self.table.graph.ops)))
        return replace(outcome, status=Status.FEASIBLE, bound=min(outcome.cost, least))

    def _always(self, request: PlanRequest, pruner: Pruner) -> list[OptionName]:
        """What is tried however little time there is: the model in one piece, and the best plan
        that pruning has found."""
        whole = 0, len(self.table.graph.ops)
        uncut = [(*self.table.nodes.whole, 0)] if request.allowed[whole] else []
        return [*pruner.best, *uncut]

    def _better(self, first: Solved, second: Solved) -> Solved:
        """The second, which is over more options. Where time ran out, the better of both; that some
        options are missing shows in the table."""
        before, now = first[0].cost, second[0].cost
        if before is not None and (now is None or now > before):
            self.table.is_complete = False
            return first
        return second

    def _solve_kept(
        self,
        kept: Sequence[OptionName],
        pruner: Pruner,
        request: PlanRequest,
        deadline: Deadline,
        *,
        quickly: bool = False,
    ) -> Solved:
        self._progress(f"replaying TFLM's planner on {len(kept)} pieces")
        always = self._always(request, pruner)
        instance = self.instance(self._in_time(kept, deadline, always), request.goal)
        self._progress("choosing cuts, bands and offline plans")
        params = replace(request.params, time_limit_s=deadline.left_s)
        return solve_partition(instance, params, quickly=quickly), instance

    def _in_time(
        self, kept: Sequence[OptionName], deadline: Deadline, always: Sequence[OptionName]
    ) -> list[OptionName]:
        """Those that are priced, or can be in time; some of it is left to the search."""
        pricing, found = deadline.share(_PRICING), []
        for start, stop, key in kept:
            name = start, stop, without_place(key)
            if (start, stop, key) in always or self.table.is_priced(*name) or not pricing.is_over:
                self.table.option(*name)
                found.append(name)
        self.table.is_complete &= len(found) == len(kept)
        return found

    def instance(
        self,
        kept: Sequence[OptionName],
        goal: Goal,
        *,
        is_cheapest: bool = False,
        inside: bool = False,
    ) -> PartitionInstance:
        """The solver's instance over these options, all figures exact; wherever a name says that
        their pieces are. `is_cheapest`: each as if memories held all that plans put into them.
        `inside`: pieces may be resident in the main SRAM, too.

        Raises UsageError where the objective's weights take its sums out of 64 bits.
        """
        table, rooms = self.table, self.table.techniques.switching.rooms
        names = sorted({(start, stop, without_place(key)) for start, stop, key in kept})
        found = [option for name in names if (option := table.option(*name)) is not None]
        nodes = table.nodes
        options = tuple(self._options(found, is_cheapest=is_cheapest, inside=inside))
        try:
            return PartitionInstance(nodes.items, options, nodes.boundaries, goal, rooms)
        except ValueError as error:
            raise UsageError(f"$.objective: weights too large for this model ({error})") from error

    def _options(
        self, found: Sequence[SegmentOption], *, is_cheapest: bool, inside: bool
    ) -> Iterator[Option]:
        """Each in the ways that count where memories are large enough; in all, where a plan might
        put more into a memory than it holds."""
        table, switching = self.table, self.table.techniques.switching
        every = [(option, table.choices(option)) for option in found]
        options = [
            solver_option(table, option, way)
            for option, choices in every
            for way in switching.free_ways(choices)
        ]
        most = most_stored(table.nodes.items, options)
        fit = (own <= room for own, room in zip(most, switching.rooms, strict=False))
        if is_cheapest or (all(fit) and not inside):
            yield from options
            return
        for option, choices in every:
            ways = switching.ways(choices, inside=inside)
            yield from (solver_option(table, option, way) for way in ways)

    def pruner(self, request: PlanRequest, deadline: Deadline | None = None) -> Pruner:
        """The allowed options under bounds; exact figures come from the table."""
        pool = option_pool(self.table, request.allowed, self._progress)
        return Pruner(pool, request.goal, deadline)

    def _explain_infeasible(self, request: PlanRequest, deadline: Deadline) -> Infeasible:
        """The smallest budget with a plan, every other limit kept; proved as any plan is."""
        self._progress("finding the smallest feasible budget")
        goal = replace(request.goal, ram_weight=1, cost_weight=0, capacity=None)
        found = self.find(replace(request, goal=goal), deadline)
        if isinstance(found, SplitPlan):
            return Infeasible(request.goal, replace(found, goal=request.goal))
        return Infeasible(request.goal, None, found.status is not Status.UNKNOWN)

    def built(self, outcome: Outcome[PartitionPlan], request: PlanRequest) -> SplitPlan:
        """Of an outcome that has a plan."""
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
        return False
    cost = plan_cost(outcome.plan)
    return pruner.reaches_best(outcome.cost or 0, cost.segments, cost.copied_bytes)
