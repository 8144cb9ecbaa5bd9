"""The cheapest path through the cuts that holds no conflict, judged by the figures of a pool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from splitopt.solvers.partition.forbidden import Forbidden
from splitopt.solvers.partition.option_pool import OptionPool
from splitopt.solvers.partition.shortest_paths import FAR, NEVER, Column

_MOST_LABELS, _MOST_AT_A_CUT = 400_000, 2_000
"""Paths to all cuts that are compared before a search is given up, and those to one of which none
is as good as another."""


class TooManyPaths(Exception):
    """Many conflicts overlap, so that paths differ in what they have of them."""


class _Label(NamedTuple):
    """A path to a cut: its cost and tie, its mask (see Forbidden), its last option, and the path
    before that."""

    cost: int
    tie: int
    mask: int
    number: int = -1
    before: _Label | None = None


class AllowedPath(NamedTuple):
    """From the first cut to the last: its options, by number, and what they cost."""

    options: tuple[int, ...]
    cost: int


class AllowedPaths:
    """Over these options of a pool. `costs`, `ties`: of every option of the pool, they may change
    in place; a path's tie counts where its cost is the least."""

    def __init__(
        self, pool: OptionPool, numbers: Column, costs: Column, ties: Column, forbidden: Forbidden
    ) -> None:
        self._pool, self._costs, self._ties, self._forbidden = pool, costs, ties, forbidden
        order = numbers[np.argsort(pool.stops[numbers], kind="stable")]
        ends = np.searchsorted(pool.stops[order], np.arange(1, pool.n + 1))
        self._into = np.split(order, ends)
        order = numbers[np.argsort(pool.starts[numbers], kind="stable")]
        self._from = np.split(order, np.searchsorted(pool.starts[order], np.arange(1, pool.n)))
        self._made = 0

    def least_rest(self, region: int) -> Column:
        """By cut: what paths of such options to the end cost at least, conflicts or not; FAR or
        more where there is none."""
        found = np.full(self._pool.n + 1, NEVER)
        found[-1] = 0
        for cut in range(self._pool.n - 1, -1, -1):
            own = self._from[cut]
            own = own[self._pool.ram[own] <= region]
            sums = self._costs[own] + found[self._pool.stops[own]]
            found[cut] = sums.min(initial=NEVER)
        return found

    def cheapest(self, region: int, most: int | None = None) -> AllowedPath | None:
        """Of options that need no larger region, and no conflicts that do; None: there is none that
        costs at most that.

        Raises: TooManyPaths.
        """
        counted = self._forbidden.above(region)
        room = np.full(self._pool.n + 1, NEVER)
        if most is not None:
            room = most - self.least_rest(region)
        labels: list[list[_Label]] = [[_Label(0, 0, 0)]]
        costs, ties = np.full(self._pool.n + 1, NEVER), np.zeros(self._pool.n + 1, dtype=np.int64)
        costs[0] = 0
        for cut in range(1, self._pool.n + 1):
            into = self._into[cut]
            into = into[self._pool.ram[into] <= region]
            is_concerned = self._forbidden.concerned[into]
            made = [
                *self._by_others(into[~is_concerned], costs, ties, labels),
                *self._by_parts(into[is_concerned].tolist(), labels, counted, int(room[cut])),
            ]
            self._made += len(made)
            if self._made > _MOST_LABELS:
                raise TooManyPaths
            labels.append(_best([label for label in made if label.cost <= room[cut]]))
            if labels[cut]:
                costs[cut], ties[cut] = labels[cut][0][:2]
        return _path(labels[-1][0]) if labels[-1] else None

    def _by_others(
        self, numbers: Column, costs: Column, ties: Column, labels: list[list[_Label]]
    ) -> Iterator[_Label]:
        """The best by options that are no part of a conflict. `costs`, `ties`: of the best path to
        each cut."""
        starts = self._pool.starts[numbers]
        sums = costs[starts] + self._costs[numbers]
        least = sums.min(initial=NEVER)
        if least < FAR:
            among = np.flatnonzero(sums == least)
            tied = ties[starts[among]] + self._ties[numbers[among]]
            at = among[tied.argmin()]
            number = int(numbers[at])
            yield _Label(int(least), int(tied.min()), 0, number, labels[starts[at]][0])

    def _by_parts(
        self, numbers: Iterable[int], labels: list[list[_Label]], counted: int, most: int
    ) -> Iterator[_Label]:
        for number in numbers:
            cost, tie = int(self._costs[number]), int(self._ties[number])
            for label in labels[self._pool.starts[number]]:
                if label.cost + cost > most:
                    break
                mask = self._forbidden.extended(label.mask, number, counted)
                if mask is not None:
                    yield _Label(label.cost + cost, label.tie + tie, mask, number, label)


def _best(labels: list[_Label]) -> list[_Label]:
    """Those of which no other one is as good with no more in its mask, the cheapest first."""
    found = list[_Label]()
    for label in sorted(labels, key=lambda label: label[:2]):
        if not any(other.mask & ~label.mask == 0 for other in found):
            found.append(label)
            if len(found) > _MOST_AT_A_CUT:
                raise TooManyPaths
    return found


def _path(end: _Label) -> AllowedPath:
    options, at = list[int](), end
    while at.before is not None:
        options.append(at.number)
        at = at.before
    return AllowedPath(tuple(reversed(options)), end.cost)
