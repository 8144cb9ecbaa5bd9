"""Whether segments one behind the other fit a region, decided over all orders of their blocks.

Orders are followed from cut to cut (see orders.py), as far as they stay within the region. Where
none is left, the least region among those dropped is a bound of what the segments need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.orders import NO_REGION, Figures, Orders, Undecided, Within
from splitopt.solvers.partition.plan import Layout
from splitopt.solvers.partition.stand_ins import with_arena

_MOST_STATES, _MANY, _FEW, _SOME = 4_096, 512, 8, 64
"""Orders at one cut: more are given up, and where there are many, some are followed first; a few
before that."""
_MOST_FIGURES = 2**23
"""Kept for further questions; 8 B each."""

Places = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Fit:
    """`places`: of the blocks of each segment, in an order of all within the region, which takes
    `needed`. None where the first `stop` ones have no such order, and need at least that."""

    places: Places | None
    stop: int
    needed: int


@dataclass(frozen=True)
class _Followed:
    """Orders of some first segments, and those of one less. All that need no more than `most` are
    among them, or dominated; the others need `over` at least."""

    within: Within
    most: int
    before: _Followed | None
    over: int

    @classmethod
    def behind(cls, before: _Followed | None, within: Within, most: int) -> _Followed:
        """Those before may have been followed less far, or farther."""
        if before is None:
            return cls(within, most, None, within.least)
        return cls(within, min(most, before.most), before, min(within.least, before.over))

    @property
    def least(self) -> int:
        """What those need that were found, at least."""
        return int(self.within.regions.min(initial=NO_REGION))


class _Known:
    """Orders of first segments, by number. All are forgotten where they would take too much."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, ...], _Followed] = {}
        self._figures = 0

    def get(self, numbers: tuple[int, ...]) -> _Followed | None:
        return self._found.get(numbers)

    def keep(self, numbers: tuple[int, ...], followed: _Followed) -> _Followed:
        self._figures += followed.within.states.size + followed.within.places.size
        if self._figures > _MOST_FIGURES:
            self._found, self._figures = {}, 0
        self._found[numbers] = followed
        return followed


class Needs:
    """Of options between which these values pass. What was found is kept for further questions."""

    def __init__(self, boundaries: Sequence[Boundary]) -> None:
        self._options: list[Option] = []
        self._numbers: dict[Option, int] = {}
        self._orders = Orders(self._options, boundaries)
        self._backwards = Orders(self._options, boundaries, backwards=True)
        self._known, self._known_soon, self._known_backwards = _Known(), _Known(), _Known()

    def soon(self, options: Sequence[Option], region: int) -> Layout | None:
        """Of a whole plan within the region, if one of its most promising orders is: mostly those
        that other plans which begin alike had within as much, or less."""
        numbers = self._numbered(options)
        for is_new in (False, True):
            followed = self._soon(numbers, region, _FEW, is_new=is_new)
            if followed is not None:
                return self._orders.layout(numbers, _places(followed))
        return None

    def _soon(
        self, numbers: tuple[int, ...], region: int, width: int, *, is_new: bool
    ) -> _Followed | None:
        """An order of all within the region, if so many are followed at each cut."""
        followed: _Followed | None = None
        for stop in range(1, len(numbers) + 1):
            try:
                followed = self._soon_to(numbers[:stop], followed, region, width, is_new=is_new)
            except Undecided:
                return None
            if followed.least > region:
                return None
        return followed

    def _soon_to(
        self,
        numbers: tuple[int, ...],
        before: _Followed | None,
        region: int,
        width: int,
        *,
        is_new: bool,
    ) -> _Followed:
        """Raises: Undecided."""
        known = self._known_soon.get(numbers)
        if known is not None and known.most <= region and not is_new:
            return known
        if before is None:
            states, regions = _first(self._orders, numbers[-1])
        else:
            states, regions = before.within.states, before.within.regions
        within = self._orders.within(numbers[-1], states, regions, region)
        few = within._replace(
            states=within.states[:width].copy(),  # no view, which would keep all of them
            regions=within.regions[:width].copy(),
            before=within.before[:width].copy(),
            places=within.places[:width].copy(),
        )
        return self._known_soon.keep(numbers, _Followed.behind(before, few, region))

    def layout(self, options: Iterable[Option], places: Places) -> Layout:
        """Of a whole plan in an order that was found."""
        return self._orders.layout(self._numbered(options), places)

    def fit(self, options: Sequence[Option], region: int, deadline: Deadline) -> Fit:
        """Of segments that may be a part of a plan.

        Raises: Undecided.
        """
        numbers = self._numbered(options)
        step, are_some = _Step(self._orders, self._known), False
        for stop in range(1, len(numbers) + 1):
            followed = step.to(numbers[:stop], region, region, deadline)
            if followed.least > region:
                return Fit(None, stop, min(followed.least, followed.over))
            if not are_some and len(followed.within.states) > _MANY:
                are_some, soon = True, self._soon(numbers, region, _SOME, is_new=True)
                if soon is not None:
                    return Fit(_places(soon), len(numbers), soon.least)
        return Fit(_places(followed), len(numbers), followed.least)

    def needed(self, options: Sequence[Option], region: int, most: int, deadline: Deadline) -> int:
        """What segments need that may be a part of a plan, if that is above a region and not above
        `most`, or what was `most` before; at least that where it is above; else the region or less.

        Raises: Undecided.
        """
        followed = self._followed_back(self._numbered(options), region, most, deadline)
        return min(followed.least, followed.over)

    def needed_with(
        self,
        options: Sequence[Option],
        arenas: npt.NDArray[np.int64],
        region: int,
        most: int,
        deadline: Deadline,
    ) -> npt.NDArray[np.int64]:
        """The same where the first one has any of these arenas, and lives with no value that is not
        alive behind it.

        Raises: Undecided.
        """
        first, *rest = self._numbered([with_arena(options[0], 1), *options[1:]])
        followed = self._followed_back(rest, region, most, deadline)
        states, regions = followed.within.states, followed.within.regions
        needed = np.full(len(arenas), followed.over)
        if len(states):
            whole = self._backwards.beside(first, states) + arenas[:, None]
            np.minimum(needed, np.maximum(regions, whole).min(axis=1), out=needed)
        return needed

    def _followed_back(
        self, numbers: Sequence[int], region: int, most: int, deadline: Deadline
    ) -> _Followed:
        """From the last segment to the first, or as far as orders are left."""
        step, backwards = _Step(self._backwards, self._known_backwards), tuple(reversed(numbers))
        for stop in range(1, len(numbers) + 1):
            followed = step.to(backwards[:stop], region, most, deadline)
            if followed.least == NO_REGION:
                break
        return followed

    def _numbered(self, options: Iterable[Option]) -> tuple[int, ...]:
        return tuple(self._number(option) for option in options)

    def _number(self, option: Option) -> int:
        if option not in self._numbers:
            self._numbers[option] = len(self._options)
            self._options.append(option)
        return self._numbers[option]


@dataclass(frozen=True)
class _Step:
    """Follows orders of segments, the last one behind those of all others."""

    orders: Orders
    known: _Known

    def to(self, numbers: tuple[int, ...], region: int, most: int, deadline: Deadline) -> _Followed:
        """Those that need no more than the region, and others up to `most`.

        Raises: Undecided.
        """
        known = self.known.get(numbers)
        if known is not None and known.most >= region:
            return known
        if deadline.is_over:
            raise Undecided
        before = self.to(numbers[:-1], region, most, deadline) if len(numbers) > 1 else None
        if before is None:
            states, regions = _first(self.orders, numbers[0])
        else:
            states, regions = before.within.states, before.within.regions
        if len(states) > _MOST_STATES:
            raise Undecided
        within = self.orders.within(numbers[-1], states, regions, most, deadline)
        return self.known.keep(numbers, _Followed.behind(before, within, most))


def _first(orders: Orders, number: int) -> tuple[Figures, Figures]:
    """All orders of what lives before a segment, as if it were the first one; they need nothing."""
    states = list(islice(orders.states_at(number), _MOST_STATES + 1))
    return np.array(states, dtype=np.int64).reshape(len(states), -1), np.zeros(len(states), int)


def _places(followed: _Followed) -> Places:
    """Of the order that needs least, segment by segment."""
    at, places = int(followed.within.regions.argmin()), list[tuple[int, ...]]()
    step: _Followed | None = followed
    while step is not None:
        places.append(tuple(step.within.places[at].tolist()))
        at, step = int(step.within.before[at]), step.before
    return tuple(reversed(places))
