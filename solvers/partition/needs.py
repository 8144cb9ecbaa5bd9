"""Whether segments one behind the other fit a region, decided over all orders of their blocks.

Orders are followed from cut to cut (see orders.py), as far as they stay within the region. Where
none is left, the least region among those dropped is a bound of what the segments need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.ordered_layout import OrderedLayouts, Start
from splitopt.solvers.partition.orders import NO_REGION, Orders, Undecided, Within
from splitopt.solvers.partition.plan import Layout

_MOST_STATES, _WIDTH = 4_096, 32
"""Orders at one cut: more are given up; and so many are followed at first."""

Places = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Fit:
    """`places`: of the blocks of each segment, in an order of all within the region, which takes
    `needed`. None where the first `stop` ones have no such order, and need at least that."""

    places: Places | None
    stop: int
    needed: int


class Needs:
    """Of options between which these values pass. What was found is kept for further questions."""

    def __init__(self, boundaries: Sequence[Boundary]) -> None:
        self._options: list[Option] = []
        self._numbers: dict[Option, int] = {}
        self._orders = Orders(self._options, boundaries)
        self._ordered = OrderedLayouts(self._orders)

    def small(self, options: Iterable[Option]) -> Start:
        """The most promising order of a whole plan."""
        return self._ordered.small(self._numbered(options))

    def layout(self, options: Iterable[Option], places: Places) -> Layout:
        """Of a whole plan in an order that was found."""
        return self._orders.layout(self._numbered(options), places)

    def fit(self, options: Sequence[Option], region: int, deadline: Deadline) -> Fit:
        """Of segments that may be a part of a plan.

        Raises: Undecided.
        """
        numbers = self._numbered(options)
        soon = self._followed(numbers, region, deadline, _WIDTH)
        if soon.places is not None:
            return soon
        return self._followed(numbers, region, deadline, None)

    def _followed(
        self, numbers: Sequence[int], region: int, deadline: Deadline, width: int | None
    ) -> Fit:
        """`width`: so many of the most promising orders are followed; None: all."""
        first = list(islice(self._orders.states_at(numbers[0]), _MOST_STATES + 1))
        states, found = np.array(first, dtype=np.int64).reshape(len(first), -1), list[Within]()
        needed = NO_REGION
        for at, number in enumerate(numbers):
            if deadline.is_over or len(states) > _MOST_STATES:
                raise Undecided
            found.append(self._orders.within(number, states[:width], region))
            states, needed = found[-1].states, min(needed, found[-1].least)
            if not len(states):
                return Fit(None, at + 1, needed)
        return _first(found)

    def _numbered(self, options: Iterable[Option]) -> tuple[int, ...]:
        return tuple(self._number(option) for option in options)

    def _number(self, option: Option) -> int:
        if option not in self._numbers:
            self._numbers[option] = len(self._options)
            self._options.append(option)
        return self._numbers[option]


def _first(found: Sequence[Within]) -> Fit:
    """The first order that is left at the end, segment by segment."""
    at, needed, places = 0, 0, list[tuple[int, ...]]()
    for own in reversed(found):
        places.append(tuple(own.places[at].tolist()))
        needed = max(needed, int(own.regions[at]))
        at = int(own.before[at])
    return Fit(tuple(reversed(places)), len(found), needed)
