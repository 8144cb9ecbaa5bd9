"""The best plan with its layout, by the best path over loads and conflicts.

The best path by what is known is laid out. Where it fits no region of what it claims, a few of its
segments are to blame (see order_conflicts.py): that is a conflict, and no path that holds it comes
again. So the first path whose layout needs no more than it claims is the best plan. Only options
of such paths are settled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.distinct import distinct
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.allowed_paths import AllowedPath, AllowedPaths, TooManyPaths
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.conflicts import Conflict
from splitopt.solvers.partition.forbidden import Forbidden
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out, lay_out_quickly
from splitopt.solvers.partition.least_rest import TIE_SEGMENT
from splitopt.solvers.partition.option_pool import OptionName, OptionPool, Survivors
from splitopt.solvers.partition.orders import Undecided
from splitopt.solvers.partition.pareto import Learnt
from splitopt.solvers.partition.plan import Layout, PartitionPlan
from splitopt.solvers.partition.shapes import relaxed
from splitopt.solvers.partition.shortest_paths import NEVER, Column
from splitopt.solvers.partition.stand_ins import is_gap, is_stand_in
from splitopt.solvers.partition.through import lowest_peak

_MOST_ROUNDS = 32
"""Paths that are laid out before a search is given up."""

_FIRST_STEP = 1_024
"""The part of the least cost that paths may cost more at first."""

_UNDECIDED = 0.5
"""Of the time that is left, for a layout of which orders do not decide."""


def best_plan(
    pool: OptionPool,
    among: Survivors,
    goal: Goal,
    boundaries: Sequence[Boundary],
    option_of: Callable[[OptionName], Option],
    deadline: Deadline,
    *,
    learnt: Learnt | None = None,
    with_ties: bool = True,
    effort: float = 1,
) -> Outcome[PartitionPlan]:
    """The optimum over these options of a pool, ties as ever, or a proof that there is none.

    Arguments as of best_first.best_plan. `learnt`: of layouts; what comes to be known is added.
    `effort`: a part of the most rounds.
    UNKNOWN where time, rounds or paths are over, and where the goal
    weighs both RAM and cost or has limits that paths do not know; its bound holds.
    """
    has_both = bool(goal.ram_weight and goal.cost_weight)
    has_tied_cost = goal.ram_weight > 0 and goal.max_cost is not None and with_ties
    if has_both or has_tied_cost or goal.max_segments is not None:
        return Outcome(Status.UNKNOWN)
    return _Search(
        pool,
        among,
        goal,
        boundaries,
        option_of,
        learnt or Learnt.between(boundaries),
        with_ties,
        effort,
    ).run(deadline)


class _Search:
    def __init__(
        self,
        pool: OptionPool,
        among: Survivors,
        goal: Goal,
        boundaries: Sequence[Boundary],
        option_of: Callable[[OptionName], Option],
        learnt: Learnt,
        with_ties: bool,
        effort: float,
    ) -> None:
        self._most_rounds = int(effort * _MOST_ROUNDS)
        self._pool, self._goal, self._boundaries = pool, goal, boundaries
        self._among, self._option_of, self._with_ties = among.numbers, option_of, with_ties
        self._options: dict[int, Option] = {}
        self._forbidden = Forbidden(pool, self._option)
        costs_count = goal.cost_weight or goal.max_cost is not None
        self._costs = pool.cost if costs_count else np.zeros_like(pool.cost)
        self._ties = np.zeros_like(pool.cost)
        self._renew_ties()
        self._paths = AllowedPaths(pool, self._among, self._costs, self._ties, self._forbidden)
        self._learnt, self._needs = learnt, learnt.needs
        for conflict in learnt.conflicts:
            self._forbidden.add(conflict)
        self._region = lowest_peak(pool, among) or 0
        """No plan needs less."""
        self._least: int | None = None
        """No path costs less, where cost alone counts."""

    def run(self, deadline: Deadline) -> Outcome[PartitionPlan]:
        bound: int | None = None
        for _ in range(self._most_rounds):
            try:
                path = self._path(deadline)
            except TooManyPaths:
                break
            if deadline.is_over:
                break
            if path is None:
                return Outcome(Status.INFEASIBLE, wall_s=deadline.spent_s)
            bound = self._goal.weigh(self._region, path.cost)
            options = tuple(map(self._option, path.options))
            found = self._decided(options, self._pool.ram[list(path.options)].tolist(), deadline)
            if isinstance(found, Layout):
                self._learnt.layouts[options] = found
                plan = PartitionPlan(options, found)
                return Outcome(Status.OPTIMAL, plan, bound, bound, deadline.spent_s)
            if found is None:
                break
            self._learnt.conflicts.append(found)
            self._forbidden.add(found)
        return Outcome(Status.UNKNOWN, bound=bound, wall_s=deadline.spent_s)

    def _path(self, deadline: Deadline) -> AllowedPath | None:
        """The best one by exact figures; None where there is none, or time is over."""
        while not deadline.is_over:
            path = self._best()
            if path is None:
                return None
            open_ = [number for number in path.options if not self._pool.is_exact[number]]
            if not open_:
                return path
            self._settle(open_, deadline)
        return None

    def _settle(self, numbers: Sequence[int], deadline: Deadline) -> None:
        self._pool.settle(numbers, deadline)
        self._renew_ties()
        for number in numbers:
            self._forbidden.settled(number)

    def _best(self) -> AllowedPath | None:
        """By present figures. Where RAM counts, that of the lowest region which has one."""
        if not self._goal.ram_weight:
            return self._cheapest()
        levels = self._levels()
        low, high, step = 0, 0, 1
        while (found := self._allowed(levels[high])) is None:
            if high == len(levels) - 1:
                return None
            low, high, step = high + 1, min(high + step, len(levels) - 1), 2 * step
        while low < high:
            middle = (low + high) // 2
            path = self._allowed(levels[middle])
            low, high, found = (middle + 1, high, found) if path is None else (low, middle, path)
        self._region = levels[high]
        return found

    def _levels(self) -> list[int]:
        """Regions from the least one on at which paths may become allowed."""
        rams = self._pool.ram[self._among]
        every = [self._region, *self._forbidden.regions_above(self._region)]
        levels = distinct(np.concatenate([rams[rams > self._region], np.array(every)]))
        return [self._region, *levels[(levels > self._region) & (levels <= self._most)].tolist()]

    def _cheapest(self) -> AllowedPath | None:
        """Within the capacity: first of paths that cost hardly more than the least that any may,
        then of dearer ones. Many that are alike but for their conflicts cost much more."""
        most = int(NEVER) if self._goal.max_cost is None else self._goal.max_cost
        least = int(self._paths.least_rest(self._most)[0])
        least = self._least = least if self._least is None else max(least, self._least)
        step = max(1, abs(least) // _FIRST_STEP)
        while least <= most:
            limit = min(most, least + step)
            path = self._paths.cheapest(self._most, limit)
            if path is not None:
                self._least = path.cost
                return path
            if limit == most:
                return None
            least, step = limit + 1, 2 * step
        return None

    def _allowed(self, region: int) -> AllowedPath | None:
        return self._paths.cheapest(region, self._goal.max_cost)

    @property
    def _most(self) -> int:
        capacity = self._goal.capacity
        return int(NEVER) - 1 if capacity is None else capacity

    def _decided(
        self, options: tuple[Option, ...], rams: Sequence[int], deadline: Deadline
    ) -> Layout | Conflict | None:
        """A layout that needs no more than is claimed, or what these options teach; None where
        neither is found."""
        region = self._region if self._goal.ram_weight else self._most
        known = self._learnt.layouts.get(options)
        layout = known or lay_out_quickly(options, self._boundaries)
        if layout.region_bytes <= region:
            return layout
        soon = self._needs.soon(options, region)
        if soon is not None:
            return soon
        for run in relaxed(options, rams, self._boundaries):
            try:
                fit = self._needs.fit(run, region, deadline)
            except Undecided:
                break
            if fit.places is None:
                return self._conflict(run[: fit.stop], region, fit.needed, deadline)
        limited = SolveParams(time_limit_s=deadline.share(_UNDECIDED).left_s)
        laid_out = lay_out(options, self._boundaries, limited, region)
        if laid_out.layout.region_bytes <= region:
            return laid_out.layout
        return Conflict(options, laid_out.bound) if laid_out.bound > region else None

    def _conflict(
        self, run: Sequence[Option], region: int, needed: int, deadline: Deadline
    ) -> Conflict:
        """Without gaps at its end that change nothing."""
        self._settle_segments(run, deadline)
        instance, teacher = self._instance(run), self._learnt.teacher
        (conflict,) = teacher.conflicts_of(
            instance, run, region, needed, deadline, keeps_need=False
        )
        options = conflict.options
        while is_gap(options[-1]):
            options = options[:-1]
            try:
                fit = self._needs.fit(options, conflict.region - 1, deadline)
            except Undecided:
                return conflict
            if fit.places is not None:
                return conflict
            conflict = Conflict(options, conflict.region)
        return conflict

    def _settle_segments(self, run: Sequence[Option], deadline: Deadline) -> None:
        """Other options of these segments, so that a conflict speaks of them, too."""
        numbers = np.intersect1d(self._of_segments(run), self._among)
        self._settle(numbers[~self._pool.is_exact[numbers]].tolist(), deadline)

    def _instance(self, run: Sequence[Option]) -> PartitionInstance:
        """Of the options of a run's segments that have exact figures."""
        pool, numbers = self._pool, self._of_segments(run)
        there = numbers[pool.is_exact[numbers] & (pool.ram[numbers] < NEVER)].tolist()
        return PartitionInstance(
            pool.n, tuple(map(self._option, there)), tuple(self._boundaries), self._goal
        )

    def _of_segments(self, run: Sequence[Option]) -> Column:
        segments = {(own.start, own.stop) for own in run if not is_stand_in(own)}
        return np.concatenate([self._pool.of_segment(*segment) for segment in sorted(segments)])

    def _option(self, number: int) -> Option:
        if number not in self._options:
            self._options[number] = self._option_of(self._pool.name(number))
        return self._options[number]

    def _renew_ties(self) -> None:
        if self._with_ties:
            np.add(self._pool.copied, TIE_SEGMENT, out=self._ties)
