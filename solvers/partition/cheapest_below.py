"""The cheapest plan of options that stay below a level, under the figures that a pool has now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.option_pool import OptionPool
from splitopt.solvers.partition.shortest_paths import (
    NEVER,
    Column,
    shortest,
    shortest_by_edges,
)

Options = tuple[int, ...]
"""Of a plan, by number."""


@dataclass(frozen=True)
class Path:
    """Options from cut 0 to n, and what the plan costs under the present figures."""

    options: Options
    peak: int
    cost: int

    @classmethod
    def of(cls, pool: OptionPool, options: Sequence[int]) -> Path:
        numbers = list(options)
        return cls(tuple(numbers), int(pool.ram[numbers].max()), int(pool.cost[numbers].sum()))


def settling(pool: OptionPool, goal: Goal, level: int) -> Iterator[Path | None]:
    """The cheapest plan, again and again: what it uses is settled, until all of it is exact. None
    where there is no plan any more."""
    below = CheapestBelow(pool, level)
    while True:
        found = below.cheapest(goal, counts_segments=False)
        yield Path.of(pool, found[0]) if found else None
        unsettled = [number for options in found for number in options if not pool.is_exact[number]]
        if not unsettled:
            return
        pool.settle(unsettled)
        below.renew(unsettled)


class CheapestBelow:
    """The options of a pool that are not above a level, and the cheapest of each segment."""

    def __init__(self, pool: OptionPool, level: int) -> None:
        self._pool, self._level = pool, level
        left = pool.survivors(pool.ram <= level)
        self._weights = pool.weights(left, pool.cost[left.numbers])

    def cheapest(self, goal: Goal, *, counts_segments: bool) -> list[Options]:
        """The cheapest plan, or that of each number of segments."""
        if counts_segments:
            found = shortest_by_edges(self._weights, goal.max_segments)
        else:
            cheapest_of_all = shortest(self._weights, goal.max_segments)
            found = [] if cheapest_of_all is None else [cheapest_of_all]
        segments = {segment for nodes in found for segment in pairwise(nodes)}
        options = {segment: self._option(*segment) for segment in segments}
        paths = [tuple(options[segment] for segment in pairwise(nodes)) for nodes in found]
        if goal.max_cost is not None:
            costs = self._pool.cost
            paths = [path for path in paths if costs[list(path)].sum() <= goal.max_cost]
        return paths

    def renew(self, numbers: Iterable[int]) -> None:
        """After the pool has settled these options."""
        for start, stop, _ in self._pool.names(numbers):
            usable = self._usable(start, stop)
            cost = self._pool.cost[usable].min() if len(usable) else NEVER
            self._weights[start, stop] = cost

    def _option(self, start: int, stop: int) -> int:
        usable = self._usable(start, stop)
        return int(usable[self._pool.cost[usable].argmin()])

    def _usable(self, start: int, stop: int) -> Column:
        numbers = self._pool.of_segment(start, stop)
        usable: Column = numbers[self._pool.ram[numbers] <= self._level]
        return usable
