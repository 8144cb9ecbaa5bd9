"""The blocks of one segment, as nodes between which orders ask for distances (see orders.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.stand_ins import is_apart_from, seen_by

LOW, HIGH, FIRST = 0, 1, 2
"""Nodes: the ends of the region, then the values alive before a segment, then its new blocks."""

Distances = npt.NDArray[np.int64]
"""Longest paths [..., from, to] between nodes."""


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
        if self.low and self.low == FIRST + len(self.before) + at:
            return range(1)
        return range(int(self.low in beside), len(beside) + 1)

    @cached_property
    def leads(self) -> Mapping[tuple[int, int], int]:
        return dict(self.rolls)

    def distance(self, low: int, high: int) -> int:
        """How far `high` begins above `low`, where it lies above it."""
        return self.leads.get((low, high), self.sizes[low])

    @cached_property
    def asked(self) -> tuple[Sequence[int], Sequence[int]]:
        """Nodes between which distances are asked behind the segment: from the low end to each
        value alive there, from each to the high end, from each to each other one."""
        values = (*self.before, *self.new)
        nodes = [FIRST + values.index(value) for value in self.behind]
        pairs = [(low, high) for low in nodes for high in nodes if low != high]
        ends = [*((LOW, node) for node in nodes), *((node, HIGH) for node in nodes)]
        return [low for low, _ in (*ends, *pairs)], [high for _, high in (*ends, *pairs)]

    @cached_property
    def distances(self) -> tuple[tuple[Distances, Distances], ...]:
        """Of each new block from those beside it: where it lies above them, and below."""
        first = FIRST + len(self.before)
        return tuple(
            (
                np.array([self.distance(node, first + at) for node in beside], dtype=np.int64),
                np.array([self.distance(first + at, node) for node in beside], dtype=np.int64),
            )
            for at, beside in enumerate(self.beside)
        )


class Scenes:
    """Of some options, by number. `backwards`: what is before a segment is behind it."""

    def __init__(
        self, options: Sequence[Option], boundaries: Sequence[Boundary], *, backwards: bool
    ) -> None:
        self._options, self._boundaries, self._backwards = options, boundaries, backwards
        self._scenes: dict[int, Scene] = {}

    def of(self, number: int) -> Scene:
        if number not in self._scenes:
            self._scenes[number] = self._seen(self._options[number])
        return self._scenes[number]

    def _seen(self, option: Option) -> Scene:
        values = self._boundaries
        before, behind = seen_by(option, self._alive(option.start), self._alive(option.stop))
        fresh = [k for k in behind if k not in before]
        early: list[int | None] = [None] if option.arena_bytes else []
        early += [k for k in fresh if not values[k].is_made]
        late = [*self._only_here(option), *(k for k in fresh if values[k].is_made)]
        last = [k for k in before if k not in behind]
        for some in late, last:  # what is beside a block is in one order when it is placed
            some.sort(key=lambda k: is_apart_from(option, values[k]))
        blocks: list[int | None] = [*early, *late]
        if self._backwards:
            before, behind, blocks = behind, before, [*early, *last, *late]
            blocks = [value for value in blocks if value not in before]
        nodes = [*before, *blocks]
        at_odds: list[set[int | None]] = []
        if not option.apart:
            at_odds += [{value, read} for value in late for read in last]
        at_odds += [{None, k} for k in (*last, *fresh) if is_apart_from(option, values[k])]
        beside = [
            tuple(
                FIRST + at
                for at, other in enumerate(nodes[: len(before) + k])
                if {value, other} not in at_odds
            )
            for k, value in enumerate(blocks)
        ]
        node_of = {value: FIRST + at for at, value in enumerate(nodes)}
        rolls = tuple(
            ((node_of[roll.made], node_of[roll.read]), roll.lead)
            for roll in option.rolls
            if roll.made in node_of and roll.read in node_of
        )
        sizes = [option.arena_bytes if value is None else values[value].size for value in nodes]
        low = node_of[None] if option.low and option.arena_bytes else 0
        return Scene(before, tuple(blocks), behind, (0, 0, *sizes), tuple(beside), rolls, low)

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
