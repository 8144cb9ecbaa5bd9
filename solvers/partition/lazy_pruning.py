"""Drops the options that no optimal plan can hold, with few exact evaluations.

The exact RAM and cost of an option are expensive (a replay of TFLM's memory planner takes about a
millisecond), and a chain of 300 ops has 45,150 segments, many of them with a dozen band plans. So:

1. Every option starts with lower bounds of its RAM and cost.
2. The best plan under the present figures is found.
3. The options that it uses get exact figures. Again from 2, until the best plan rests on exact
   figures only: its value is an upper limit.
4. An option is kept unless every plan through it is provably worse than that limit.

Nothing is lost: options of plans that tie with the best one are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.shortest_paths import (
    NEVER,
    Column,
    Matrix,
    around,
    least,
    least_weights,
    shortest,
    shortest_by_edges,
)

Mask = npt.NDArray[np.bool_]

_LEVELS = 96
_TIE_SEGMENT = 2**40
"""Weight of one segment against copied bytes where only ties are left to decide."""

OptionName = tuple[int, int, int]
"""(start, stop, variant). A variant may have several forms, which are options of that name."""
Exact = Callable[[int, int, int], Sequence[tuple[int, int]]]
"""An option's name → (RAM in bytes, added cost) of each form that it has, exactly; one at least."""


class OptionBounds(NamedTuple):
    """Columns, one entry for each option: its name, and at least its RAM, cost and copied bytes."""

    starts: Column
    stops: Column
    variants: Column
    ram: Column
    cost: Column
    copied: Column

    def where(self, chosen: Mask | Sequence[int]) -> OptionBounds:
        return OptionBounds(*(column[chosen] for column in self))


@dataclass(frozen=True)
class _Path:
    """Options (by number) from cut 0 to n, and what the plan costs under the present figures."""

    options: tuple[int, ...]
    peak: int
    cost: int


class Pruner:
    """Figures that start as bounds and become exact for the options of promising plans."""

    def __init__(
        self,
        options: OptionBounds,
        n: int,
        exact: Exact,
        goal: Goal,
        deadline: Deadline | None = None,
    ) -> None:
        """`options`: of the segments that may be chosen; `exact` is asked for few of them.

        When the deadline is over, `is_complete` turns false: what is kept is all that is exact, and
        holds the best plan found.
        """
        self.is_complete = True
        self._deadline = deadline or Deadline(math.inf)
        self._n = n
        self._goal = goal
        self._exact = exact
        self._capacity = int(NEVER) if goal.capacity is None else goal.capacity
        self._options = options.where(options.ram <= self._capacity)
        self._is_exact = np.zeros(len(self._options.ram), dtype=bool)
        self._best: _Path | None = None

    def kept(self) -> list[OptionName]:
        """Options that a best plan may use; empty where no plan fits.

        Plans are judged by their loads here. Where the layout of the best one needs more than its
        load, ask `kept_within` with the value it really reaches.
        """
        best = self._best = self._refine()
        if best is not None and self._is_late():
            return self._names(self._is_exact)
        return [] if best is None else self._names(self._within(self._value(best), best))

    def _is_late(self) -> bool:
        self.is_complete &= not self._deadline.is_over
        return not self.is_complete

    def kept_within(self, value: int | None) -> list[OptionName]:
        """Options that a plan of at most that value may use; None: all that fit the capacity."""
        return self._names(self._fits if value is None else self._within(value, None))

    def kept_for_front(self, most_peak: int | None = None) -> list[OptionName]:
        """Options of plans that no other dominates in peak, cost and number of segments.

        `most_peak`: no such plan is known to have a higher peak.
        """
        found: set[int] = set()
        level = self._capacity if most_peak is None else min(most_peak, self._capacity)
        while True:
            paths = self._exact_paths(level)
            if not paths or self._is_late():
                found.update(option for path in paths for option in path.options)
                return self._names(sorted(found))
            found.update(option for path in paths for option in path.options)
            level = max(path.peak for path in paths) - 1

    def reaches_best(self, cost: int, segments: int, copied_bytes: int) -> bool:
        """Whether a plan is as good as the best one that `kept` found, ties included.

        If not, layouts needed more than loads, and what was dropped may be better than the plan.
        """
        best = self._best
        if best is None or cost > self._value(best):
            return False
        tie = int(self._tie[list(best.options)].sum())
        return bool(self._goal.cost_weight) or segments * _TIE_SEGMENT + copied_bytes <= tie

    @property
    def has_plans(self) -> bool:
        """Whether any plan fits the capacity under the present figures, limits aside."""
        return self._lowest_peak() is not None

    @property
    def bound(self) -> int:
        """No plan weighs less."""
        return self._goal.weigh(self._lowest_peak() or 0, self.least_cost)

    @property
    def least_cost(self) -> int:
        """No plan adds less: negative where some options save more than others add."""
        return least(self._least(self._fits, self._options.cost)) or 0

    @property
    def _fits(self) -> Mask:
        fits: Mask = self._options.ram <= self._capacity
        return fits

    @property
    def _tie(self) -> Column:
        """What decides between plans of equal value: few segments, then few copied bytes."""
        tie: Column = self._options.copied + _TIE_SEGMENT
        return tie

    def _names(self, chosen: Mask | Sequence[int]) -> list[OptionName]:
        """Each once, whatever forms of it are chosen."""
        starts, stops, variants, *_ = self._options.where(chosen)
        return sorted(set(zip(starts.tolist(), stops.tolist(), variants.tolist(), strict=True)))

    def _refine(self) -> _Path | None:
        """The best plan once it rests on exact figures; None where none fits."""
        while True:
            best, inexact = self._best_under_bounds()
            if best is None or self._is_exact[list(best.options)].all():
                return best
            self._make_exact(best.options)
            self._make_exact(option for option in inexact if not self._is_late())
            if self._is_late():
                return best

    def _best_under_bounds(self) -> tuple[_Path | None, set[int]]:
        """Plans of falling peak, each the cheapest under its peak, until none can win any more.

        Returns the best of them, and every option they use that has no exact figures yet.
        """
        best: _Path | None = None
        inexact: set[int] = set()
        level, lowest = self._capacity, self._lowest_peak()
        while lowest is not None and level >= lowest:
            path = self._cheapest(level)
            if path is None or self._cannot_win(path, lowest, best):
                break
            if best is None or self._value(path) < self._value(best):
                best = path
            inexact.update(option for option in path.options if not self._is_exact[option])
            if not self._goal.ram_weight or level == lowest:
                break
            level = lowest if self._is_late() else path.peak - 1
        return best, inexact

    def _exact_paths(self, level: int) -> list[_Path]:
        """The cheapest plans of each number of segments with no option above the level."""
        while True:
            options = self._cheapest_options(level, self._options.cost)
            weights = self._weights(options, self._options.cost)
            nodes = shortest_by_edges(weights, self._goal.max_segments)
            paths = [self._path(options, found) for found in nodes]
            if self._goal.max_cost is not None:
                paths = [path for path in paths if path.cost <= self._goal.max_cost]
            inexact = {k for path in paths for k in path.options if not self._is_exact[k]}
            if not inexact or self._is_late():
                return paths
            self._make_exact(inexact)

    def _cannot_win(self, path: _Path, lowest_peak: int, best: _Path | None) -> bool:
        """Whether this plan and all of lower peak, which cost no less, are out."""
        if self._goal.max_cost is not None and path.cost > self._goal.max_cost:
            return True
        bound = self._goal.weigh(lowest_peak, path.cost)
        return best is not None and bound > self._value(best)

    def _make_exact(self, options: Iterable[int]) -> None:
        """Puts exact figures in the place of bounds; further forms of an option are added."""
        starts, stops, variants, rams, costs, _ = self._options
        more: list[tuple[int, int, int]] = []
        for option in options:
            if self._is_exact[option]:
                continue
            name = int(starts[option]), int(stops[option]), int(variants[option])
            (rams[option], costs[option]), *others = self._exact(*name)
            self._is_exact[option] = True
            more += [(option, ram, cost) for ram, cost in others]
        if more:
            like, ram, cost = np.array(more, dtype=np.int64).T
            forms = self._options.where(like)._replace(ram=ram, cost=cost)
            pairs = zip(self._options, forms, strict=True)
            self._options = OptionBounds(*(np.append(known, new) for known, new in pairs))
            self._is_exact = np.append(self._is_exact, np.ones(len(more), dtype=bool))

    def _value(self, path: _Path) -> int:
        return self._goal.weigh(path.peak, path.cost)

    def _lowest_peak(self) -> int | None:
        """The lowest peak of any plan."""
        return least(self._least(self._fits, self._options.ram), np.maximum)

    def _least(self, usable: Mask, amounts: Column) -> Matrix:
        """For each segment, the smallest amount of its usable options."""
        amounts = np.where(usable, amounts, NEVER)
        return least_weights(self._n, self._options.starts, self._options.stops, amounts)

    def _cheapest(self, level: int) -> _Path | None:
        """The cheapest plan with no option above the level, within max_segments.

        With no weight or limit on cost, only ties decide.
        """
        costs_count = self._goal.cost_weight or self._goal.max_cost is not None
        amounts = self._options.cost if costs_count else self._tie
        options = self._cheapest_options(level, amounts)
        nodes = shortest(self._weights(options, amounts), self._goal.max_segments)
        return None if nodes is None else self._path(options, nodes)

    def _cheapest_options(self, level: int, amounts: Column) -> Matrix:
        """For each segment, the number of its cheapest option that is not above the level, or -1
        where it has none."""
        usable = np.flatnonzero(self._fits & (self._options.ram <= level))
        order = usable[np.argsort(-amounts[usable], kind="stable")]
        cheapest: Matrix = np.full((self._n + 1, self._n + 1), -1)
        # Falling amounts: of all that are written to one place, the last and cheapest stays.
        cheapest[self._options.starts[order], self._options.stops[order]] = order
        return cheapest

    def _weights(self, options: Matrix, amounts: Column) -> Matrix:
        weights: Matrix = np.where(options >= 0, amounts[options], NEVER)
        return weights

    def _path(self, options: Matrix, nodes: Sequence[int]) -> _Path:
        numbers = [int(options[pair]) for pair in pairwise(nodes)]
        rams, costs = self._options.ram[numbers], self._options.cost[numbers]
        return _Path(tuple(numbers), int(rams.max()), int(costs.sum()))

    def _within(self, value: int, tie: _Path | None) -> Mask:
        """Options of some plan of at most that value; `tie`: a plan that reaches it exactly.

        The peak of a plan is in one of the ranges of `_levels`. For a peak in (low, high), all its
        options are at most high, and it weighs at least as much as a peak of low.
        """
        goal, ram = self._goal, self._options.ram
        keep = np.zeros(len(ram), dtype=bool)
        for low, high in self._levels(value):
            usable = self._fits & (ram <= high)
            through = self._through(usable, self._options.cost)
            peak = np.maximum(ram, low)
            fits = goal.ram_weight * peak + goal.cost_weight * through <= value
            if goal.max_cost is not None:
                fits &= through <= goal.max_cost
            keep |= usable & fits & (through < NEVER)
        if tie is not None and not goal.cost_weight and goal.max_cost is None:
            usable = keep & (ram <= tie.peak)
            most = int(self._tie[list(tie.options)].sum())
            keep &= self._through(usable, self._tie) <= most
        return keep

    def _through(self, usable: Mask, amounts: Column) -> Column:
        """For each option, the smallest amount of a plan of usable options that takes it."""
        others = around(self._least(usable, amounts), self._goal.max_segments)
        at = self._options.starts, self._options.stops
        through: Column = np.where(others[at] < NEVER, others[at] + amounts, NEVER)
        return through

    def _levels(self, value: int) -> Iterator[tuple[int, int]]:
        """Ranges of the peak (from, to), both included, that hold every optimal plan."""
        goal, lowest = self._goal, self._lowest_peak() or 0
        most = self._capacity
        if goal.ram_weight:
            most = min(most, (value - goal.cost_weight * self.least_cost) // goal.ram_weight)
        held = np.unique(self._options.ram[self._fits])
        held = held[(held >= lowest) & (held <= most)]
        if not len(held):
            return
        chosen = held[np.unique(np.linspace(0, len(held) - 1, _LEVELS).astype(int))]
        low = lowest
        for high in chosen:
            yield low, int(high)
            low = int(high) + 1
