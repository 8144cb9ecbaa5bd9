"""Which options plans may need whose pieces are resident in the main SRAM.

What such pieces keep adds to the peak of the whole plan. Nothing that is kept makes a peak lower:
one that is rebuilt instead has room for its tail in its arena. It only saves instructions, but
where a model keeps state: a piece with state is resident, or there is no cut; and where boundary
tensors are left in place: a piece that is rebuilt reads a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from splitopt.planning.build_plan import named_option
from splitopt.planning.priced_options import kept_pool
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.state import stateful_ops
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.kept_paths import KeptLayouts, OtherPrice
from splitopt.solvers.partition.kept_pool import KeptPool, Priced
from splitopt.solvers.partition.kept_search import KeptSearch
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.lazy_pruning import Pruner
from splitopt.solvers.partition.least_rest import LeastRest
from splitopt.solvers.partition.option_pool import OptionName
from splitopt.solvers.partition.plan import PartitionPlan, plan_cost
from splitopt.solvers.partition.solve import solve as solve_partition
from splitopt.solvers.partition.stored import most_stored

_MOST_PRICE, _COSTS_LESS = 2**34, 2**10
"""The highest price that is tried; an instruction is cheaper than a byte."""

_STEPS = 6
"""Bisections of a price."""

_BESIDE = (1 / 4, 1 / 2, 2, 4)
"""Parts of a price at which paths with layouts are bounded, too."""

_PRICES = (1 / 5, 2 / 5, 3 / 5, 4 / 5, 9 / 10, 1, 11 / 10, 5 / 4, 3 / 2, 2, 4, 8)
"""Parts of a price at which paths over loads are bounded."""

_TRIES = 16
"""Plans of the least weight that are settled until one of them rests on exact figures."""

_ROUNDS = 3
"""Of prices, until one has a plan within the limits."""

Solved = tuple[Outcome[PartitionPlan], PartitionInstance]
InstanceOf = Callable[[Sequence[OptionName]], PartitionInstance]
"""Of options in all their ways."""


def with_residents(
    table: SegmentTable,
    solved: Solved,
    request: PlanRequest,
    instance_of: InstanceOf,
    deadline: Deadline,
) -> Solved:
    """The optimum where pieces may be resident in the main SRAM, too. `solved`: where none is."""
    switching, (outcome, _) = table.techniques.switching, solved
    goal = request.goal
    is_moot = outcome.status is Status.INFEASIBLE or not goal.cost_weight
    is_moot &= goal.max_cost is None and switching.may_rebuild
    is_moot &= not (table.nodes.left or stateful_ops(table.graph))
    if not switching.may_reside or is_moot:
        return solved
    return _ResidentSearch(table, solved, request, instance_of, deadline).run()


def residents_first(
    table: SegmentTable, request: PlanRequest, instance_of: InstanceOf, deadline: Deadline
) -> Solved | None:
    """The optimum of all plans at once, where added time alone counts, which such pieces mostly
    save; None where it is not found so."""
    goal, switching = request.goal, table.techniques.switching
    is_asked = switching.may_reside and not switching.memories and not request.with_ties
    if not is_asked or goal.ram_weight or not table.is_complete:
        return None
    nothing: Solved = Outcome(Status.UNKNOWN), instance_of(())
    search = _ResidentSearch(table, nothing, request, instance_of, deadline)
    found = search.run(gives_up=True)
    return found if found[0].status is Status.OPTIMAL and table.is_complete else None


class _ResidentSearch:
    def __init__(
        self,
        table: SegmentTable,
        solved: Solved,
        request: PlanRequest,
        instance_of: InstanceOf,
        deadline: Deadline,
    ) -> None:
        self._table, self._request, self._goal = table, request, request.goal
        self._known, self._instance = solved
        self._instance_of, self._deadline = instance_of, deadline
        self._pool: KeptPool = kept_pool(table, request.allowed)
        self._best: PartitionPlan | None = self._known.plan
        self._value = self._known.cost

    def run(self, *, gives_up: bool = False) -> Solved:
        """`gives_up`: where loads do not tell."""
        low, high = self._prices()
        if self._fits(low):
            pruner = self._settled(low)
            if pruner is None:
                return self._answer(self._value, is_proved=True)
            if self._is_settled(pruner.best):
                self._take(self._plan_of(pruner.best))
            if self._is_best(low, pruner) and not self._deadline.is_over:
                return self._answer(self._value, is_proved=True)
            low, high = self._prices()
        self._reach(high)
        for _ in range(_ROUNDS if self._value is None else 0):
            low, high = self._prices()  # by what is settled now
            self._reach(high)
            if self._value is not None:
                break
        pruner = Pruner(self._pool.weighed(low), low.plain, self._deadline)
        limit = self._limit(low)
        if self._deadline.is_over or (gives_up and limit is None):
            return self._answer(low.unlimited(pruner.bound))
        is_priced = low.cost_weight > 0
        if limit is None or not (is_priced or not self._request.with_ties):
            return self._by_solver(low, pruner)
        among = pruner.within(limit)
        prices = self._beside(high, _PRICES)
        found = KeptSearch(self._pool, among.numbers, prices).best(
            low.unlimited(limit), self._deadline
        )
        value = self._take(self._plan_of(found.names)) if found.names else None
        if not found.is_proved:
            return self._answer(found.bound)
        if found.names and value != found.bound:
            return self._with_layouts(low) if is_priced else self._by_solver(low, pruner)
        return self._answer(self._value, is_proved=True)

    def _with_layouts(self, priced: Priced) -> Solved:
        """Where the best plan by loads is laid out higher."""
        limit = self._limit(priced)
        pruner = Pruner(self._pool.weighed(priced), priced.plain, self._deadline)
        among, pool = pruner.within(limit), pruner.pool
        assert limit is not None, "a plan or a limit is known"
        others = tuple(
            OtherPrice(other, LeastRest(self._pool.weighed(other), among, other.plain))
            for other in self._beside(priced, _BESIDE)
        )
        boundaries = self._table.nodes.boundaries
        search = KeptLayouts(
            self._pool, pool, among, priced, limit, others, boundaries, self._option
        )
        found = search.best(self._deadline)
        if not found.is_proved:
            return self._answer(priced.unlimited(found.bound))
        if found.plan is not None and self._take(found.plan) is None:
            return self._by_solver(priced, pruner)
        return self._answer(self._value, is_proved=True)

    def _reach(self, priced: Priced) -> None:
        """The best plan at a price, if it soon rests on exact figures."""
        for _ in range(_TRIES):
            path = Pruner(self._pool.weighed(priced), priced.plain).best_now()
            if path is None or self._deadline.is_over:
                return
            if self._pool.is_exact[list(path.options)].all():
                self._take(self._plan_of([self._pool.name(k) for k in path.options]))
                return
            self._pool.settle(path.options, self._deadline)

    def _is_best(self, priced: Priced, pruner: Pruner) -> bool:
        """Whether no plan has a lower value than the best one so far."""
        return self._value is not None and priced.unlimited(pruner.bound) >= self._value

    def _beside(self, priced: Priced, parts: Sequence[float]) -> list[Priced]:
        """Parts of a price; the price itself, where it is nothing."""
        price = priced.price or priced.cost_price
        prices = {min(_MOST_PRICE, int(price * part)) for part in parts} - {0}
        return [self._at(other) for other in sorted(prices)] or [priced]

    def _limit(self, priced: Priced) -> int | None:
        """What plans weigh at most that are better than that without such pieces, and no worse than
        the best one so far; None where nothing is known of that."""
        value = self._goal.most_value if self._value is None else self._value
        if value is None:
            return None
        is_beaten = self._value is None or self._best is not self._known.plan
        return priced.limit(value if is_beaten else value - 1)

    def _answer(self, bound: int | None, *, is_proved: bool = False) -> Solved:
        """The best plan so far. `bound`: no plan with such pieces weighs less; none is better, if
        that is proved."""
        known, plan = self._known, self._best
        if is_proved and plan is known.plan:
            return known, self._instance
        bounds = (bound, known.bound)
        least = None if plan is None or None in bounds else min(b for b in bounds if b is not None)
        status = Status.UNKNOWN if plan is None else Status.FEASIBLE
        if is_proved:
            status, least = Status.OPTIMAL, self._value
        spent = known.wall_s + self._deadline.spent_s
        answer = Outcome(status, plan, self._value, least, spent)
        if plan is None or plan is known.plan:
            return answer, self._instance
        return answer, self._instance_of([(o.start, o.stop, o.key) for o in plan.options])

    def _by_solver(self, priced: Priced, pruner: Pruner) -> Solved:
        """Over all options that better plans may have; where layouts need more than loads, or with
        limits that paths do not know."""
        limit = None if self._value is None else priced.limit(self._value)
        names = pruner.kept_within(limit)
        known = () if self._best is None else self._best.options
        instance = self._instance_of([*names, *((o.start, o.stop, o.key) for o in known)])
        params = replace(self._request.params, time_limit_s=self._deadline.left_s)
        found = solve_partition(instance, params)
        is_better = found.cost is not None and (self._value is None or found.cost < self._value)
        if pruner.is_complete and (is_better or self._best is None):
            return found, instance
        if is_better:
            self._best, self._value = found.plan, found.cost
        is_proved = pruner.is_complete and found.status is Status.OPTIMAL
        return self._answer(priced.unlimited(pruner.bound), is_proved=is_proved)

    def _take(self, plan: PartitionPlan) -> int | None:
        """The value of a plan; None where it keeps a limit not. It is kept where it is better than
        the one before."""
        goal, cost = self._goal, plan_cost(plan)
        rooms = self._table.techniques.switching.rooms
        stored = most_stored(self._table.nodes.items, plan.options)
        fits = goal.fits(cost.peak) and (goal.max_cost is None or cost.added <= goal.max_cost)
        if not fits or any(own > room for own, room in zip(stored, rooms, strict=False)):
            return None
        value = goal.weigh(cost.peak, cost.added)
        if self._value is None or value < self._value:
            self._best, self._value = plan, value
        return value

    def _is_settled(self, names: Sequence[OptionName]) -> bool:
        """Whether they have exact figures, and these leave them: time may have run out before."""
        numbers = self._pool.numbers_of(names)
        return all(self._pool.is_exact[k] and self._pool.is_there(k) for k in numbers)

    def _plan_of(self, names: Sequence[OptionName]) -> PartitionPlan:
        """Laid out."""
        chosen, params = tuple(map(self._option, names)), SolveParams(self._deadline.left_s)
        laid_out = lay_out(chosen, self._table.nodes.boundaries, params)
        return PartitionPlan(chosen, laid_out.layout)

    def _option(self, name: OptionName) -> Option:
        return named_option(self._table, name)

    def _prices(self) -> tuple[Priced, Priced]:
        """Of a byte above the capacity, by present figures: one whose bound is high, and one, no
        lower, whose best plan keeps the capacity."""
        low = high = Priced(self._goal)
        if self._fits(low) or self._deadline.is_over:
            return low, low
        part = 1 if self._goal.cost_weight else _COSTS_LESS
        price = max(1, low.scale // part)
        while not self._fits(high := self._at(price)) and price < _MOST_PRICE // part:
            if self._deadline.is_over:
                break
            low, price = high, 8 * price
        bounds = [price // 8 if low.price or low.cost_price else 0, price]
        for _ in range(0 if self._deadline.is_over else _STEPS):
            middle = sum(bounds) // 2
            bounds[self._fits(self._at(middle))] = middle
        return self._at(bounds[0]), self._at(bounds[1])

    def _at(self, price: int) -> Priced:
        """Of what is limited: RAM, or cost where that is not minimised."""
        if self._goal.cost_weight:
            return Priced(self._goal, price=price)
        return Priced(self._goal, cost_price=price)

    def _fits(self, priced: Priced) -> bool:
        """Whether the best plan keeps the limit; so does none."""
        path = Pruner(self._pool.weighed(priced), priced.plain).best_now()
        if path is None:
            return True
        peak, cost = self._pool.amounts(path.options)
        if self._goal.cost_weight:
            return self._goal.fits(peak)
        return self._goal.max_cost is None or cost <= self._goal.max_cost

    def _settled(self, priced: Priced) -> Pruner | None:
        """With the best plan under exact figures; None where there is none."""
        pool = self._pool.weighed(priced)
        pruner = Pruner(pool, priced.plain, self._deadline)
        pruner.kept(with_ties=False)
        self._pool.learn(pool)
        return pruner if pruner.best else None
