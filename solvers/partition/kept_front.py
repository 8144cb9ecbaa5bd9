"""Options that some plan of the Pareto front uses where options keep bytes for good, found with few
exact evaluations.

All paths are followed from cut to cut that may still beat the plans that are known; what they use
is settled where they come to it. So the paths that are left rest on exact figures. See
lazy_front.py for options that keep nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.conflicts import Conflict, Conflicts
from splitopt.solvers.partition.instance import Goal, Option
from splitopt.solvers.partition.kept_ends import Halves, mirrored
from splitopt.solvers.partition.kept_labels import LabelSearch
from splitopt.solvers.partition.kept_pool import KeptPool
from splitopt.solvers.partition.kept_prospects import Edges, KeptProspects, lowest_regions
from splitopt.solvers.partition.lazy_front import KeptForFront
from splitopt.solvers.partition.option_pool import Mask, OptionName
from splitopt.solvers.partition.prospects import Measures
from splitopt.solvers.partition.shortest_paths import FAR, NEVER, Column, least_weights, to_end
from splitopt.solvers.partition.stand_ins import ROLES


@dataclass
class Followed:
    """Paths that were followed over all options: which are still of interest of each half."""

    ahead: Column
    behind: Column
    halves: Halves

    def hopeful(self, pool: KeptPool, known: Sequence[Measures], deadline: Deadline) -> Column:
        """Those that a plan may have that no known one is as good as."""
        edges = pool.edges
        parts = edges.some(self.ahead), edges.some(self.behind)
        chosen = self.halves.hopeful(*parts, known, deadline)
        self.ahead, self.behind = self.ahead[chosen[0]], self.behind[chosen[1]]
        return np.concatenate([self.ahead, self.behind])


class KeptFront:
    """Of one pool. `option_of`: the option of a name. `lowest`: no plan has a lower peak."""

    def __init__(
        self,
        pool: KeptPool,
        goal: Goal,
        option_of: Callable[[OptionName], Option],
        deadline: Deadline,
        *,
        counts_segments: bool = False,
        lowest: int = 0,
    ) -> None:
        self._pool, self._goal, self._deadline = pool, goal, deadline
        self._option_of, self._lowest = option_of, lowest
        self._counts = counts_segments
        self._by_segments = counts_segments or goal.max_segments is not None
        self._prospects: KeptProspects | None = None
        self._followed: Followed | None = None

    def names(
        self,
        known: Sequence[Measures],
        conflicts: Sequence[Conflict],
        *,
        only_exact: bool = False,
    ) -> KeptForFront:
        """Options of all plans that no other dominates by loads and conflicts, but for those that
        plans dominate which are known. `only_exact`: of options whose figures are exact by now."""
        numbers = np.flatnonzero(self._fits & (self._pool.is_exact | (not only_exact)))
        is_first = self._followed is None and not only_exact
        if self._followed is not None and not only_exact:
            numbers = self._followed.hopeful(self._pool, known, self._deadline)
        if not len(numbers):
            return KeptForFront([], is_complete=not self._deadline.is_over)
        prospects = self._prospects_of(self._pool.edges.some(numbers), known)
        numbers = numbers[prospects.gains() >= 0]
        learnt = Conflicts(conflicts)
        if is_first:
            self._prospects = prospects
        if not len(numbers):
            return KeptForFront([], is_complete=True)
        if is_first and not self._by_segments:
            return self._met(numbers, prospects, known, learnt)
        edges = self._pool.edges.some(numbers)
        found = self._search(numbers, edges, prospects, learnt, self._pool.is_exact).run(
            self._deadline
        )
        if found is None:
            return KeptForFront([], is_complete=False)
        used = sorted({at for end in found for at in end.numbers})
        if found and not (only_exact or is_first):  # others may be as good with further conflicts
            used = np.flatnonzero(self._pool.is_exact[numbers]).tolist()
        return self._settled(numbers[used])

    def _met(
        self,
        numbers: Column,
        prospects: KeptProspects,
        known: Sequence[Measures],
        conflicts: Conflicts,
    ) -> KeptForFront:
        """Options of the best plans that meet in the middle; close figures count as they are."""
        pool, n = self._pool, self._pool.n
        told = pool.is_exact | pool.is_close
        every, middle = pool.edges.some(numbers), n // 2
        is_ahead = every.starts < middle
        first, second = numbers[is_ahead], numbers[~is_ahead]
        ahead = self._search(
            *(first, every.some(is_ahead), prospects, conflicts, told), lowest_regions(n, every)
        )
        if not ahead.follow(self._deadline):
            return KeptForFront([], is_complete=False)
        every = mirrored(n, pool.edges.some(numbers))
        behind = self._search(
            *(second, every.some(~is_ahead), self._prospects_of(every, known)),
            *(Conflicts(()), told, lowest_regions(n, every)),
        )
        if not behind.follow(self._deadline):
            return KeptForFront([], is_complete=False)
        halves = Halves(n, middle, self._goal, ahead, behind)
        better = halves.better(known, self._deadline)
        if better is None:
            return KeptForFront([], is_complete=False)
        self._followed = Followed(first, second, halves)
        used = np.concatenate([first[better[0]], second[better[1]]])
        return replace(self._settled(used), is_exact=not len(used))

    def _prospects_of(self, edges: Edges, known: Sequence[Measures]) -> KeptProspects:
        return KeptProspects(
            self._pool.n,
            edges,
            known,
            self._goal,
            by_segments=self._by_segments,
            lowest=self._lowest,
        )

    def _settled(self, used: Column) -> KeptForFront:
        """With exact figures by now; where these are above what they were found by, others may be
        in better plans."""
        pool, before = self._pool, self._pool.edges.some(used)
        pool.settle(used.tolist(), self._deadline)
        now = pool.edges.some(used)
        is_same = all(np.array_equal(*pair) for pair in zip(before, now, strict=True))
        there = [number for number in used.tolist() if pool.is_there(number)]
        is_complete = bool(pool.is_exact[used].all())
        return KeptForFront(sorted(map(pool.name, there)), is_complete, is_same)

    def loads(self, known: Iterable[Measures]) -> list[Measures]:
        """No plan is better than all of these, by what is known of options: for each known cost the
        lowest peak of plans that cost no more, but more than the one before."""
        costs = sorted({cost for _, cost, _ in known})
        least, segments = least_added(self._pool), int(self._counts)
        if self._prospects is None or not costs:
            return [(self._lowest, least, segments)]
        peaks = self._prospects.lowest_peaks(np.array(costs)).tolist()
        found = [(peaks[0], min(least, costs[0]), segments)]
        found += [(peak, cost + 1, segments) for cost, peak in zip(costs, peaks[1:], strict=False)]
        return [*found, (self._lowest, costs[-1] + 1, segments)]

    @property
    def _fits(self) -> Mask:
        edges, capacity = self._pool.edges, self._goal.capacity
        most = NEVER - 1 if capacity is None else capacity
        fits: Mask = edges.ram + edges.kept <= most
        return fits

    def _search(
        self,
        numbers: Column,
        edges: Edges,
        prospects: KeptProspects,
        conflicts: Conflicts,
        told: Mask,
        floor: Column | None = None,
    ) -> LabelSearch:
        """Paths over these options, by their numbers in the pool. `told`: of all that there are,
        those that are not settled where paths come to them."""
        pool = self._pool
        settled = told[numbers]
        bits = np.zeros((len(numbers), len(ROLES), conflicts.words), dtype=np.int64)

        def learn(some: Column) -> None:
            there = some[edges.ram[some] < NEVER]
            there = there[conflicts.concern(edges.starts[there], edges.stops[there])]
            names = map(pool.name, numbers[there].tolist())
            bits[there] = conflicts.bits([self._option_of(name) for name in names])

        def settle(some: Sequence[int]) -> None:
            chosen = numbers[list(some)]
            pool.settle(chosen.tolist(), self._deadline)
            settled[some] = True
            for column, now in zip(edges[2:], pool.edges[2:], strict=True):
                column[some] = now[chosen]
            learn(np.array(some))

        learn(np.flatnonzero(pool.is_exact[numbers]))
        return LabelSearch(
            pool.n,
            edges,
            self._goal,
            by_segments=self._by_segments,
            prospects=prospects,
            settled=settled,
            settle=settle,
            conflicts=conflicts,
            bits=bits,
            floor=floor,
        )


def least_added(pool: KeptPool) -> int:
    """No plan adds less."""
    edges = pool.edges
    some = edges.some(edges.ram < NEVER)
    weights = least_weights(pool.n, some.starts, some.stops, some.cost)
    least = int(to_end(weights, np.add)[0])
    return 0 if least >= FAR else least
