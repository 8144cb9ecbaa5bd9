"""Which ways of which segments an optimal plan can hold at all: bounds first, exact figures where
they matter.

A replay of TFLM's planner costs a millisecond, and a chain of 300 ops has 45,150 segments, many of
them with a dozen band plans. So plans are searched under bounds, the ways they use are replayed,
and this repeats until the best plan rests on exact figures: an upper limit. Then a way is kept
unless every plan through it is provably worse than that limit. Nothing is lost: ties are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from splitopt.solvers.partition.shortest_paths import (
    NEVER,
    Matrix,
    around,
    least_bottleneck,
    shortest,
    shortest_by_edges,
)

Mask = npt.NDArray[np.bool_]
Column = npt.NDArray[np.int64]

_LEVELS = 96
_TIE_SEGMENT = 2**40
"""Weight of one segment against copied bytes where only ties are left to decide."""

OptionName = tuple[int, int, int]
"""(start, stop, variant): see SegmentTable.ways."""
Exact = Callable[[int, int, int], Sequence[tuple[int, int]]]
"""A way's name → (RAM in bytes, added instructions) of each form it has, exactly; one at least."""


@dataclass(frozen=True)
class Goal:
    """What a plan is judged by, as the solvers' objective and limits."""

    ram_weight: int
    cost_weight: int
    capacity: int | None = None
    max_cost: int | None = None
    max_segments: int | None = None


@dataclass(frozen=True)
class OptionBounds:
    """Columns, one entry for each way: its name, and at least its RAM, instructions and copies."""

    starts: Column
    stops: Column
    variants: Column
    ram: Column
    cost: Column
    copied: Column

    def where(self, mask: Mask) -> OptionBounds:
        return OptionBounds(
            self.starts[mask],
            self.stops[mask],
            self.variants[mask],
            self.ram[mask],
            self.cost[mask],
            self.copied[mask],
        )


@dataclass(frozen=True)
class _Path:
    """Ways (by number) from cut 0 to n, and what the plan costs under the figures of its time."""

    ways: tuple[int, ...]
    peak: int
    cost: int


class Pruner:
    """Columns that start as bounds and become exact where a promising plan passes."""

    def __init__(self, ways: OptionBounds, n: int, exact: Exact, goal: Goal) -> None:
        """`ways`: of the segments that may be chosen."""
        self._n = n
        self._goal = goal
        self._capacity = int(NEVER) if goal.capacity is None else goal.capacity
        open_ways = ways.where(ways.ram <= self._capacity)
        self._starts, self._stops = open_ways.starts, open_ways.stops
        self._variants = open_ways.variants
        self._ram, self._cost = open_ways.ram.copy(), open_ways.cost.copy()
        self._tie = open_ways.copied + _TIE_SEGMENT
        self._is_open = np.ones(len(self._ram), dtype=bool)
        self._is_exact = np.zeros(len(self._ram), dtype=bool)
        self._exact = exact
        self._limit: _Path | None = None

    def kept(self) -> list[OptionName]:
        """Ways that a best plan may use; empty where no plan fits.

        Plans are judged by their loads here. Where the layout of the best one needs more than its
        load, ask `kept_within` with the value it really reaches.
        """
        limit = self._limit = self._refine()
        return [] if limit is None else self._names(self._within(self._value(limit), limit))

    def kept_for_front(self) -> list[OptionName]:
        """Ways of plans that no other dominates in peak, cost and number of segments."""
        found: set[int] = set()
        level = self._capacity
        while True:
            paths = self._exact_paths(level)
            if not paths:
                return self._names(sorted(found))
            found.update(way for path in paths for way in path.ways)
            level = max(path.peak for path in paths) - 1

    def assumed(self, cost: int, segments: int, copied_bytes: int) -> bool:
        """Whether a plan is as good as `kept` took for granted, ties included.

        If not, layouts needed more than loads, and what was dropped may be better than the plan.
        """
        limit = self._limit
        if limit is None or cost > self._value(limit):
            return False
        tie = int(self._tie[list(limit.ways)].sum())
        return bool(self._goal.cost_weight) or segments * _TIE_SEGMENT + copied_bytes <= tie

    def kept_within(self, value: int | None) -> list[OptionName]:
        """Ways that a plan of at most that value may use; None: all that fit the capacity."""
        return self._names(self._is_open if value is None else self._within(value, None))

    def _names(self, chosen: Mask | Sequence[int]) -> list[OptionName]:
        """Each once, whatever forms of it are chosen."""
        columns = self._starts[chosen], self._stops[chosen], self._variants[chosen]
        return sorted({(int(a), int(b), int(v)) for a, b, v in zip(*columns, strict=True)})

    def _refine(self) -> _Path | None:
        """The best plan once it rests on exact figures; None where none fits."""
        while True:
            best, inexact = self._best_under_bounds()
            if best is None or self._is_exact[list(best.ways)].all():
                return best
            self._settle(inexact)

    def _best_under_bounds(self) -> tuple[_Path | None, set[int]]:
        """Plans of falling peak, each the cheapest under its peak, until none can win any more.

        Returns the best of them, and every way they use that has no exact figures yet.
        """
        best: _Path | None = None
        inexact: set[int] = set()
        level, least = self._capacity, self._least_peak()
        while least is not None and level >= least:
            path = self._cheapest(level)
            if path is None or self._cannot_win(path, least, best):
                break
            if best is None or self._value(path) < self._value(best):
                best = path
            inexact.update(way for way in path.ways if not self._is_exact[way])
            if not self._goal.ram_weight:
                break
            level = path.peak - 1
        return best, inexact

    def _exact_paths(self, level: int) -> list[_Path]:
        """The cheapest plans of each number of segments with no way above the level."""
        while True:
            least = self._cheapest_ways(level, self._cost)
            nodes = shortest_by_edges(self._matrix(least, self._cost))
            most, limit = self._goal.max_segments, self._goal.max_cost
            paths = [self._path(least, found) for found in nodes]
            paths = [path for path in paths if most is None or len(path.ways) <= most]
            paths = [path for path in paths if limit is None or path.cost <= limit]
            inexact = {way for path in paths for way in path.ways if not self._is_exact[way]}
            if not inexact:
                return paths
            self._settle(inexact)

    def _cannot_win(self, path: _Path, least_peak: int, best: _Path | None) -> bool:
        """Whether this plan and all of lower peak, which cost no less, are out."""
        if self._goal.max_cost is not None and path.cost > self._goal.max_cost:
            return True
        floor = self._goal.ram_weight * least_peak + self._goal.cost_weight * path.cost
        return best is not None and floor > self._value(best)

    def _settle(self, ways: Iterable[int]) -> None:
        """Puts exact figures in the place of bounds; further forms of a way are added."""
        more: list[tuple[int, int, int]] = []
        for way in ways:
            name = int(self._starts[way]), int(self._stops[way]), int(self._variants[way])
            first, *others = self._exact(*name)
            self._ram[way], self._cost[way] = first
            self._is_exact[way] = True
            self._is_open[way] = self._ram[way] <= self._capacity
            more += [(way, ram, cost) for ram, cost in others]
        if more:
            self._append(more)

    def _append(self, more: Sequence[tuple[int, int, int]]) -> None:
        like = [way for way, _, _ in more]
        ram = np.array([ram for _, ram, _ in more], dtype=np.int64)
        cost = np.array([cost for _, _, cost in more], dtype=np.int64)
        self._starts = np.append(self._starts, self._starts[like])
        self._stops = np.append(self._stops, self._stops[like])
        self._variants = np.append(self._variants, self._variants[like])
        self._tie = np.append(self._tie, self._tie[like])
        self._ram, self._cost = np.append(self._ram, ram), np.append(self._cost, cost)
        self._is_open = np.append(self._is_open, ram <= self._capacity)
        self._is_exact = np.append(self._is_exact, np.ones(len(more), dtype=bool))

    def _value(self, path: _Path) -> int:
        return self._goal.ram_weight * path.peak + self._goal.cost_weight * path.cost

    def _least_peak(self) -> int | None:
        """The least peak of any plan."""
        lowest: Matrix = np.full((self._n + 1, self._n + 1), NEVER)
        ram = np.where(self._is_open, self._ram, NEVER)
        np.minimum.at(lowest, (self._starts, self._stops), ram)
        return least_bottleneck(lowest)

    def _cheapest(self, level: int) -> _Path | None:
        """The cheapest plan with no way above the level, within max_segments."""
        amounts = self._cost_of_search()
        least = self._cheapest_ways(level, amounts)
        nodes = shortest(self._matrix(least, amounts), self._goal.max_segments)
        return None if nodes is None else self._path(least, nodes)

    def _cheapest_ways(self, level: int, amounts: Column) -> Matrix:
        """For each segment the number of its cheapest way below the level, -1 where it has none."""
        usable = np.flatnonzero(self._is_open & (self._ram <= level))
        order = usable[np.argsort(-amounts[usable], kind="stable")]
        least: Matrix = np.full((self._n + 1, self._n + 1), -1)
        least[self._starts[order], self._stops[order]] = order  # the last one written is the least
        return least

    def _matrix(self, ways: Matrix, amounts: Column) -> Matrix:
        weights: Matrix = np.where(ways >= 0, amounts[ways], NEVER)
        return weights

    def _path(self, ways: Matrix, nodes: Sequence[int]) -> _Path:
        taken = tuple(int(ways[pair]) for pair in pairwise(nodes))
        numbers = list(taken)
        return _Path(taken, int(self._ram[numbers].max()), int(self._cost[numbers].sum()))

    def _cost_of_search(self) -> Column:
        """With no weight on cost, ties alone decide: few segments, then few copied bytes."""
        if self._goal.cost_weight or self._goal.max_cost is not None:
            return self._cost
        return self._tie

    def _within(self, value: int, tie: _Path | None) -> Mask:
        """Ways of some plan of at most that value; `tie`: a plan that reaches it exactly."""
        goal = self._goal
        keep = np.zeros(len(self._ram), dtype=bool)
        for low, high in self._levels(value):
            usable = self._is_open & (self._ram <= high)
            through = self._through(usable, self._cost)
            peak = np.maximum(self._ram, low)
            fits = goal.ram_weight * peak + goal.cost_weight * through <= value
            if goal.max_cost is not None:
                fits &= through <= goal.max_cost
            keep |= usable & fits & (through < NEVER)
        if tie is not None and not goal.cost_weight and goal.max_cost is None:
            usable = keep & (self._ram <= tie.peak)
            most = int(self._tie[list(tie.ways)].sum())
            keep &= self._through(usable, self._tie) <= most
        return keep

    def _through(self, usable: Mask, amounts: Column) -> Column:
        """For each way, the least amount of a plan of usable ways that takes it."""
        weights: Matrix = np.full((self._n + 1, self._n + 1), NEVER)
        np.minimum.at(weights, (self._starts, self._stops), np.where(usable, amounts, NEVER))
        beside = around(weights, self._goal.max_segments)
        through: Column = np.minimum(beside[self._starts, self._stops] + amounts, NEVER)
        return through

    def _levels(self, value: int) -> Iterator[tuple[int, int]]:
        """Ranges of the peak (from, to), both included, that cover all plans worth a look."""
        goal, least = self._goal, self._least_peak() or 0
        most = self._capacity
        if goal.ram_weight:
            most = min(most, value // goal.ram_weight)
        held = np.unique(self._ram[self._is_open])
        held = held[(held >= least) & (held <= most)]
        if not len(held):
            return
        chosen = held[np.unique(np.linspace(0, len(held) - 1, _LEVELS).astype(int))]
        low = least
        for high in chosen:
            yield low, int(high)
            low = int(high) + 1
