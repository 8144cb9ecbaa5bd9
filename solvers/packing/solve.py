"""The front door of packing: offsets of the lowest high-water mark, or any within a capacity.

Groups of buffers between which nothing is alive are packed one by one. For each, what is cheap
comes first: the load as a bound, TFLM's greedy plan, a short local and a short exact search, a long
one of each, and CP-SAT for the rest of the time.
"""

from collections.abc import Sequence
from functools import cached_property

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.packing import local_search
from splitopt.solvers.packing.check import check_plan
from splitopt.solvers.packing.greedy_replay import plan_greedy
from splitopt.solvers.packing.instance import PackingInstance
from splitopt.solvers.packing.parts import part_of, parts
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.packing.squeeze import Bracket, Squeeze
from splitopt.solvers.packing.times import ranked_times
from splitopt.solvers.params import SolveParams

_LOCAL_SEARCH_S = 0.5
BRIEFLY = 50
"""Of the local search that comes before the exact one: most small groups need no more."""
_BRIEF_SHARE, _EXACT_SHARE = 0.4, 0.6
"""Of the time that is left, for the short and for the long exact search."""


def solve(instance: PackingInstance, params: SolveParams | None = None) -> Outcome[PackingPlan]:
    """Offsets of the lowest high-water mark, with a proved bound of it. Buffers of no size go to
    their pin or to 0.

    A group that cannot be proved does no harm where another is proved to reach as high.
    """
    return _by_groups(instance, params or SolveParams(), is_lowest_wanted=True)


def fit(instance: PackingInstance, params: SolveParams | None = None) -> Outcome[PackingPlan]:
    """Any offsets within the capacity of the instance: FEASIBLE where they are not proved to have
    the lowest mark, too. Without a capacity, it is `solve`."""
    is_lowest_wanted = instance.capacity is None
    return _by_groups(instance, params or SolveParams(), is_lowest_wanted=is_lowest_wanted)


def brief_deadline(deadline: Deadline) -> Deadline:
    """Of a local search."""
    return Deadline(min(_LOCAL_SEARCH_S, deadline.left_s / 10))


def _by_groups(
    instance: PackingInstance, params: SolveParams, *, is_lowest_wanted: bool
) -> Outcome[PackingPlan]:
    deadline = Deadline(params.time_limit_s)
    groups = sorted(parts(instance), key=len)  # small ones leave their time to the others
    found = []
    for left, group in zip(range(len(groups), 0, -1), groups, strict=True):
        limited = Deadline(deadline.left_s / left) if left > 1 else deadline
        solver = _Group(part_of(instance, group), params, limited, is_lowest_wanted)
        found.append(solver.outcome())
    return _joined(instance, groups, found, deadline)


def _joined(
    instance: PackingInstance,
    groups: Sequence[tuple[int, ...]],
    found: Sequence[Outcome[PackingPlan]],
    deadline: Deadline,
) -> Outcome[PackingPlan]:
    """The outcome of the whole from those of its parts."""
    if any(outcome.status is Status.INFEASIBLE for outcome in found):
        return Outcome(Status.INFEASIBLE, wall_s=deadline.spent_s)
    bound = max((outcome.bound or 0 for outcome in found), default=0)
    plans = [outcome.plan for outcome in found]
    offsets = [0] * len(instance.buffers)
    for group, plan in zip(groups, plans, strict=True):
        if plan is None:
            return Outcome(Status.UNKNOWN, bound=bound, wall_s=deadline.spent_s)
        for index, offset in zip(group, plan.offsets, strict=True):
            offsets[index] = offset
    whole = PackingPlan(tuple(offsets))
    high = whole.high_water_mark(instance)
    status = Status.OPTIMAL if high == bound else Status.FEASIBLE
    return Outcome(status, whole, high, bound, deadline.spent_s)


class _Group:
    """Buffers that are connected by overlapping live ranges, and what is known of their mark."""

    def __init__(
        self,
        instance: PackingInstance,
        params: SolveParams,
        deadline: Deadline,
        is_lowest_wanted: bool,
    ) -> None:
        self._instance = ranked_times(instance)
        self._timed = instance
        self._params = params
        self._deadline = deadline
        pins = [b.offset + b.size for b in instance.buffers if b.offset is not None]
        self._known = Bracket(max([instance.peak_load, *pins]))
        self._is_lowest_wanted = is_lowest_wanted

    @cached_property
    def _searches(self) -> Squeeze:
        return Squeeze(self._timed, is_fit_enough=not self._is_lowest_wanted)

    def outcome(self) -> Outcome[PackingPlan]:
        if self._is_impossible:
            return self._as_it_is()
        self._quickly()
        for step in (
            self._exact_briefly,
            self._locally,
            self._exact_at_length,
        ):
            if self._is_done and self._params.cheap_proofs:
                break
            step()
        return self._as_it_is() if self._is_settled else self._by_cpsat()

    @property
    def _is_impossible(self) -> bool:
        capacity = self._instance.capacity
        return capacity is not None and self._known.bound > capacity

    @property
    def _is_done(self) -> bool:
        """Nothing is left to find out."""
        has_enough = self._known.plan is not None and not self._is_lowest_wanted
        return self._is_impossible or self._known.is_closed or has_enough

    @property
    def _is_settled(self) -> bool:
        """Nothing is left that CP-SAT is to find out or to confirm."""
        return self._is_impossible or (self._is_done and self._params.cheap_proofs)

    def _offer(self, plan: PackingPlan) -> None:
        """Keeps the plan if it keeps all rules, the capacity among them, and is the lowest."""
        try:
            check_plan(self._instance, plan)
        except InvalidPlan:
            return
        self._known = self._known.with_plan(plan, plan.high_water_mark(self._instance))

    def _exact_briefly(self) -> None:
        if self._params.search:
            limited = self._deadline.share(_BRIEF_SHARE)
            self._known = self._searches.narrowed(self._known, limited)

    def _exact_at_length(self) -> None:
        limited = self._deadline.share(_EXACT_SHARE)
        while self._params.search and self._searches.can_search:
            if self._is_done or limited.is_over:
                break
            self._known = self._searches.narrowed(self._known, limited)

    def _quickly(self) -> None:
        """The greedy plan, and a local search where that is too high. Pins may make one of the two
        invalid."""
        greedy = plan_greedy(self._instance)
        mark = greedy.high_water_mark(self._instance)
        if mark > self._known.bound:
            self._locally(BRIEFLY)
        if self._known.mark is None or mark < self._known.mark:
            self._offer(greedy)

    def _locally(self, give_up_after: int = local_search.GIVE_UP_AFTER) -> None:
        """It gets little time: it finds early what it finds."""
        if self._params.hints:
            limited = brief_deadline(self._deadline)
            bound, seed = self._known.bound, self._params.seed
            self._offer(local_search.search(self._instance, bound, limited, seed, give_up_after))

    def _as_it_is(self) -> Outcome[PackingPlan]:
        spent_s, known = self._deadline.spent_s, self._known
        if self._is_impossible:
            return Outcome(Status.INFEASIBLE, wall_s=spent_s)
        if known.plan is None:
            return Outcome(Status.UNKNOWN, bound=known.bound, wall_s=spent_s)
        status = Status.OPTIMAL if known.is_closed else Status.FEASIBLE
        return Outcome(status, known.plan, known.mark, known.bound, spent_s)

    def _by_cpsat(self) -> Outcome[PackingPlan]:
        left_s = self._deadline.left_s
        from splitopt.solvers.packing import cpsat  # loads OR-tools, which most groups do not need

        known, deadline = self._known, Deadline(left_s)  # loading counts as nothing
        return cpsat.improve(self._instance, known.plan, known.bound, self._params, deadline)
