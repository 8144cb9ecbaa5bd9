"""Which segments an optimal plan can hold at all: bounds first, exact figures where they matter.

A replay of TFLM's planner costs a millisecond, and a chain of 300 ops has 45,150 segments. So
plans are searched under bounds, the segments they use are replayed, and this repeats until the
best plan rests on exact figures: an upper limit. Then a segment is kept unless every plan through
it is provably worse than that limit. Nothing is lost: ties of the limit are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from splitopt.bounds import Matrix

Mask = npt.NDArray[np.bool_]

_NEVER = np.int64(2**59)
_LEVELS = 96
_MOST_ROUNDS = 32
_TIE_SEGMENT = 2**40
"""Weight of one segment against copied bytes where only ties are left to decide."""

Exact = Callable[[int, int], tuple[int, int]]
"""(start, stop) → (RAM in bytes, added instructions), exactly."""


@dataclass(frozen=True)
class Goal:
    """What a plan is judged by, as the solvers' objective and limits."""

    ram_weight: int
    cost_weight: int
    capacity: int | None = None
    max_cost: int | None = None
    max_segments: int | None = None


@dataclass(frozen=True)
class _Path:
    """Cut positions from 0 to n, and what the plan costs under the matrices it was found in."""

    nodes: tuple[int, ...]
    peak: int
    cost: int

    @property
    def segments(self) -> Iterator[tuple[int, int]]:
        return pairwise(self.nodes)


class Pruner:
    """Matrices that start as bounds and become exact where a promising plan passes."""

    def __init__(
        self, ram: Matrix, cost: Matrix, copied: Matrix, allowed: Mask, exact: Exact, goal: Goal
    ) -> None:
        self._n = ram.shape[0] - 1
        capacity = _NEVER if goal.capacity is None else np.int64(goal.capacity)
        self._open = allowed & (ram <= capacity)
        self._ram, self._cost = ram.copy(), cost.copy()
        self._tie = copied + _TIE_SEGMENT
        self._exact_at = np.zeros(ram.shape, dtype=bool)
        self._exact = exact
        self._goal = goal
        self._capacity = int(capacity)
        self._limit: _Path | None = None

    def kept(self) -> list[tuple[int, int]]:
        """Segments (start, stop) that a best plan may use; empty where no plan fits.

        Plans are judged by their loads here. Where the layout of the best one needs more than its
        load, ask `kept_within` with the value it really reaches.
        """
        limit = self._limit = self._refine()
        return [] if limit is None else self._pairs(self._within(self._value(limit), limit))

    def assumed(self, cost: int, segments: int, copied_bytes: int) -> bool:
        """Whether a plan is as good as `kept` took for granted, ties included.

        If not, layouts needed more than loads, and what was dropped may be better than the plan.
        """
        limit = self._limit
        if limit is None or cost > self._value(limit):
            return False
        tie = sum(int(self._tie[segment]) for segment in limit.segments)
        return bool(self._goal.cost_weight) or segments * _TIE_SEGMENT + copied_bytes <= tie

    def kept_within(self, value: int | None) -> list[tuple[int, int]]:
        """Segments that a plan of at most that value may use; None: all that fit the capacity."""
        return self._pairs(self._open if value is None else self._within(value, None))

    def _pairs(self, keep: Mask) -> list[tuple[int, int]]:
        return [(int(start), int(stop)) for start, stop in np.argwhere(keep)]

    def _refine(self) -> _Path | None:
        """The best plan once it rests on exact figures; None where none fits."""
        while True:
            best, inexact = self._best_under_bounds()
            if best is None or all(self._exact_at[segment] for segment in best.segments):
                return best
            for segment in inexact:
                self._settle(segment)

    def _best_under_bounds(self) -> tuple[_Path | None, set[tuple[int, int]]]:
        """Plans of falling peak, each the cheapest under its peak, until none can win any more.

        Returns the best of them, and every segment they use that has no exact figures yet.
        """
        best: _Path | None = None
        inexact: set[tuple[int, int]] = set()
        level, least = self._capacity, self._least_peak()
        while least is not None and level >= least:
            path = self._cheapest(level)
            if path is None or self._cannot_win(path, least, best):
                break
            if best is None or self._value(path) < self._value(best):
                best = path
            inexact |= {segment for segment in path.segments if not self._exact_at[segment]}
            if not self._goal.ram_weight:
                break
            level = path.peak - 1
        return best, inexact

    def _cannot_win(self, path: _Path, least_peak: int, best: _Path | None) -> bool:
        """Whether this plan and all of lower peak, which cost no less, are out."""
        if self._goal.max_cost is not None and path.cost > self._goal.max_cost:
            return True
        floor = self._goal.ram_weight * least_peak + self._goal.cost_weight * path.cost
        return best is not None and floor > self._value(best)

    def _settle(self, segment: tuple[int, int]) -> None:
        self._ram[segment], self._cost[segment] = self._exact(*segment)
        self._exact_at[segment] = True
        if self._ram[segment] > self._capacity:
            self._open[segment] = False

    def _value(self, path: _Path) -> int:
        return self._goal.ram_weight * path.peak + self._goal.cost_weight * path.cost

    def _least_peak(self) -> int | None:
        """The least peak of any plan, by bottleneck paths."""
        reach = np.full(self._n + 1, _NEVER)
        reach[0] = 0
        ram = np.where(self._open, self._ram, _NEVER)
        for stop in range(1, self._n + 1):
            reach[stop] = np.maximum(reach[:stop], ram[:stop, stop]).min()
        return None if reach[-1] >= _NEVER else int(reach[-1])

    def _cheapest(self, level: int) -> _Path | None:
        """The cheapest plan with no segment above the level, within max_segments."""
        usable = self._open & (self._ram <= level)
        weights = np.where(usable, self._cost_of_search(), _NEVER)
        rounds = self._goal.max_segments
        nodes = _shortest(weights) if rounds is None else _shortest_within(weights, rounds)
        if nodes is None:
            return None
        pairs = list(pairwise(nodes))
        peak = max(int(self._ram[pair]) for pair in pairs)
        return _Path(tuple(nodes), peak, sum(int(self._cost[pair]) for pair in pairs))

    def _cost_of_search(self) -> Matrix:
        """With no weight on cost, ties alone decide: few segments, then few copied bytes."""
        if self._goal.cost_weight or self._goal.max_cost is not None:
            return self._cost
        return self._tie

    def _within(self, value: int, tie: _Path | None) -> Mask:
        """Segments of some plan of at most that value; `tie`: a plan that reaches it exactly."""
        goal, rounds = self._goal, self._goal.max_segments
        keep = np.zeros_like(self._open)
        for low, high in self._levels(value):
            usable = self._open & (self._ram <= high)
            through = _through(np.where(usable, self._cost, _NEVER), rounds)
            peak = np.maximum(self._ram, low)
            fits = goal.ram_weight * peak + goal.cost_weight * through <= value
            if goal.max_cost is not None:
                fits &= through <= goal.max_cost
            keep |= usable & fits & (through < _NEVER)
        if tie is not None and not goal.cost_weight and goal.max_cost is None:
            usable = keep & (self._ram <= tie.peak)
            most = sum(int(self._tie[segment]) for segment in tie.segments)
            keep &= _through(np.where(usable, self._tie, _NEVER), rounds) <= most
        return keep

    def _levels(self, value: int) -> Iterator[tuple[int, int]]:
        """Ranges of the peak (from, to), both included, that cover all plans worth a look."""
        goal, least = self._goal, self._least_peak() or 0
        most = self._capacity
        if goal.ram_weight:
            most = min(most, value // goal.ram_weight)
        held = np.unique(self._ram[self._open])
        held = held[(held >= least) & (held <= most)]
        if not len(held):
            return
        chosen = held[np.unique(np.linspace(0, len(held) - 1, _LEVELS).astype(int))]
        low = least
        for high in chosen:
            yield low, int(high)
            low = int(high) + 1


def _shortest(weights: Matrix) -> list[int] | None:
    """Nodes of the shortest path 0 → n over the upper triangle."""
    n = weights.shape[0] - 1
    reach = np.full(n + 1, _NEVER)
    reach[0] = 0
    before = np.zeros(n + 1, dtype=np.int64)
    for stop in range(1, n + 1):
        sums = reach[:stop] + weights[:stop, stop]
        before[stop] = sums.argmin()
        reach[stop] = min(sums[before[stop]], _NEVER)
    if reach[n] >= _NEVER:
        return None
    nodes = [n]
    while nodes[-1]:
        nodes.append(int(before[nodes[-1]]))
    return nodes[::-1]


def _shortest_within(weights: Matrix, most_edges: int) -> list[int] | None:
    """The same with at most that many edges."""
    n = weights.shape[0] - 1
    reach = np.full(n + 1, _NEVER)
    reach[0] = 0
    steps: list[Matrix] = []
    layers = [reach]
    for _ in range(min(most_edges, n)):
        sums = np.minimum(layers[-1][:, None] + weights, _NEVER)
        steps.append(sums.argmin(axis=0))
        layers.append(sums.min(axis=0))
    edges = min(range(1, len(layers)), key=lambda k: int(layers[k][n]))
    if layers[edges][n] >= _NEVER:
        return None
    nodes = [n]
    for k in range(edges, 0, -1):
        nodes.append(int(steps[k - 1][nodes[-1]]))
    return nodes[::-1]


def _through(weights: Matrix, most_edges: int | None) -> Matrix:
    """For each edge, the length of the shortest path 0 → n that uses it, of at most that many."""
    n = weights.shape[0] - 1
    if most_edges is None or most_edges > _MOST_ROUNDS:
        ahead, behind = _distances(weights), _distances(_reversed(weights))[::-1]
        through: Matrix = np.minimum(ahead[:, None] + weights + behind[None, :], _NEVER)
        return through
    ahead_by = _distances_by_edges(weights, most_edges - 1)
    behind_by = [row[::-1] for row in _distances_by_edges(_reversed(weights), most_edges - 1)]
    best: Matrix = np.full((n + 1, n + 1), _NEVER)
    for edges in range(most_edges):
        before, after = ahead_by[edges], behind_by[most_edges - 1 - edges]
        np.minimum(best, before[:, None] + weights + after[None, :], out=best)
    return best


def _reversed(weights: Matrix) -> Matrix:
    """The same graph seen from n: edge (i, j) becomes (n - j, n - i)."""
    mirrored: Matrix = weights.T[::-1, ::-1]
    return mirrored


def _distances(weights: Matrix) -> Matrix:
    n = weights.shape[0] - 1
    reach: Matrix = np.full(n + 1, _NEVER)
    reach[0] = 0
    for node in range(1, n + 1):
        reach[node] = min((reach[:node] + weights[:node, node]).min(), _NEVER)
    return reach


def _distances_by_edges(weights: Matrix, most: int) -> list[Matrix]:
    """Distances from node 0 over at most 0, 1, … `most` edges."""
    n = weights.shape[0] - 1
    first: Matrix = np.full(n + 1, _NEVER)
    first[0] = 0
    layers = [first]
    for _ in range(most):
        step = (layers[-1][:, None] + weights).min(axis=0)
        layers.append(np.minimum(np.minimum(step, layers[-1]), _NEVER))
    return layers
