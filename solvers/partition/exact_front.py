"""Plans whose layouts beat those of known plans: the part of the front that loads do not tell.

Paths through the cuts, as in pareto.py, but each with an order of its blocks, and what that asks of
the values alive at its end (see orders.py). At each cut a path is dropped where another asks and
costs no more in any respect, and where no end of it could beat a known plan even by its load. What
is left at the last cut is laid out as it stands. Where segments count, or are limited, another is
one of no more of them, and paths of k segments are extended before those of k + 1. A quick search,
which drops more, comes first: its plans are known to the full one.
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
    def asked(self) -> tuple[int, ...]:
        return (self.peak, self.cost, *self.state)


@dataclass(frozen=True)
class Better:
    """`is_complete`: every plan that is not here is dominated by one that is, or by a known one."""

    plans: tuple[PartitionPlan, ...]
    is_complete: bool


def better_plans(
    instance: PartitionInstance,
    orders: Orders,
    known: Sequence[Measures],
    deadline: Deadline,
    *,
    counts_segments: bool = False,
) -> Better:
    """Plans that no known one dominates in what is measured, among them all that no plan dominates;
    of those with equal figures one."""
    by_segments = counts_segments or instance.goal.max_segments is not None
    try:
        prospects = Prospects(instance, known, by_segments=by_segments)
    except TooLarge:
        return Better((), is_complete=False)
    quick, full = (
        _Search(
            *(instance, orders, prospects, deadline),
            counts_segments=counts_segments,
            is_quick=is_quick,
        )
        for is_quick in (True, False)
    )
    quick.run(by_segments=by_segments)
    is_complete = full.run(by_segments=by_segments)
    ends = undominated([*quick.ends, *full.ends], full.measures)
    return Better(tuple(map(orders.plan, ends)), is_complete)


class _Search:
    """`is_quick`: of paths to a cut with equal peak and cost only one is followed, which tells soon
    what others must beat."""

    def __init__(
        self,
        instance: PartitionInstance,
        orders: Orders,
        prospects: Prospects,
        deadline: Deadline,
        *,
        counts_segments: bool,
        is_quick: bool,
    ) -> None:
        self._instance, self._orders = instance, orders
        self._is_quick = is_quick
        self._prospects, self._deadline = prospects, deadline
        self._counts_segments = counts_segments
        self._least = lowest_peaks(instance)
        self._fronts = [Undominated() for _ in range(instance.n + 1)]
        self._arcs: list[list[tuple[int, int]]] = [[] for _ in range(instance.n)]
        for number, (option, ram) in enumerate(zip(instance.options, instance.rams, strict=True)):
            if instance.goal.fits(ram):
                self._arcs[option.start].append((ram, number))
        self._made = 0
        self.ends: list[_Path] = []

    def measures(self, end: _Path) -> Measures:
        return end.peak, end.cost, end.segments * self._counts_segments

    def run(self, *, by_segments: bool) -> bool:
        """Fills `ends`; whether all paths were followed."""
        return self._layer_by_layer() if by_segments else self._cut_by_cut()

    def _cut_by_cut(self) -> bool:
        made = {0: [self._start]}
        limits = self._prospects.limits(0)
        for cut in range(self._instance.n):
            if not self._extend(cut, self._undominated(cut, made.pop(cut, [])), limits, made):
                return False
        self._end(made)
        return True

    def _layer_by_layer(self) -> bool:
        layer = {0: [self._start]}
        for segments in range(1, self._prospects.most_segments + 1):
            limits = self._prospects.limits(segments)
            made: dict[int, list[_Path]] = {}
            if not all(self._extend(cut, paths, limits, made) for cut, paths in layer.items()):
                return False
            self._end(made)
            layer = {cut: self._undominated(cut, paths) for cut, paths in made.items()}
        return True

    def _end(self, paths: dict[int, list[_Path]]) -> None:
        for end in self._undominated(self._instance.n, paths.pop(self._instance.n, [])):
            self.ends.append(end)
            self._prospects.add(self.measures(end))

    @property
    def _start(self) -> _Path:
        return _Path(self._least[0], 0, 0, ())

    def _undominated(self, cut: int, paths: Sequence[_Path]) -> list[_Path]:
        front, count = self._fronts[cut], 2 if self._is_quick else None
        return [
            path
            for path in sorted(paths, key=lambda path: path.asked)
            if front.add(path.asked[:count])
        ]

    def _extend(
        self,
        cut: int,
        paths: Sequence[_Path],
        limits: list[list[int]],
        made: dict[int, list[_Path]],
    ) -> bool:
        """Every path by every way of every option that can still lead to a better plan. Whether
        there was the time, and room for all."""
        level = self._prospects.level
        for ram, number in self._arcs[cut] if paths else ():
            if self._deadline.is_over or self._made > _MOST_PATHS:
                return False
            option = self._instance.options[number]
            limit, more = limits[option.stop], option.cost
            some = [p for p in paths if p.cost + more < limit[level(max(p.peak, ram))]]
            hopeful = [p for p in self._longer(some, number) if p.cost < limit[level(p.peak)]]
            self._made += len(hopeful)
            made.setdefault(option.stop, []).extend(hopeful)
        return True

    def _longer(self, paths: Sequence[_Path], number: int) -> Iterator[_Path]:
        """The paths by every way of one option that keeps the capacity."""
        option, goal = self._instance.options[number], self._instance.goal
        ways = self._orders.ways(number, (path.state for path in paths))
        for path, some in zip(paths, ways, strict=True):
            least, cost = max(path.peak, self._least[option.stop]), path.cost + option.cost
            for region, state, places in some:
                if goal.fits(peak := max(least, region)):
                    yield _Path(peak, cost, path.segments + 1, state, number, places, path)
