"""Drops the options that no optimal plan can hold, with few exact evaluations.

1. The best plan under the present figures, bounds and exact ones, is found.
2. The options that it uses are settled, and those of other plans that could still win. Its exact
   value is an upper limit: options are left out where every plan through them is provably worse.
   Again from 1, until the best plan rests on exact figures only.
3. What is left is settled, the most promising half first, and left out where it turns out worse.

Nothing is lost: options of plans that tie with the best one are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.distinct import distinct
from splitopt.solvers.partition.cheapest_below import Path, settling
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.least_rest import TIE_SEGMENT
from splitopt.solvers.partition.option_pool import Mask, OptionName, OptionPool, Survivors
from splitopt.solvers.partition.shortest_paths import (
    NEVER,
    Column,
    Matrix,
    edges_through,
    shortest,
)
from splitopt.solvers.partition.through import least_cost, least_values, lowest_peak, through

_BATCH, _PARTS = 64, 8
"""Of the options that are left, so many are settled at once at least, or this part of them."""
_PATIENCE = 3
"""After so many rounds on end in which only the best plan had options to settle, it is done."""


class Pruner:
    """One question to a pool: which of its options can an optimal plan hold?

    When the deadline is over, `is_complete` turns false: what is kept then is all that is exact,
    and holds the best plan found.
    """

    def __init__(self, pool: OptionPool, goal: Goal, deadline: Deadline | None = None) -> None:
        self.is_complete = True
        self.pool = pool
        self._deadline = deadline or Deadline(math.inf)
        self._goal = goal
        self._capacity = int(NEVER) - 1 if goal.capacity is None else goal.capacity
        self._left = pool.survivors(self._fits)
        self._best: Path | None = None
        self._bound: int | None = None
        self._promise: Column = np.zeros(len(pool.ram), dtype=np.int64)

    def kept(self, *, with_ties: bool = True) -> list[OptionName]:
        """Options that a best plan may use; empty where no plan fits. Without ties: those of one.

        Plans are judged by their loads here. Where the layout of the best one needs more than its
        load, ask `kept_within` with the value it really reaches.
        """
        best = self._best = self._refine(with_ties)
        if best is not None and self._is_late():
            return self.pool.names(np.flatnonzero(self.pool.is_exact & self._fits))
        if best is None:
            return []
        if not with_ties:
            return self.pool.names(best.options)
        return self._settled_within(self._value(best), best)

    def kept_within(self, value: int | None) -> list[OptionName]:
        """Options that a plan of at most that value may use; None: all that fit the capacity."""
        self._left = self.pool.survivors(self._fits)
        if value is None:
            return self.pool.names(self._left.numbers)
        return self._settled_within(value, None)

    def within(self, value: int | None) -> Survivors:
        """What a plan of at most that value may use, by what is known now; None: all that fits the
        capacity."""
        self._left = self.pool.survivors(self._fits)
        if value is not None:
            self._left = self.pool.survivors(self._within(value, None))
        return self._left

    def reaches_best(self, cost: int, segments: int, copied_bytes: int) -> bool:
        """Whether a plan is as good as the best one that `kept` found, ties included.

        If not, layouts needed more than loads, and what was dropped may be better than the plan.
        """
        best = self._best
        if best is None or cost > self._value(best):
            return False
        tie = int(self._tie(np.array(best.options)).sum())
        return bool(self._goal.cost_weight) or segments * TIE_SEGMENT + copied_bytes <= tie

    @property
    def least(self) -> int:
        """What the best plan that `kept` found weighs."""
        return self._value(self._best) if self._best else 0

    def best_now(self) -> Path | None:
        """The best plan under the present figures."""
        return min(self._paths_to_win(None), key=self._value, default=None)

    @property
    def best(self) -> list[OptionName]:
        """The options of the best plan that `kept` found."""
        return self.pool.names(self._best.options) if self._best else []

    @property
    def has_plans(self) -> bool:
        """Whether any plan fits the capacity under the present figures, limits aside."""
        return self._lowest_peak() is not None

    @property
    def bound(self) -> int:
        """No plan weighs less."""
        simple = self._goal.weigh(self._lowest_peak() or 0, self.least_cost)
        return simple if self._bound is None else max(simple, self._bound)

    @property
    def least_cost(self) -> int:
        """No plan adds less: negative where some options save more than others add."""
        return least_cost(self.pool, self._left)

    @property
    def _fits(self) -> Mask:
        fits: Mask = self.pool.ram <= self._capacity
        return fits

    def _is_late(self) -> bool:
        self.is_complete &= not self._deadline.is_over
        return not self.is_complete

    def _tie(self, numbers: Column) -> Column:
        """What decides between plans of equal value: few segments, then few copied bytes."""
        tie: Column = self.pool.copied[numbers] + TIE_SEGMENT
        return tie

    def _refine(self, with_ties: bool) -> Path | None:
        """The best plan once it rests on exact figures; None where none fits. Without ties, one
        that no plan beats."""
        if not self._goal.ram_weight:
            return self._cheapest_settled()
        known: Path | None = None
        idle = 0
        while True:
            aim = None if known is None else self._value(known) - (not with_ties)
            paths = self._paths_to_win(aim)
            best = min(paths, key=self._value, default=None)
            if known and aim is not None and (best is None or self._value(best) > aim):
                return self._proved(known)
            if best is not None and not self._is_late():
                self._bound = self._value(best)
            if best is None or self.pool.is_exact[list(best.options)].all():
                return best
            self.pool.settle(best.options)
            if self._is_late():
                return self._now(best)
            if aim is not None:
                near = [path for path in paths if self._value(path) <= aim]
                idle = 0 if self._settle_ways(near, aim) else idle + 1
                if idle >= _PATIENCE:
                    self._left = self.pool.survivors(self._within(aim, None))
                    self._settle_most_promising()
            reached = [path for path in map(self._now, paths) if self._is_real(path)]
            found = min(reached, key=self._value, default=None)
            if found is not None and (known is None or self._value(found) < self._value(known)):
                known = found
                aim = self._value(known) - (not with_ties)
                self._left = self.pool.survivors(self._fits & self._within(aim, None))
            else:
                self._left = self.pool.survivors(self._fits & self._still_left())

    def _cheapest_settled(self) -> Path | None:
        """The same where peaks do not count."""
        best: Path | None = None
        for best in settling(self.pool, self._goal, self._capacity):
            if best is not None and self._is_late():
                self.pool.settle(best.options)
                return self._now(best)
            self._bound = self._bound if best is None else self._value(best)
        self._left = self.pool.survivors(self._fits)
        return best

    def _proved(self, known: Path) -> Path:
        """A plan on exact figures that no other beats."""
        self._left = self.pool.survivors(self._fits)
        if not self._is_late():
            self._bound = self._value(known)
        return known

    def _still_left(self) -> Mask:
        left = np.zeros(len(self.pool.ram), dtype=bool)
        left[self._left.numbers] = True
        return left

    def _now(self, path: Path) -> Path:
        """The same options under the figures as they are by now."""
        return Path.of(self.pool, path.options)

    def _is_real(self, path: Path) -> bool:
        """Whether a path rests on exact figures and keeps the limits that paths do not know."""
        most = self._goal.max_cost
        exact = self.pool.is_exact[list(path.options)].all()
        return bool(exact) and path.peak <= self._capacity and (most is None or path.cost <= most)

    def _paths_to_win(self, limit: int | None) -> list[Path]:
        """Cheapest paths under falling peaks, the best one among them: of any peak, none is better.

        Between two levels whose paths are known, no peak beats the lowest level there together with
        the cost of the upper path. `limit`: what a plan is known to reach.
        """
        goal, levels = self._goal, distinct(self.pool.ram[self._left.numbers])
        top = self._cheapest(int(levels[-1])) if len(levels) else None
        if top is None or not self._keeps_limits(top):
            return []
        if not goal.ram_weight:
            return [top]
        low, lowest = self._lowest_level(levels, top)
        if not goal.cost_weight:
            return [lowest]
        paths = [lowest, top]
        spans = [(low, len(levels) - 1, top)]
        while spans:
            spans += self._between(levels, *spans.pop(), paths)
        return paths

    def _between(
        self, levels: Column, low: int, high: int, above: Path, paths: list[Path]
    ) -> list[tuple[int, int, Path]]:
        """Looks at the middle of the levels (low, high), where it can win; adds its path."""
        top = min(high, int(np.searchsorted(levels, above.peak)))
        if top - low < 2 or self._is_late():
            return []
        least_value = self._goal.weigh(int(levels[low + 1]), above.cost)
        if least_value >= min(map(self._value, paths)):
            return []
        middle = (low + top) // 2
        path = self._cheapest(int(levels[middle]))
        assert path is not None, "there is one at a lower level"
        paths.append(path)
        return [(low, middle, path), (middle, top, above)]

    def _lowest_level(self, levels: Column, top: Path) -> tuple[int, Path]:
        """The lowest level (by index) with a path that keeps the limits, as that of the highest
        level does, and the path."""
        least_peak = self._lowest_peak()
        assert least_peak is not None, "there is a path"
        low, high, best = int(np.searchsorted(levels, least_peak)) - 1, len(levels) - 1, top
        middle = low + 1  # often the answer
        while low < middle < high:
            path = self._cheapest(int(levels[middle]))
            if path is not None and self._keeps_limits(path):
                high, best = middle, path
            else:
                low = middle
            middle = (low + high) // 2
        return high, best

    def _keeps_limits(self, path: Path) -> bool:
        return self._goal.max_cost is None or path.cost <= self._goal.max_cost

    def _value(self, path: Path) -> int:
        return self._goal.weigh(path.peak, path.cost)

    def _lowest_peak(self) -> int | None:
        """The lowest peak of any plan."""
        return lowest_peak(self.pool, self._left)

    def _cheapest(self, level: int) -> Path | None:
        """The cheapest plan with no option above the level, within max_segments.

        With no weight or limit on cost, only ties decide.
        """
        nodes = shortest(self._weights(level), self._goal.max_segments)
        return None if nodes is None else Path.of(self.pool, self._options(pairwise(nodes), level))

    def _weights(self, level: int) -> Matrix:
        left = self._left
        amounts = self._amounts(left.numbers)
        usable = np.where(self.pool.ram[left.numbers] <= level, amounts, NEVER)
        return self.pool.weights(left, usable)

    def _amounts(self, numbers: Column) -> Column:
        costs_count = self._goal.cost_weight or self._goal.max_cost is not None
        return self.pool.cost[numbers] if costs_count else self._tie(numbers)

    def _options(self, segments: Iterable[tuple[int, int]], level: int) -> list[int]:
        """The cheapest options of these segments that are not above the level."""
        chosen = []
        for start, stop in segments:
            numbers = self._left.of_segment(start, stop)
            usable = numbers[self.pool.ram[numbers] <= level]
            chosen.append(int(usable[self._amounts(usable).argmin()]))
        return chosen

    def _settled_within(self, value: int, tie: Path | None) -> list[OptionName]:
        """Settles what a plan of at most that value may use, until only such options are left."""
        while True:
            self._left = self.pool.survivors(self._within(value, tie))
            if self._is_late() or not self._settle_most_promising():
                return self.pool.names(self._left.numbers)

    def _settle_ways(self, near: Sequence[Path], value: int) -> bool:
        """Settles these paths, and the ways on which plans of the best one's peak and of at most
        that value get to any cut and go on: they count in the least value of every other option.
        Whether there were any to settle."""
        open_ = {number for path in near for number in path.options}
        if near:
            best = min(near, key=self._value)
            ways = edges_through(self._weights(best.peak), self._most_amount(best.peak, value))
            open_.update(self._options(ways, best.peak))
        numbers = [number for number in sorted(open_) if not self.pool.is_exact[number]]
        self.pool.settle(numbers, self._deadline)
        return len(numbers) > 0

    def _most_amount(self, peak: int, value: int) -> int:
        """The largest sum of `_amounts` of a plan of this peak and of at most that value."""
        goal, most = self._goal, int(NEVER)
        if goal.cost_weight:
            most = (value - goal.ram_weight * peak) // goal.cost_weight
        return most if goal.max_cost is None else min(most, goal.max_cost)

    def _settle_most_promising(self) -> bool:
        """Of those that are left: the ones in the best plans. Whether there were any to settle."""
        numbers = self._left.numbers
        numbers = numbers[~self.pool.is_exact[numbers]]
        by_promise = np.argsort(self._promise[numbers], kind="stable")
        self.pool.settle(
            numbers[by_promise[: max(_BATCH, len(numbers) // _PARTS)]].tolist(), self._deadline
        )
        return len(numbers) > 0

    def _within(self, value: int, tie: Path | None) -> Mask:
        """Options of some plan of at most that value; `tie`: a plan that reaches it exactly."""
        goal = self._goal
        self._promise = least_values(self.pool, self._left, goal, value)
        keep: Mask = self._promise <= value
        if tie is not None and not goal.cost_weight and goal.max_cost is None:
            among = self.pool.survivors(keep & (self.pool.ram <= tie.peak))
            most = int(self._tie(np.array(tie.options)).sum())
            fits = through(self.pool, among, self._tie(among.numbers), goal.max_segments) <= most
            keep[:] = False
            keep[among.numbers[fits]] = True
        return keep
