"""Every order in which arenas and boundary values can lie above one another, segment by segment.

Blocks that live at the same time lie one above the other, each as far as `Scene.distance` says. So
an order is a set of distances, and what it asks of the values alive at the next cut are longest
paths: of each value at least how far it begins above the low end and how far below the high end, of
each two the distance between them. These never fall with those asked at the cut before; so of two
orders one is enough where none of its figures is larger.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.kept import kept_values, placements_of
from splitopt.solvers.partition.plan import Layout, PartitionPlan

State = tuple[int, ...]
"""Of the values alive at a cut: the least distance from the low end to each, from each to the high
end, and from each to each other one, `_APART` where none is asked."""

_APART = -(2**52)
"""Less than any distance, and far from what 64 bits hold."""
_LOW, _HIGH, _FIRST = 0, 1, 2
"""Nodes: the ends of the region, then the values alive before a segment, then its new blocks."""

_Distances = npt.NDArray[np.int64]
"""Longest paths [..., from, to] between nodes."""
_Places = npt.NDArray[np.int64]
_Name = tuple[int, int]


class Way(NamedTuple):
    """An order of one segment: the region that it needs, what it asks of the values alive behind
    it, and the place of each new block among those that it shares time with, from the low end."""

    region: int
    state: State
    places: tuple[int, ...]


class Path(Protocol):
    """Segments up to a cut: the number of the last one's option, the places of its blocks (see
    Way), and the path before it; None where there is no segment."""

    @property
    def number(self) -> int: ...
    @property
    def places(self) -> tuple[int, ...]: ...
    @property
    def before(self) -> "Path | None": ...


@dataclass(frozen=True)
class Scene:
    """The blocks of one segment: boundary values by index, its arena as None.

    `beside`: of each new block the nodes before it that live when it does, the ends aside. `sizes`
    are by node; `rolls` are rolled pairs, the node made and the one read, with their leads. `low`:
    the node of an arena that lies below all else; 0 where there is none.
    """

    before: tuple[int, ...]
    new: tuple[int | None, ...]
    behind: tuple[int, ...]
    sizes: tuple[int, ...]
    beside: tuple[tuple[int, ...], ...]
    rolls: tuple[tuple[tuple[int, int], int], ...]
    low: int = 0

    def places(self, at: int) -> range:
        """Where a new block may lie among those beside it."""
        beside = self.beside[at]
        if self.low and self.low == _FIRST + len(self.before) + at:
            return range(1)
        return range(int(self.low in beside), len(beside) + 1)

    @cached_property
    def leads(self) -> Mapping[tuple[int, int], int]:
        return dict(self.rolls)

    def distance(self, low: int, high: int) -> int:
        """How far `high` begins above `low`, where it lies above it."""
        return self.leads.get((low, high), self.sizes[low])

    @cached_property
    def distances(self) -> tuple[tuple[_Distances, _Distances], ...]:
        """Of each new block from those beside it: where it lies above them, and below."""
        first = _FIRST + len(self.before)
        return tuple(
            (
                np.array([self.distance(node, first + at) for node in beside], dtype=np.int64),
                np.array([self.distance(first + at, node) for node in beside], dtype=np.int64),
            )
            for at, beside in enumerate(self.beside)
        )


class Orders:
    """Orders of the segments of some options, by number, found once for every state before them."""

    def __init__(self, options: Sequence[Option], boundaries: Sequence[Boundary]) -> None:
        self._options, self._boundaries = options, boundaries
        self._scenes: dict[int, Scene] = {}
        self._ways: dict[tuple[int, State], tuple[Way, ...]] = {}

    def ways(self, number: int, states: Iterable[State]) -> list[tuple[Way, ...]]:
        """Of the option of this number, behind each of these states: all orders that no other one
        dominates."""
        asked = list(states)
        new = [s for s in dict.fromkeys(asked) if (number, s) not in self._ways]
        if new:
            found = _ways(self._scene(number), new)
            self._ways.update(((number, s), ways) for s, ways in zip(new, found, strict=True))
        return [self._ways[number, state] for state in asked]

    def plan(self, end: Path) -> PartitionPlan:
        """Of the segments that lead to the end of a path."""
        segments = []
        while end.before is not None:
            segments.append((end.number, end.places))
            end = end.before
        numbers, places = zip(*reversed(segments), strict=True)
        options = tuple(self._options[number] for number in numbers)
        return PartitionPlan(options, self.layout(numbers, places))

    def layout(self, numbers: Sequence[int], places: Sequence[tuple[int, ...]]) -> Layout:
        """Where all blocks lie, as low as the orders of the segments let them."""
        edges: list[tuple[_Name, _Name, int]] = []
        rising: list[_Name] = []
        for k, (number, chosen) in enumerate(zip(numbers, places, strict=True)):
            scene = self._scene(number)
            names = [(-1, k) if value is None else (value, 0) for value in scene.before + scene.new]
            order = [_FIRST + names.index(name) for name in rising if name in names]
            for at, place in enumerate(chosen):
                block = _FIRST + len(scene.before) + at
                beside = [node for node in order if node in scene.beside[at]]
                pairs = [(low, block) for low in beside[:place]]
                pairs += [(block, high) for high in beside[place:]]
                edges += [
                    (names[low - _FIRST], names[high - _FIRST], scene.distance(low, high))
                    for low, high in pairs
                ]
                order.insert(order.index(beside[place - 1]) + 1 if place else 0, block)
            rising = [names[node - _FIRST] for node in order]
        return self._laid_out(numbers, _lowest(edges))

    def _laid_out(self, numbers: Sequence[int], offsets: dict[_Name, int]) -> Layout:
        options = [self._options[number] for number in numbers]
        kept = kept_values(options, self._boundaries)
        placements = placements_of(kept, [offsets.get((v.boundary, 0), 0) for v in kept])
        lows = tuple(offsets.get((-1, k), 0) for k in range(len(options)))
        tops = [low + option.arena_bytes for low, option in zip(lows, options, strict=True)]
        tops += [placement.offset + placement.size for placement in placements]
        return Layout(max(tops), placements, lows if any(lows) else ())

    def _scene(self, number: int) -> Scene:
        if number not in self._scenes:
            self._scenes[number] = self._seen(self._options[number])
        return self._scenes[number]

    def _seen(self, option: Option) -> Scene:
        values = self._boundaries
        before, behind = self._alive(option.start), self._alive(option.stop)
        fresh = [k for k in behind if k not in before]
        early: list[int | None] = [None] if option.arena_bytes else []
        early += [k for k in fresh if not values[k].is_made]
        late = [*self._only_here(option), *(k for k in fresh if values[k].is_made)]
        nodes = [*before, *early, *late]
        read_last = {_FIRST + at for at, value in enumerate(before) if value not in behind}
        beside = []
        for at in range(len(before), len(nodes)):
            others = range(_FIRST, _FIRST + at)
            is_beside_all = option.apart or at < len(before) + len(early)
            beside.append(tuple(node for node in others if is_beside_all or node not in read_last))
        node_of = {value: _FIRST + at for at, value in enumerate(nodes)}
        rolls = tuple(
            ((node_of[roll.made], node_of[roll.read]), roll.lead)
            for roll in option.rolls
            if roll.made in node_of and roll.read in node_of
        )
        sizes = [option.arena_bytes if value is None else values[value].size for value in nodes]
        new = (*early, *late)
        low = _FIRST + len(before) if option.low and option.arena_bytes else 0
        return Scene(before, new, behind, (0, 0, *sizes), tuple(beside), rolls, low)

    def _alive(self, cut: int) -> tuple[int, ...]:
        """The values (by index) of some size that are alive at a cut."""
        return tuple(self._alive_at.get(cut, ()))

    @cached_property
    def _alive_at(self) -> Mapping[int, Sequence[int]]:
        alive: dict[int, list[int]] = {}
        for k, value in enumerate(self._boundaries):
            for cut in range(value.start_item + 1, value.last_item + 1) if value.size else ():
                alive.setdefault(cut, []).append(k)
        return alive

    @cached_property
    def _outer(self) -> Sequence[int]:
        """The values of some size that come from outside of all segments, or go there."""
        values = enumerate(self._boundaries)
        return [k for k, value in values if value.size and value.goes_outside]

    def _only_here(self, option: Option) -> Iterator[int]:
        """What the option takes from outside or gives there, and no other segment needs."""
        for k in self._outer if option.apart else ():
            value = self._boundaries[k]
            inside = option.start <= value.start_item and value.last_item < option.stop
            is_handed_over = option.by_rows and not value.is_made
            if inside and not is_handed_over:
                yield k


def _ways(scene: Scene, states: Sequence[State]) -> Iterator[tuple[Way, ...]]:
    distances = _distances(scene, states)
    chosen: _Places = np.zeros((len(states), 0), dtype=np.int64)
    for at in range(len(scene.new)):
        free = scene.places(at)
        distances, chosen = distances.repeat(len(free), axis=0), chosen.repeat(len(free), axis=0)
        places = np.tile(free, len(distances) // len(free))
        distances = _placed(distances, *_neighbours(scene, distances, at, places))
        chosen = np.column_stack([chosen, places])
    orders = len(distances) // len(states)
    regions, found = distances[:, _LOW, _HIGH].tolist(), _states(scene, distances)
    rows = zip(regions, found, map(tuple, chosen.tolist()), strict=True)
    ways = [Way(*row) for row in rows]
    for first in range(0, len(ways), orders):
        some = ways[first : first + orders]
        figures = np.array([(way.region, *way.state) for way in some])
        yield tuple(some[i] for i in np.flatnonzero(~_dominated(figures)))


def _dominated(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """The rows of which another one has no larger figure; of equal rows all but the first."""
    is_below = (rows[:, None] <= rows[None, :]).all(axis=2)
    is_first = np.tri(len(rows), k=-1, dtype=bool).T
    dominated: npt.NDArray[np.bool_] = np.any(is_below & (~is_below.T | is_first), axis=0)
    return dominated


def _distances(scene: Scene, states: Sequence[State]) -> _Distances:
    """Between the ends and the values alive before the segment."""
    count = len(scene.before)
    figures = np.array(states, dtype=np.int64).reshape(len(states), -1)
    distances = np.full((len(states), _FIRST + count, _FIRST + count), _APART)
    distances[:, range(_FIRST + count), range(_FIRST + count)] = 0
    distances[:, _LOW, _HIGH] = 0
    distances[:, _LOW, _FIRST:] = figures[:, :count]
    distances[:, _FIRST:, _HIGH] = figures[:, count : 2 * count]
    rows, columns = np.nonzero(~np.eye(count, dtype=bool))
    distances[:, _FIRST + rows, _FIRST + columns] = figures[:, 2 * count :]
    return distances


def _states(scene: Scene, distances: _Distances) -> list[State]:
    """What is asked of the values alive behind the segment."""
    values = (*scene.before, *scene.new)
    nodes = [_FIRST + values.index(value) for value in scene.behind]
    pairs = [distances[:, low, high] for low in nodes for high in nodes if low != high]
    columns = [*(distances[:, _LOW, node] for node in nodes)]
    columns += [distances[:, node, _HIGH] for node in nodes]
    columns += [np.where(pair >= 0, pair, _APART) for pair in pairs]
    if not columns:
        return [()] * len(distances)
    return list(map(tuple, np.column_stack(columns).tolist()))


def _neighbours(
    scene: Scene, distances: _Distances, at: int, places: _Places
) -> tuple[_Distances, _Distances]:
    """How far each node lies below and above a new block: [order, node], `_APART` where it does
    not. Those beside it are in one order already, as each lives when the others do."""
    block, beside = distances.shape[1], list(scene.beside[at])
    below = np.full(distances.shape[:2], _APART)
    above = below.copy()
    below[:, _LOW], above[:, _HIGH] = 0, scene.sizes[block]
    among = distances[:, beside][:, :, beside]
    is_below = (among >= 0).sum(axis=1) - 1 < places[:, None]
    up, down = scene.distances[at]
    below[:, beside] = np.where(is_below, up, _APART)
    above[:, beside] = np.where(is_below, _APART, down)
    return below, above


def _placed(distances: _Distances, below: _Distances, above: _Distances) -> _Distances:
    """With one node more, that lies so far above and below others."""
    nodes = distances.shape[1]
    to = (distances + below[:, None, :]).max(axis=2)
    on = (distances + above[:, :, None]).max(axis=1)
    placed = np.zeros((len(distances), nodes + 1, nodes + 1), dtype=np.int64)
    np.maximum(distances, to[:, :, None] + on[:, None, :], out=placed[:, :nodes, :nodes])
    placed[:, :nodes, nodes], placed[:, nodes, :nodes] = to, on
    return placed


def _lowest(edges: Sequence[tuple[_Name, _Name, int]]) -> dict[_Name, int]:
    """The lowest offsets that keep all distances; these have no cycle."""
    offsets: dict[_Name, int] = {}
    is_moving = True
    while is_moving:
        is_moving = False
        for low, high, by in edges:
            least = offsets.setdefault(low, 0) + by
            if offsets.setdefault(high, 0) < least:
                offsets[high], is_moving = least, True
    return offsets
