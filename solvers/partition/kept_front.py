"""Options that some plan of the Pareto front uses where options keep bytes for good, found with few
exact evaluations.

All paths are followed from cut to cut that may still beat the plans that are known; what they use
is settled where they come to it. So the paths that are left rest on exact figures. See
lazy_front.py for options that keep nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.conflicts import Conflict, Conflicts
from splitopt.solvers.partition.instance import Goal, Option
from splitopt.solvers.partition.kept_ends import hopeful_edges
from splitopt.solvers.partition.kept_labels import Labels, LabelSearch
from splitopt.solvers.partition.kept_pool import KeptPool
from splitopt.solvers.partition.kept_prospects import KeptProspects
from splitopt.solvers.partition.lazy_front import KeptForFront
from splitopt.solvers.partition.option_pool import Mask, OptionName
from splitopt.solvers.partition.prospects import Measures
from splitopt.solvers.partition.shortest_paths import FAR, NEVER, Column, least_weights, to_end


class Followed(NamedTuple):
    """Paths over all options, by cut, and the numbers of those that they may have."""

    numbers: Column
    labels: Sequence[Labels]


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
        is_followed = self._followed is not None and not only_exact
        if is_followed:
            numbers = self._hopeful(known)
        if not len(numbers):
            return KeptForFront([], is_complete=not self._deadline.is_over)
        prospects = KeptProspects(
            self._pool.n,
            self._pool.edges.some(numbers),
            known,
            self._goal,
            by_segments=self._by_segments,
            lowest=self._lowest,
        )
        numbers = numbers[prospects.gains() >= 0]
        is_last = only_exact or is_followed or self._by_segments
        told = self._pool.is_exact if is_last else self._pool.is_exact | self._pool.is_close
        search = self._search(numbers, prospects, Conflicts(self._pool.n, conflicts), told)
        found = search.run(self._deadline)
        if not (only_exact or is_followed):
            self._prospects = prospects
        if found is None:
            return KeptForFront([], is_complete=False)
        if not is_last:
            self._followed = Followed(numbers, search.labels)
        if is_followed and found:
            return self._settled(numbers[self._pool.is_exact[numbers]])
        return self._settled(numbers[sorted({at for end in found for at in end.numbers})])

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

    def _hopeful(self, known: Sequence[Measures]) -> Column:
        """What is left of the options over which paths were followed."""
        assert self._followed is not None
        numbers, labels = self._followed
        edges = self._pool.edges.some(numbers)
        is_left = hopeful_edges(self._pool.n, edges, self._goal, known, labels, self._deadline)
        self._followed = Followed(numbers[is_left], labels)
        return self._followed.numbers

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
        self, numbers: Column, prospects: KeptProspects, conflicts: Conflicts, told: Mask
    ) -> LabelSearch:
        """Paths over these options, by their numbers in the pool. `told`: of all that there are,
        those that are not settled where paths come to them."""
        pool, edges = self._pool, self._pool.edges.some(numbers)
        settled = told[numbers]
        bits = np.zeros((len(numbers), conflicts.words), dtype=np.int64)

        def learn(some: Column) -> None:
            for at in some.tolist():
                if edges.ram[at] < NEVER and conflicts.concern(edges.starts[at], edges.stops[at]):
                    bits[at] = conflicts.bits(self._option_of(pool.name(int(numbers[at]))))

        def settle(some: Sequence[int]) -> None:
            chosen = numbers[list(some)]
            pool.settle(chosen.tolist(), self._deadline)
            settled[some] = True
            for column, now in zip(edges, pool.edges, strict=True):
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
        )


def least_added(pool: KeptPool) -> int:
    """No plan adds less."""
    edges = pool.edges
    some = edges.some(edges.ram < NEVER)
    weights = least_weights(pool.n, some.starts, some.stops, some.cost)
    least = int(to_end(weights, np.add)[0])
    return 0 if least >= FAR else least
