"""Plans whose layouts beat those of known plans: the part of the front that loads do not tell.

Paths through the cuts, as in pareto.py, but each with an order of its blocks, and what that asks of
the values alive at its end (see orders.py). At each cut a path is dropped where another of no more
segments asks and costs no more in any respect, and where no end of it could beat a known plan even
by its load. What is left at the last cut is laid out as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.orders import Orders, State
from splitopt.solvers.partition.plan import PartitionPlan
from splitopt.solvers.partition.prospects import Measures, Prospects, TooLarge, lowest_peaks
from splitopt.solvers.partition.undominated import Undominated

_MOST_PATHS = 2**18
"""Paths made before a front is given up: most of those that make more take minutes."""


@dataclass(frozen=True, slots=True)
class _Path:
    """`peak`: the least region that it can end with. `places`: of its last segment (see Way)."""

    peak: int
    cost: int
    segments: int
    state: State
    number: int = -1
    places: tuple[int, ...] = ()
    before: _Path | None = None

    @property
    def measures(self) -> Measures:
        return self.peak, self.cost, self.segments

    @property
    def asked(self) -> tuple[int, ...]:
        return (self.peak, self.cost, *self.state)


@dataclass(frozen=True)
class Better:
    """`is_complete`: every plan that is not here is dominated by one that is, or by a known one."""

    plans: tuple[PartitionPlan, ...]
    is_complete: bool


def better_plans(
    instance: PartitionInstance, orders: Orders, known: Sequence[Measures], deadline: Deadline
) -> Better:
    """Plans that no known one dominates in peak, added cost and number of segments, among them all
    that no plan dominates; of those with equal figures one."""
    try:
        prospects = Prospects(instance, known)
    except TooLarge:
        return Better((), is_complete=False)
    search = _Search(instance, orders, prospects, deadline)
    is_complete = search.run()
    ends = undominated(search.ends, lambda end: end.measures)
    return Better(tuple(map(orders.plan, ends)), is_complete)


class _Search:
    def __init__(
        self,
        instance: PartitionInstance,
        orders: Orders,
        prospects: Prospects,
        deadline: Deadline,
    ) -> None:
        self._instance, self._orders = instance, orders
        self._prospects, self._deadline = prospects, deadline
        self._least = lowest_peaks(instance)
        self._fronts = [Undominated() for _ in range(instance.n + 1)]
        self._arcs: list[list[tuple[int, int]]] = [[] for _ in range(instance.n)]
        for number, (option, ram) in enumerate(zip(instance.options, instance.rams, strict=True)):
            if instance.goal.fits(ram):
                self._arcs[option.start].append((ram, number))
        self._made = 0
        self.ends: list[_Path] = []

    def run(self) -> bool:
        """Fills `ends`; whether all paths were followed."""
        layer = {0: [_Path(self._least[0], 0, 0, ())]}
        for segments in range(1, self._prospects.most_segments + 1):
            if not layer:
                break
            made = self._extended(layer, self._prospects.limits(segments))
            if made is None:
                return False
            layer = {cut: self._undominated(cut, paths) for cut, paths in made.items()}
            for end in layer.pop(self._instance.n, []):
                self.ends.append(end)
                self._prospects.add(end.measures)
        return True

    def _undominated(self, cut: int, paths: Sequence[_Path]) -> list[_Path]:
        front = self._fronts[cut]
        return [
            path for path in sorted(paths, key=lambda path: path.asked) if front.add(path.asked)
        ]

    def _extended(
        self, layer: dict[int, list[_Path]], limits: list[list[int]]
    ) -> dict[int, list[_Path]] | None:
        """Every path by every way of every option that can still lead to a better plan; None where
        there is too little time, or there are too many."""
        made: dict[int, list[_Path]] = {}
        level = self._prospects.level
        for cut, paths in layer.items():
            for ram, number in self._arcs[cut]:
                if self._deadline.is_over or self._made > _MOST_PATHS:
                    return None
                option = self._instance.options[number]
                limit, more = limits[option.stop], option.cost
                some = [p for p in paths if p.cost + more < limit[level(max(p.peak, ram))]]
                longer = self._longer(some, number)
                hopeful = [path for path in longer if path.cost < limit[level(path.peak)]]
                self._made += len(hopeful)
                made.setdefault(option.stop, []).extend(hopeful)
        return made

    def _longer(self, paths: Sequence[_Path], number: int) -> Iterator[_Path]:
        """The paths by every way of one option that keeps the capacity."""
        option, goal = self._instance.options[number], self._instance.goal
        ways = self._orders.ways(number, (path.state for path in paths))
        for path, some in zip(paths, ways, strict=True):
            least, cost = max(path.peak, self._least[option.stop]), path.cost + option.cost
            for region, state, places in some:
                if goal.fits(peak := max(least, region)):
                    yield _Path(peak, cost, path.segments + 1, state, number, places, path)
