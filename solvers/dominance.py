"""The Pareto filter: what is left when everything that something else dominates is dropped."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

T = TypeVar("T")


_FEW = 24
"""So many are compared one by one."""


class Rivals:
    """Measures of some items, all to be minimised; grows one by one."""

    def __init__(self) -> None:
        self._found: list[tuple[int, ...]] = []
        self._rows = np.zeros((0, 0), dtype=np.int64)
        """The first of them as an array, in whole batches."""

    def add(self, measures: tuple[int, ...]) -> None:
        self._found.append(measures)
        if len(self._found) % _FEW == 0:
            self._rows = np.array(self._found, dtype=np.int64)

    def beat(self, measures: tuple[int, ...]) -> bool:
        """Whether one of them is no worse in any measure."""
        for rival in self._found[len(self._rows) :]:
            if all(a <= b for a, b in zip(rival, measures, strict=True)):
                return True
        return len(self._rows) > 0 and bool((self._rows <= measures).all(axis=1).any())


def undominated(items: Iterable[T], measures: Callable[[T], tuple[int, ...]]) -> list[T]:
    """The items that no other one dominates, by rising measures; all measures are minimised.

    Of items that are equal in all measures, the first stays.
    """
    measured = [(measures(item), item) for item in items]
    measured.sort(key=lambda pair: pair[0])
    kept: list[T] = []
    rivals, lowest = Rivals(), None
    for mine, item in measured:
        # Those before are no worse in the first measure: of two, the second alone decides.
        if len(mine) == 2:
            is_beaten = lowest is not None and lowest <= mine[1]
            lowest = mine[1] if lowest is None else min(lowest, mine[1])
        else:
            is_beaten = rivals.beat(mine)
        if not is_beaten:
            kept.append(item)
            rivals.add(mine)
    return kept
