"""Every order in which arenas and boundary values can lie above one another, segment by segment.

Blocks that live at the same time lie one above the other, each as far as `Scene.distance` says. So
an order is a set of distances, and what it asks of the values alive at the next cut are longest
paths: of each value at least how far it begins above the low end and how far below the high end, of
each two the distance between them. These never fall with those asked at the cut before; so of two
orders one is enough where none of its figures is larger.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import permutations
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.kept import kept_values, placements_of
from splitopt.solvers.partition.plan import Layout, PartitionPlan
from splitopt.solvers.partition.scene import FIRST, HIGH, LOW, Distances, Scene, Scenes
from splitopt.solvers.partition.undominated import first_undominated

State = tuple[int, ...]
"""Of the values alive at a cut: the least distance from the low end to each, from each to the high
end, and from each to each other one, `_APART` where none is asked."""

_APART = -(2**52)
"""Less than any distance, and far from what 64 bits hold."""
_AT_ONCE = 64
"""States that are extended at once."""
_MOST_ROWS = 2**15
"""Orders of one segment, behind all states."""
_MOST_WAYS = 2**13
"""Orders of one segment behind one state, where each is an object."""
_MOST_CELLS = 2**22
"""Distances that are held at once: 32 MiB, some three times. n blocks have n! orders."""

NO_REGION = 2**60
"""More than any."""

Figures = npt.NDArray[np.int64]
"""A row for each state."""
_Places = npt.NDArray[np.int64]
_Name = tuple[int, int]
Mask = npt.NDArray[np.bool_]


class Way(NamedTuple):
    """An order of one segment: the region that it needs, what it asks of the values alive behind
    it, and the place of each new block among those that it shares time with, from the low end."""

    region: int
    state: State
    places: tuple[int, ...]


class Undecided(Exception):
    """Orders are too many, or time ran out."""


class Within(NamedTuple):
    """Orders of segments that need no more than a region, of which none needs and asks less than
    another: what each asks of the values alive behind it, the region that it needs, which one of
    those before it is behind, and its places in the last segment (see Way). `least`: what the
    others need at least."""

    states: Figures
    regions: _Places
    before: _Places
    places: _Places
    least: int


class Path(Protocol):
    """Segments up to a cut: the number of the last one's option, the places of its blocks (see
    Way), and the path before it; None where there is no segment."""

    @property
    def number(self) -> int: ...
    @property
    def places(self) -> tuple[int, ...]: ...
    @property
    def before(self) -> "Path | None": ...


class Orders:
    """Orders of the segments of some options, by number, found once for every state before them.

    `backwards`: time runs from the last cut to the first, so what is before a segment is behind it.
    """

    def __init__(
        self,
        options: Sequence[Option],
        boundaries: Sequence[Boundary],
        *,
        backwards: bool = False,
    ) -> None:
        self._options, self._boundaries = options, boundaries
        self._scenes = Scenes(options, boundaries, backwards=backwards)
        self._ways: dict[tuple[int, State], tuple[Way, ...]] = {}

    def ways(self, number: int, state: State) -> tuple[Way, ...]:
        """Of the option of this number, behind this state: all orders that no other one dominates.

        Raises: Undecided.
        """
        if (number, state) not in self._ways:
            self._ways[number, state] = _ways(self._scenes.of(number), state)
        return self._ways[number, state]

    def within(
        self,
        number: int,
        states: Figures,
        regions: _Places,
        most: int,
        deadline: Deadline | None = None,
    ) -> Within:
        """Of the option of this number, behind any of these states, which need these regions.

        Raises: Undecided.
        """
        scene, rows, least, made = self._scenes.of(number), [], NO_REGION, 0
        for distances, chosen, over in _placed_in_parts(scene, states, most):
            if deadline is not None and deadline.is_over:
                raise Undecided
            own = np.maximum(regions[chosen[:, 0]], distances[:, LOW, HIGH])
            rows.append((_states(scene, distances), own, chosen))
            least, made = min(least, over), made + len(chosen)
            if made > _MOST_ROWS:
                raise Undecided
        found, needed, chosen = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        some = first_undominated(np.column_stack([needed, found]))
        return Within(found[some], needed[some], chosen[some, 0], chosen[some, 1:], least)

    def beside(self, number: int, states: Figures) -> _Places:
        """Behind each of these states, what an option's arena lies between that it lives with:
        bytes from end to end, at the best place. All else is there already."""
        scene = self._scenes.of(number)
        assert scene.new == (None,), "an arena alone"
        to, on = _reach(scene, _distances(scene, states), 0, np.array(scene.places(0)))
        found: _Places = (to[:, :, LOW] + on[:, :, HIGH]).min(axis=1) - scene.sizes[-1]
        return found

    def states_at(self, number: int) -> Iterator[State]:
        """Of the values alive before an option, in every order that these may have, each as near to
        both ends as the others let it."""
        sizes = [self._boundaries[value].size for value in self._scenes.of(number).before]
        for order in permutations(range(len(sizes))):
            lows, top = dict[int, int](), 0
            for at in order:
                lows[at], top = top, top + sizes[at]
            values = range(len(sizes))
            pairs = (lows[b] - lows[a] for a in values for b in values if a != b)
            yield (
                *(lows[at] for at in values),
                *(top - lows[at] for at in values),
                *(by if by > 0 else _APART for by in pairs),
            )

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
            scene = self._scenes.of(number)
            names = [(-1, k) if value is None else (value, 0) for value in scene.before + scene.new]
            order = [FIRST + names.index(name) for name in rising if name in names]
            for at, place in enumerate(chosen):
                block = FIRST + len(scene.before) + at
                beside = [node for node in order if node in scene.beside[at]]
                pairs = [(low, block) for low in beside[:place]]
                pairs += [(block, high) for high in beside[place:]]
                edges += [
                    (names[low - FIRST], names[high - FIRST], scene.distance(low, high))
                    for low, high in pairs
                ]
                order.insert(order.index(beside[place - 1]) + 1 if place else 0, block)
            rising = [names[node - FIRST] for node in order]
        return self._laid_out(numbers, _lowest(edges))

    def _laid_out(self, numbers: Sequence[int], offsets: dict[_Name, int]) -> Layout:
        options = [self._options[number] for number in numbers]
        kept = kept_values(options, self._boundaries)
        placements = placements_of(kept, [offsets.get((v.boundary, 0), 0) for v in kept])
        lows = tuple(offsets.get((-1, k), 0) for k in range(len(options)))
        tops = [low + option.arena_bytes for low, option in zip(lows, options, strict=True)]
        tops += [placement.offset + placement.size for placement in placements]
        return Layout(max(tops), placements, lows if any(lows) else ())


def _ways(scene: Scene, state: State) -> tuple[Way, ...]:
    figures = np.array(state, dtype=np.int64).reshape(1, -1)
    distances, chosen, _ = _placed_all(scene, figures, NO_REGION)
    if len(distances) > _MOST_WAYS:
        raise Undecided
    regions, found = distances[:, LOW, HIGH], _states(scene, distances)
    some = np.sort(first_undominated(np.column_stack([regions, found])))
    rows = zip(regions[some], found[some], chosen[some, 1:], strict=True)
    return tuple(Way(int(region), *(tuple(it.tolist()) for it in row)) for region, *row in rows)


def _placed_in_parts(
    scene: Scene, states: Figures, most: int
) -> Iterator[tuple[Distances, _Places, int]]:
    """As `_placed_all`, of fewer states at once where their orders are many."""
    firsts = [(at, min(at + _AT_ONCE, len(states))) for at in range(0, len(states), _AT_ONCE)]
    firsts.reverse()
    while firsts:
        first, stop = firsts.pop()
        try:
            distances, chosen, over = _placed_all(scene, states[first:stop], most)
        except Undecided:
            if stop - first == 1:
                raise
            middle = (first + stop) // 2
            firsts += [(middle, stop), (first, middle)]
            continue
        chosen[:, 0] += first
        yield distances, chosen, over


def _placed_all(scene: Scene, states: Figures, most: int) -> tuple[Distances, _Places, int]:
    """With all new blocks, in every order that needs no larger region: distances; which state, and
    the places of the blocks; and the smallest region of the others, as far as it is known.

    Raises: Undecided.
    """
    distances, least = _distances(scene, states), NO_REGION
    chosen: _Places = np.arange(len(states))[:, None]
    for at in range(len(scene.new)):
        free = np.array(scene.places(at))
        if distances.size * len(free) > _MOST_CELLS:
            raise Undecided
        places = np.tile(free, len(distances))[:, None]
        chosen = np.concatenate([chosen.repeat(len(free), axis=0), places], axis=1)
        distances, is_within, over = _placed(scene, distances, at, free, most)
        chosen, least = chosen[is_within], min(least, over)
    return distances, chosen, least


def _distances(scene: Scene, states: Figures) -> Distances:
    """Between the ends and the values alive before the segment."""
    count = len(scene.before)
    (lows, highs), (to, on) = _pairs(count), ((LOW,) * count, (HIGH,) * count)
    nodes = tuple(range(FIRST, FIRST + count))
    distances = _nothing_asked(FIRST + count).repeat(len(states), axis=0)
    distances[:, (*to, *nodes, *lows), (*nodes, *on, *highs)] = states
    return distances


@cache
def _nothing_asked(count: int) -> Distances:
    """Of nodes, but that the high end is above the low end."""
    distances = np.full((1, count, count), _APART)
    distances[:, range(count), range(count)] = distances[:, LOW, HIGH] = 0
    return distances


@cache
def _pairs(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of values alive at a cut, by node: each with each other one."""
    nodes = range(FIRST, FIRST + count)
    pairs = [(low, high) for low in nodes for high in nodes if low != high]
    return tuple(low for low, _ in pairs), tuple(high for _, high in pairs)


def _states(scene: Scene, distances: Distances) -> Figures:
    """What is asked of the values alive behind the segment."""
    lows, highs = scene.asked
    found: Figures = distances[:, lows, highs]
    apart = found[:, 2 * len(scene.behind) :]
    apart[apart < 0] = _APART
    return found


def _placed(
    scene: Scene, distances: Distances, at: int, free: _Places, most: int
) -> tuple[Distances, Mask, int]:
    """With a new block at any of the free places of each order, where that needs no larger region:
    distances; which they are of all; and the smallest region of the others."""
    to, on = _reach(scene, distances, at, free)
    region = np.maximum(distances[:, None, LOW, HIGH], to[:, :, LOW] + on[:, :, HIGH]).ravel()
    is_within = region <= most
    nodes, some = distances.shape[1], np.flatnonzero(is_within)
    to, on = to.reshape(-1, nodes)[some], on.reshape(-1, nodes)[some]
    placed = np.zeros((len(some), nodes + 1, nodes + 1), dtype=np.int64)
    between = to[:, :, None] + on[:, None, :]
    np.maximum(distances[some // len(free)], between, out=placed[:, :nodes, :nodes])
    placed[:, :nodes, nodes], placed[:, nodes, :nodes] = to, on
    return placed, is_within, int(region[~is_within].min(initial=NO_REGION))


def _reach(
    scene: Scene, distances: Distances, at: int, free: _Places
) -> tuple[Distances, Distances]:
    """How far from each node to a new block at each of the free places, and on to each node [order,
    place, node]. Nodes beside it are in one order already, as each lives when the others do."""
    block, beside = distances.shape[1], list(scene.beside[at])
    below = np.full((len(distances), len(free), block), _APART)
    above = below.copy()
    below[:, :, LOW], above[:, :, HIGH] = 0, scene.sizes[block]
    among = distances[:, beside][:, :, beside]
    is_below = ((among >= 0).sum(axis=1) - 1)[:, None, :] < free[:, None]
    up, down = scene.distances[at]
    below[:, :, beside] = np.where(is_below, up, _APART)
    above[:, :, beside] = np.where(is_below, _APART, down)
    to = (distances[:, None] + below[:, :, None, :]).max(axis=3)
    on = (distances[:, None] + above[:, :, :, None]).max(axis=2)
    return to, on


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
