"""Paths through the cuts that no other one dominates, judged by loads, where options keep bytes.

What is kept adds to the peak in the end, whatever region comes later: of two paths to a cut one is
enough if it keeps no more, takes no more of region and kept bytes together, costs no more and,
where segments count, has no more of them. Columns of labels in the place of objects: there are
thousands at each cut.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.conflicts import Conflicts
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.kept_prospects import Edges, lowest_regions
from splitopt.solvers.partition.option_pool import Mask
from splitopt.solvers.partition.shortest_paths import NEVER, Column
from splitopt.solvers.partition.stand_ins import ROLES
from splitopt.solvers.partition.undominated import beaten_by_cells


class Labels(NamedTuple):
    """Columns, one entry for each path: the least region that it can end with, its cost, what it
    keeps, its segments and copied bytes; its last edge, and which label that extends; what it has
    of conflicts, in words."""

    region: Column
    cost: Column
    kept: Column
    segments: Column
    copied: Column
    edge: Column
    before: Column
    mask: Column

    def some(self, chosen: Mask | Column) -> Labels:
        numbers = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return Labels(*(column[numbers] for column in self))


@dataclass(frozen=True)
class EndPath:
    """From the first cut to the last: its options, by number, and its figures by loads."""

    numbers: tuple[int, ...]
    region: int
    cost: int
    segments: int
    copied: int
    kept: int = 0

    @property
    def peak(self) -> int:
        return self.region + self.kept


Rows = Iterable[tuple[int, int, int, int]]
Above = Sequence[Sequence[int]]
Settle = Callable[[Sequence[int]], None]


class Prospects(Protocol):
    """Which paths to a cut may lead to a plan that is wanted."""

    def has(
        self, cut: int, region: Column, cost: Column, kept: Column, segments: Column
    ) -> Mask: ...


class LabelSearch:
    """`edges`: by number; `settled` says which figures of them are exact, and `settle` makes others
    so, in place. `prospects`: paths are dropped that have none. `floor`: by cut, no path from there
    to the end has a lower region."""

    def __init__(
        self,
        n: int,
        edges: Edges,
        goal: Goal,
        *,
        by_segments: bool,
        prospects: Prospects | None = None,
        settled: Mask | None = None,
        settle: Settle = lambda _: None,
        conflicts: Conflicts | None = None,
        bits: Column | None = None,
        floor: Column | None = None,
    ) -> None:
        self._n, self._edges, self._goal = n, edges, goal
        self._by_segments, self._prospects = by_segments, prospects
        self._settled = np.ones(len(edges.ram), dtype=bool) if settled is None else settled
        self._settle = settle
        self._conflicts = Conflicts(()) if conflicts is None else conflicts
        words = self._conflicts.words
        self._bits = np.zeros((len(edges.ram), len(ROLES), words), int) if bits is None else bits
        self._none = Labels(*[*_NOTHING, np.zeros((0, words), dtype=np.int64)])
        self._floor = lowest_regions(n, edges) if floor is None else floor
        self._labels = [self._none] * (n + 1)
        order = np.argsort(edges.stops, kind="stable")
        self._arcs = np.split(order, np.searchsorted(edges.stops[order], np.arange(1, n + 1)))

    def run(self, deadline: Deadline) -> list[EndPath] | None:
        """The paths to the end, by rising peak; None where time is over."""
        return list(self._ends()) if self.follow(deadline) else None

    def follow(self, deadline: Deadline) -> bool:
        """Fills `labels`; whether time was enough."""
        nothing = np.zeros(1, dtype=np.int64)
        masks = np.zeros((1, self._conflicts.words), dtype=np.int64)
        empty = Labels(*[*(nothing for _ in _NOTHING), masks])
        self._labels[0] = empty._replace(region=nothing + self._floor[0])
        for cut in range(1, self._n + 1):
            self._labels[cut] = self._at(cut, deadline)
            if deadline.is_over:
                return False
        return True

    @property
    def labels(self) -> Sequence[Labels]:
        """Of each cut, as far as paths were followed."""
        return self._labels

    def _at(self, cut: int, deadline: Deadline) -> Labels:
        """Labels of a cut, all by exact figures if the deadline is not over."""
        arcs = self._arcs[cut]
        is_settled = self._settled[arcs]
        found = self._best(self._longer(arcs[is_settled]))
        open_ = self._unbeaten(self._longer(arcs[~is_settled]), found)
        while len(open_.edge) and not deadline.is_over:
            both = self._best(joined(found, open_))
            unsettled = np.unique(both.edge[~self._settled[both.edge]])
            if not len(unsettled):
                return both
            self._settle(unsettled.tolist())
            found = self._best(joined(found, self._longer(unsettled)))
            open_ = self._unbeaten(open_.some(~self._settled[open_.edge]), found)
        return found

    def _longer(self, arcs: Column) -> Labels:
        """Labels at the starts of these edges, longer by them, as far as they have prospects."""
        edges = self._edges
        parts = [self._labels[start] for start in edges.starts[arcs].tolist()]
        counts = np.array([len(part.edge) for part in parts])
        if not len(arcs) or not counts.sum():
            return self._none
        stop, edge = int(edges.stops[arcs[0]]), np.repeat(arcs, counts)
        region, cost, kept, segments, copied = (
            np.concatenate([part[column] for part in parts]) for column in range(5)
        )
        np.maximum(region, np.maximum(edges.ram, self._floor[stop])[edge], out=region)
        cost += edges.cost[edge]
        kept += edges.kept[edge]
        segments += 1
        some = np.flatnonzero(self._wanted(stop, region, cost, kept, segments))
        edge, before = edge[some], some - np.repeat(np.cumsum(counts) - counts, counts)[some]
        copied = copied[some] + edges.copied[edge]
        mask = np.concatenate([part.mask for part in parts])[some]
        figures = region[some], cost[some], kept[some], segments[some]
        longer = Labels(*figures, copied, edge, before, mask)
        if not self._conflicts.words:
            return longer
        mask, region = self._conflicts.extended(mask, self._bits[edge], longer.region)
        return longer._replace(mask=mask, region=region).some(
            self._wanted(stop, region, *figures[1:])
        )

    def _wanted(
        self, cut: int, region: Column, cost: Column, kept: Column, segments: Column
    ) -> Mask:
        """Which paths to a cut keep the limits and have prospects."""
        goal = self._goal
        found: Mask = region + kept <= (NEVER - 1 if goal.capacity is None else goal.capacity)
        if goal.max_segments is not None:
            found &= segments <= goal.max_segments
        if self._prospects is not None:
            found[found] = self._prospects.has(
                cut, region[found], cost[found], kept[found], segments[found]
            )
        return found

    def _best(self, labels: Labels) -> Labels:
        """Those that no other one dominates; of equal ones the first."""
        if len(labels.edge) < 2:
            return labels
        labels = labels.some(~self._clearly_beaten(labels, len(labels.edge)))
        return labels.some(_undominated(*self._rows(labels)))

    def _clearly_beaten(self, labels: Labels, rivals: int) -> Mask:
        """Most of those that one of the first ones dominates which has no part of a conflict."""
        if len(labels.edge) < _MANY or self._by_segments:
            return np.zeros(len(labels.edge), dtype=bool)
        is_rival = ~labels.mask[:rivals].any(axis=1)
        figures = labels.kept, labels.region + labels.kept, labels.cost
        return beaten_by_cells(*figures, np.flatnonzero(is_rival))

    def _unbeaten(self, labels: Labels, others: Labels) -> Labels:
        """Those that none of the others dominates."""
        if not len(labels.edge):
            return labels
        every = joined(others, labels)
        is_beaten = self._clearly_beaten(every, len(others.edge))
        is_beaten[: len(others.edge)] = False
        every = every.some(~is_beaten)
        found = _undominated(*self._rows(every), len(others.edge))
        return every.some(found[found >= len(others.edge)])

    def _rows(self, labels: Labels) -> tuple[Rows, Above]:
        """In an order in which none is dominated by a later one, with their kinds: of how many
        segments, where these count, and with which mask."""
        peak, segments = labels.region + labels.kept, labels.segments
        order = np.lexsort((labels.copied, segments, labels.cost, peak, labels.kept))
        kind, above = self._kinds(labels)
        columns = (order, peak[order], labels.cost[order], kind[order])
        return zip(*(column.tolist() for column in columns), strict=True), above

    def _kinds(self, labels: Labels) -> tuple[Column, Above]:
        """Of labels by mask and, where they count, segments; and what is above each kind."""
        if not self._by_segments and not labels.mask.any():
            return np.zeros_like(labels.segments), [[0]]
        counts = labels.segments if self._by_segments else np.zeros_like(labels.segments)
        names, kind = np.unique(np.column_stack([counts, labels.mask]), axis=0, return_inverse=True)
        count, own = names[:, 0], names[:, 1:]
        is_above = (count[:, None] <= count) & (own[:, None] & ~own == 0).all(axis=2)
        return kind.ravel(), [np.flatnonzero(row).tolist() for row in is_above]

    def _ends(self) -> Iterator[EndPath]:
        """Of these no measure but peak, cost and segments counts any more."""
        labels, limit = self._labels[self._n], self._goal.max_cost
        peak = labels.region + labels.kept
        order = np.lexsort((labels.copied, labels.segments, labels.cost, peak))
        least: list[tuple[int, int]] = []
        for at in order.tolist():
            cost, segments = int(labels.cost[at]), int(labels.segments[at])
            mine = cost, segments * self._by_segments
            if (limit is None or cost <= limit) and not any(
                a <= mine[0] and b <= mine[1] for a, b in least
            ):
                least = [
                    other for other in least if not (mine[0] <= other[0] and mine[1] <= other[1])
                ]
                least.append(mine)
                yield EndPath(
                    numbers=self.path(at, self._n),
                    region=int(labels.region[at]),
                    cost=cost,
                    segments=segments,
                    copied=int(labels.copied[at]),
                    kept=int(labels.kept[at]),
                )

    def path(self, at: int, cut: int) -> tuple[int, ...]:
        """The edges of a label of a cut."""
        edges = list[int]()
        while cut:
            labels = self._labels[cut]
            edges.append(int(labels.edge[at]))
            at, cut = int(labels.before[at]), int(self._edges.starts[edges[-1]])
        return tuple(reversed(edges))


def joined(*parts: Labels) -> Labels:
    """Of one cut."""
    return Labels(*map(np.concatenate, zip(*parts, strict=True)))


_MANY = 256
"""So many labels are first compared by cells."""

_NOTHING = [np.zeros(0, dtype=np.int64)] * (len(Labels._fields) - 1)
"""In each column but the masks."""


def _undominated(rows: Rows, above: Above, rivals: int | None = None) -> Column:
    """(name, a, b, kind) in an order in which none is dominated by a later one: the names of those
    of which none before, of a kind that they are above, has a and b as small. `above`: of each kind
    those that are above it, itself among them. `rivals`: only those of a lower name count."""
    found, stairs = list[int](), [(list[int](), list[int]()) for _ in above]
    for name, a, b, kind in rows:
        rising, falling = stairs[kind]
        at = bisect_right(rising, a)
        if at and falling[at - 1] <= b:
            continue
        found.append(name)
        if rivals is not None and name >= rivals:
            continue
        for other in above[kind]:
            rising, falling = stairs[other]
            at = bisect_right(rising, a)
            if at and falling[at - 1] <= b:
                continue
            at -= at > 0 and rising[at - 1] == a
            end = at
            while end < len(falling) and falling[end] >= b:
                end += 1
            rising[at:end], falling[at:end] = [a], [b]
    return np.array(found, dtype=np.int64)
