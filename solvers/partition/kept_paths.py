"""The best plan with its layout where options keep bytes for good, by the most promising paths
first.

As best_first.py searches, but here a path is dropped where another to the same cut has no higher
peak, keeps no more, costs no more and asks for no more of the values alive there. Paths are
followed by their bounds under a price of each byte above the capacity (see kept_pool.py), the
highest of several prices, so that few come before the best plan. Only options that such paths come
to are settled. A limit on cost is judged at the end of paths, as there may be savings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.kept_pool import KeptPool, Priced
from splitopt.solvers.partition.least_rest import LeastRest
from splitopt.solvers.partition.option_pool import OptionName, OptionPool, Survivors
from splitopt.solvers.partition.orders import Orders, State, Undecided
from splitopt.solvers.partition.plan import PartitionPlan
from splitopt.solvers.partition.shortest_paths import NEVER
from splitopt.solvers.partition.undominated import Undominated

_MOST_PATHS = 20_000
"""Paths followed before a search is given up."""


@dataclass(frozen=True)
class Found:
    """The best plan, None where none is within the limit; none weighs less than `bound`.
    `is_proved`: all paths were followed that are no worse."""

    bound: int
    is_proved: bool
    plan: PartitionPlan | None = None


@dataclass(frozen=True, slots=True)
class _Path:
    cut: int
    peak: int
    added: int
    kept: int
    segments: int
    number: int = -1
    before: _Path | None = None
    state: State = ()
    places: tuple[int, ...] = ()


@dataclass(frozen=True)
class OtherPrice:
    """With what paths need to the end under it, by what was known when a search began."""

    priced: Priced
    rest: LeastRest

    def bound(self, path: _Path, cost: int) -> int | None:
        """At least the value of plans within the limits that begin with a path of this cost, in
        parts of the scale of prices; None where there are none."""
        added = self.priced.cost_weight * cost + self.priced.weight * path.kept
        value = self.rest.value(path.cut, path.peak, added)
        return None if value is None else value - self.priced.limit(0)


class KeptLayouts:
    """Of one pool and price. `option_of`: the option of a name, by the figures of the pool."""

    def __init__(
        self,
        kept: KeptPool,
        pool: OptionPool,
        among: Survivors,
        priced: Priced,
        limit: int,
        others: Sequence[OtherPrice],
        boundaries: Sequence[Boundary],
        option_of: Callable[[OptionName], Option],
    ) -> None:
        """`limit`: what plans weigh at most that are looked at. `others`: prices beside this one,
        of the same goal; a path that keeps much, or little, is bounded best by another."""
        self._kept, self._pool, self._priced, self._limit = kept, pool, priced, limit
        self._others = others
        self._goal = priced.plain
        self._rest = LeastRest(pool, among, self._goal)
        self._arcs: list[list[int]] = [[] for _ in range(pool.n)]
        for number in among.numbers.tolist():
            self._arcs[pool.starts[number]].append(number)
        self._fronts = [Undominated() for _ in range(pool.n + 1)]
        self._open: list[tuple[int, int, _Path, int | None]] = []
        self._ticks = count()
        self._option_of = option_of
        self._options: list[Option] = []
        self._index: dict[int, int] = {}
        self._orders = Orders(self._options, boundaries)

    def best(self, deadline: Deadline) -> Found:
        self._push(_Path(0, 0, 0, 0, 0), None)
        followed = 0
        while self._open:
            rank, _, path, number = heappop(self._open)
            if deadline.is_over or followed > _MOST_PATHS:
                return Found(rank, is_proved=False)
            if number is not None:
                try:
                    self._extend(path, number, rank)
                except Undecided:
                    return Found(rank, is_proved=False)
            elif path.cut == self._pool.n:
                return Found(rank, is_proved=True, plan=self._orders.plan(path))
            elif self._fronts[path.cut].add(self._asked(path)):
                followed += 1
                for further in self._arcs[path.cut]:
                    self._push(path, further)
        return Found(self._limit + 1, is_proved=True)

    def _push(self, path: _Path, number: int | None) -> None:
        rank = self._rank(path if number is None else self._longer(path, number))
        if rank is not None and rank <= self._limit:
            heappush(self._open, (rank, next(self._ticks), path, number))

    def _longer(self, path: _Path, number: int) -> _Path:
        pool = self._pool
        return _Path(
            cut=int(pool.stops[number]),
            peak=max(path.peak, int(pool.ram[number])),
            added=path.added + int(pool.cost[number]),
            kept=path.kept + self._kept.kept_of(number, pool),
            segments=path.segments + 1,
            number=number,
            before=path,
        )

    def _rank(self, path: _Path) -> int | None:
        """At least what plans weigh that begin with the path, and exactly that at its end; None
        where none keeps the limits."""
        most = self._goal.max_segments
        segments = path.segments + self._rest.fewest[path.cut]
        taken = path.peak + path.kept
        if not self._goal.fits(taken) or (most is not None and segments > most):
            return None
        value = self._rest.value(path.cut, path.peak, path.added)
        if value is None or value > self._limit:
            return None
        weight = self._priced.cost_weight
        cost = self._spent(path) // weight if weight else 0
        if path.cut == self._pool.n:
            left = self._priced.left(taken, cost)
            return None if left is None else value + left
        bounds = [other.bound(path, cost) for other in self._others]
        if None in bounds:
            return None
        free = self._priced.limit(0)
        return max([value, *(bound + free for bound in bounds if bound is not None)])

    def _extend(self, path: _Path, number: int, rank: int) -> None:
        """By an option; later on, where it turns out to weigh more."""
        self._pool.settle([number])
        if self._pool.ram[number] >= NEVER:
            return
        longer = self._longer(path, number)
        if self._rank(longer) != rank:
            self._push(path, number)
            return
        for laid_out in self._laid_out(longer):
            self._push(laid_out, None)

    def _laid_out(self, path: _Path) -> Iterator[_Path]:
        """The path in every way in which its last option can be laid out."""
        number, before = path.number, path.before
        assert before is not None, "it ends with an option"
        if number not in self._index:
            self._index[number] = len(self._options)
            self._options.append(self._option_of(self._pool.name(number)))
        index = self._index[number]
        for region, state, places in self._orders.ways(index, before.state):
            peak = max(path.peak, region)
            yield replace(path, peak=peak, number=index, state=state, places=places)

    def _asked(self, path: _Path) -> tuple[int, ...]:
        """Of two paths to a cut, one is enough where none of these is larger."""
        is_counted = self._goal.max_segments is not None
        segments = [path.segments] * is_counted
        return (path.peak, path.kept, self._spent(path), *segments, *path.state)

    def _spent(self, path: _Path) -> int:
        """On cost alone."""
        return path.added - self._priced.weight * path.kept
