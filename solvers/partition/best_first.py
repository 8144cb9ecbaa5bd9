"""The best plan with its layout, by the most promising paths first.

Paths through the cuts, each with an order of its blocks and what that asks of the values alive at
its end (see orders.py). The path whose plans weigh least by what is known of their loads is
followed next; one is dropped where another to the same cut asks and costs no more in any respect.
So the first plan that is complete is the best one. Only options that such paths come to are
settled, and their orders are looked at only then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Goal, Option
from splitopt.solvers.partition.least_rest import TIE_SEGMENT, LeastRest
from splitopt.solvers.partition.option_pool import OptionName, OptionPool, Survivors
from splitopt.solvers.partition.orders import Orders, State, Undecided
from splitopt.solvers.partition.plan import PartitionPlan, plan_cost
from splitopt.solvers.partition.shortest_paths import NEVER
from splitopt.solvers.partition.undominated import Undominated

_MOST_STEPS, _FEW_ITEMS = 500, 50
"""Options that are put behind paths, for so many items each; more mostly means many more."""

Rank = tuple[int, int, int]
"""Bounds of the value of plans that begin with a path, and of their tie (see least_rest.py); then
how far the path is from its end."""


@dataclass(frozen=True, slots=True)
class _Path:
    """`places`: of its last segment (see Way); `number`: of that segment's option."""

    cut: int
    peak: int
    cost: int
    segments: int
    copied: int
    state: State
    number: int = -1
    places: tuple[int, ...] = ()
    before: _Path | None = None


def best_plan(
    pool: OptionPool,
    among: Survivors,
    goal: Goal,
    boundaries: Sequence[Boundary],
    option_of: Callable[[OptionName], Option],
    deadline: Deadline,
    *,
    with_ties: bool = True,
) -> Outcome[PartitionPlan]:
    """The optimum over these options of a pool, ties as ever, or a proof that there is none.

    Without ties, any plan of the least value will do. `option_of`: the option of a name; its
    figures are those that the pool settles. UNKNOWN where time is over or that would take too many
    steps or orders; its bound holds.
    """
    return _Search(pool, among, goal, boundaries, option_of, with_ties).run(deadline)


class _Search:
    def __init__(
        self,
        pool: OptionPool,
        among: Survivors,
        goal: Goal,
        boundaries: Sequence[Boundary],
        option_of: Callable[[OptionName], Option],
        with_ties: bool,
    ) -> None:
        self._pool, self._goal, self._option_of = pool, goal, option_of
        self._with_ties = with_ties
        self._rest = LeastRest(pool, among, goal, with_ties=with_ties)
        self._arcs: list[list[int]] = [[] for _ in range(pool.n)]
        for number in among.numbers.tolist():
            self._arcs[pool.starts[number]].append(number)
        self._options: list[Option] = []
        self._index: dict[int, int] = {}
        self._orders = Orders(self._options, boundaries)
        self._fronts = [Undominated(in_turn=True) for _ in range(pool.n + 1)]
        self._open: list[tuple[Rank, int, _Path, int | None]] = []
        self._ticks = count()

    def run(self, deadline: Deadline) -> Outcome[PartitionPlan]:
        self._push(_Path(0, 0, 0, 0, 0, ()), None)
        steps, most = 0, _MOST_STEPS * max(1, self._pool.n // _FEW_ITEMS)
        while self._open:
            rank, _, path, number = heappop(self._open)
            if deadline.is_over or steps >= most:
                return Outcome(Status.UNKNOWN, bound=rank[0], wall_s=deadline.spent_s)
            if number is not None:
                if self._settled(path, number, rank):
                    try:
                        self._extend(path, number)
                    except Undecided:
                        return Outcome(Status.UNKNOWN, bound=rank[0], wall_s=deadline.spent_s)
                    steps += 1
            elif path.cut == self._pool.n:
                plan = self._orders.plan(path)
                cost = plan_cost(plan).ranked(self._goal)[0]
                return Outcome(Status.OPTIMAL, plan, cost, rank[0], deadline.spent_s)
            elif not self._fronts[path.cut].beats(self._asked(path)):
                for further in self._arcs[path.cut]:
                    self._push(path, further)
        return Outcome(Status.INFEASIBLE, wall_s=deadline.spent_s)

    def _push(self, path: _Path, number: int | None) -> None:
        """A path, or the paths that an option makes of it, where plans of them can be there."""
        rank = self._rank(path, number)
        if rank is not None:
            heappush(self._open, (rank, next(self._ticks), path, number))

    def _rank(self, path: _Path, number: int | None) -> Rank | None:
        cut, peak, cost = path.cut, path.peak, path.cost
        segments, copied = path.segments, path.copied
        if number is not None:
            pool = self._pool
            cut, peak = int(pool.stops[number]), max(peak, int(pool.ram[number]))
            cost += int(pool.cost[number])
            segments, copied = segments + 1, copied + int(pool.copied[number])
        most = self._goal.max_segments
        if not self._goal.fits(peak):
            return None
        if most is not None and segments + self._rest.fewest[cut] > most:
            return None
        rank = self._rest.rank(cut, peak, cost, self._tie(segments, copied))
        return None if rank is None else (*rank, self._pool.n - cut)

    def _tie(self, segments: int, copied: int) -> int:
        return TIE_SEGMENT * segments + copied if self._with_ties else 0

    def _settled(self, path: _Path, number: int, rank: Rank) -> bool:
        """Whether the paths that an option makes of one rank as they did, by exact figures."""
        self._pool.settle([number])
        if self._pool.ram[number] >= NEVER:
            return False
        if self._rank(path, number) == rank:
            return True
        self._push(path, number)
        return False

    def _extend(self, path: _Path, number: int) -> None:
        """By every way of one option."""
        if number not in self._index:
            self._index[number] = len(self._options)
            self._options.append(self._option_of(self._pool.name(number)))
        index = self._index[number]
        option = self._options[index]
        ways = self._orders.ways(index, path.state)
        cost, copied = path.cost + option.cost, path.copied + option.copied_bytes
        for region, state, places in ways:
            peak, segments = max(path.peak, region), path.segments + 1
            longer = _Path(*(option.stop, peak, cost, segments, copied, state), index, places, path)
            if self._rank(longer, None) is not None and self._fronts[option.stop].add(
                self._asked(longer)
            ):
                self._push(longer, None)

    def _asked(self, path: _Path) -> tuple[int, ...]:
        """Of two paths to a cut, one is enough where none of these is larger. The first two count
        one after the other."""
        goal = self._goal
        weighted = path.cost if goal.cost_weight else 0
        limited = not goal.cost_weight and goal.max_cost is not None
        peak, cost = [path.peak] * (goal.ram_weight > 0), [path.cost] * limited
        segments = [path.segments] * (goal.max_segments is not None)
        tie = self._tie(path.segments, path.copied)
        return (weighted, tie, *peak, *cost, *segments, *path.state)
