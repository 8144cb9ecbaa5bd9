"""Paths through the cuts that no other one dominates, judged by loads alone.

At each cut a path is dropped where another has no higher peak, no higher cost and, where segments
count, no more of them: whatever completes the one completes the other. A path's peak counts as at
least the lowest peak that any path from its cut to the end must have, which drops most. Where
segments count, paths of k segments are extended before those of k + 1, else from cut to cut.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.conflicts import Conflict, Conflicts
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.kept_labels import EndPath, LabelSearch, Prospects
from splitopt.solvers.partition.kept_prospects import (
    Edges,
    KeptProspects,
    edges_of,
    lowest_regions,
)
from splitopt.solvers.partition.open_paths import OpenPaths
from splitopt.solvers.partition.prospects import Measures, least_costs, lowest_peaks
from splitopt.solvers.partition.shortest_paths import NEVER, Column


@dataclass(frozen=True, slots=True)
class LoadPath:
    """From 0 to a cut: the lowest peak it can end with, its cost, and its last option."""

    peak: int
    cost: int
    segments: int
    copied: int
    number: int = -1
    before: LoadPath | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the options, from 0 on."""
        return () if self.before is None else (*self.before.numbers, self.number)

    @property
    def end(self) -> EndPath:
        return EndPath(self.numbers, self.peak, self.cost, self.segments, self.copied)


@dataclass(frozen=True)
class LoadPaths:
    """Paths to the end. `untried`: no path that is missing is better than that; None where all
    that are not dominated are there."""

    ends: tuple[EndPath, ...]
    untried: Measures | None


def load_paths(instance: PartitionInstance, deadline: Deadline, *, by_segments: bool) -> LoadPaths:
    """`by_segments`: whether segments count, or are limited. Of paths that are equal in what counts
    one is kept, of few segments and few copied bytes."""
    return _Search(instance, by_segments=by_segments).run(deadline)


def kept_paths(
    instance: PartitionInstance,
    deadline: Deadline,
    learnt: Sequence[Conflict],
    known: Sequence[Measures] = (),
    *,
    by_segments: bool,
) -> LoadPaths:
    """The same where options keep bytes, with conflicts of them. Where time runs out, none. Of
    paths that are no better than plans that are `known`, most are not there."""
    conflicts, edges = Conflicts(learnt), edges_of(instance)
    if lowest_regions(instance.n, edges)[0] >= NEVER:
        return LoadPaths((), None)  # some cut is in the way of every path
    chosen, prospects = _open(instance, edges, known, by_segments=by_segments)
    search = LabelSearch(
        instance.n,
        edges.some(chosen),
        instance.goal,
        by_segments=by_segments,
        prospects=prospects,
        conflicts=conflicts,
        bits=conflicts.bits([instance.options[number] for number in chosen]),
    )
    found = search.run(deadline)
    if found is None:
        return LoadPaths((), (lowest_peaks(instance)[0], least_costs(instance)[0], 1))
    ends = (replace(end, numbers=tuple(chosen[list(end.numbers)].tolist())) for end in found)
    return LoadPaths(tuple(ends), None)


def _open(
    instance: PartitionInstance, edges: Edges, known: Sequence[Measures], *, by_segments: bool
) -> tuple[Column, Prospects | None]:
    """Numbers of options that paths may have which are no worse than known plans, and which paths
    may be so."""
    n, goal, every = instance.n, instance.goal, np.arange(len(edges.ram))
    if not by_segments and not edges.kept.any():
        prospects = OpenPaths(n, edges, goal, known)
        return prospects.edges, prospects
    if not known:
        return every, None
    return every, KeptProspects(n, edges, known, goal, by_segments=by_segments)


class _Search:
    def __init__(self, instance: PartitionInstance, *, by_segments: bool) -> None:
        self._n, self._max_cost = instance.n, instance.goal.max_cost
        self._by_segments, self._most_segments = by_segments, instance.most_segments
        self._peak_to_end = lowest_peaks(instance)
        self._cost_to_end = least_costs(instance)
        self._fronts = [_Staircase() for _ in range(instance.n + 1)]
        self._arcs: list[list[tuple[int, int, Option]]] = [[] for _ in range(instance.n)]
        for number, (option, ram) in enumerate(zip(instance.options, instance.rams, strict=True)):
            if instance.goal.fits(ram) and self._peak_to_end[option.stop] < NEVER:
                least = max(ram, self._peak_to_end[option.stop])
                self._arcs[option.start].append((least, number, option))

    def run(self, deadline: Deadline) -> LoadPaths:
        if self._peak_to_end[0] >= NEVER:
            return LoadPaths((), None)
        start = LoadPath(self._peak_to_end[0], 0, 0, 0)
        return (self._layer_by_layer if self._by_segments else self._cut_by_cut)(start, deadline)

    def _layer_by_layer(self, start: LoadPath, deadline: Deadline) -> LoadPaths:
        """Where time runs out, none of more segments."""
        layer, ends = {0: [start]}, list[LoadPath]()
        for segments in range(1, self._most_segments + 1):
            longer: dict[int, list[LoadPath]] = {}
            for cut, paths in layer.items():
                if deadline.is_over and segments > 1:
                    return self._told(ends, self._untried(segments))
                self._extend(cut, paths, longer)
            taken = {cut: self._fronts[cut].take(paths) for cut, paths in longer.items()}
            layer = {cut: paths for cut, paths in taken.items() if paths}
            ends += layer.pop(self._n, [])
            if not layer:
                break
        return self._told(ends, None)

    def _cut_by_cut(self, start: LoadPath, deadline: Deadline) -> LoadPaths:
        """Where time runs out, those of the lowest peak and of the least cost go on."""
        made, untried = {0: [start]}, None
        for cut in range(self._n):
            paths = self._fronts[cut].take(made.pop(cut, []))
            if deadline.is_over and len(paths) > 2:
                untried, paths = self._untried(0), [paths[0], paths[-1]]
            self._extend(cut, paths, made)
        return self._told(self._fronts[self._n].take(made.pop(self._n, [])), untried)

    def _told(self, ends: Iterable[LoadPath], untried: Measures | None) -> LoadPaths:
        return LoadPaths(tuple(path.end for path in ends), untried)

    def _untried(self, segments: int) -> Measures:
        return self._peak_to_end[0], self._cost_to_end[0], segments

    def _extend(self, cut: int, paths: Sequence[LoadPath], made: dict[int, list[LoadPath]]) -> None:
        """Every path by every option, as far as no path at its end dominates it."""
        for least, number, option in self._arcs[cut] if paths else ():
            front, rest = self._fronts[option.stop], self._cost_to_end[option.stop]
            most = NEVER if self._max_cost is None else self._max_cost - rest
            longer = made.setdefault(option.stop, [])
            for path in paths:
                peak, cost = max(path.peak, least), path.cost + option.cost
                if cost <= most and not front.dominates(peak, cost):
                    copied = path.copied + option.copied_bytes
                    longer.append(LoadPath(peak, cost, path.segments + 1, copied, number, path))


@dataclass
class _Staircase:
    """The undominated (peak, cost) of one cut so far: peaks rise, costs fall."""

    peaks: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)

    def dominates(self, peak: int, cost: int) -> bool:
        at = bisect_right(self.peaks, peak)
        return at > 0 and self.costs[at - 1] <= cost

    def take(self, paths: Iterable[LoadPath]) -> list[LoadPath]:
        """Those of the paths that nothing dominates, by rising peaks; they are part of it then."""
        few_first = sorted(paths, key=lambda path: (path.segments, path.copied))
        best = undominated(few_first, lambda path: (path.peak, path.cost))
        kept = [path for path in best if not self.dominates(path.peak, path.cost)]
        if kept:
            known = zip(self.peaks, self.costs, strict=True)
            steps = [*known, *((path.peak, path.cost) for path in kept)]
            steps = undominated(steps, lambda step: step)
            self.peaks, self.costs = [peak for peak, _ in steps], [cost for _, cost in steps]
        return kept
