"""Which paths through the cuts hold a conflict, told option by option."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_

import numpy as np

from splitopt.solvers.partition.conflicts import Conflict, Segment, is_gap, is_no_easier
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.option_pool import Mask, OptionPool
from splitopt.solvers.partition.shortest_paths import NEVER


class Forbidden:
    """Conflicts of the options of a pool, each a bit of masks. Of an option whose figures are not
    exact nothing is known but that it may stand in a gap.

    A path's mask has the conflicts of which its last options are the first parts.
    """

    def __init__(self, pool: OptionPool, option_of: Callable[[int], Option]) -> None:
        """`option_of`: by number, of exact figures."""
        self._pool, self._option_of = pool, option_of
        self._regions: list[int] = []
        self._parts: dict[Segment, list[tuple[int, Option]]] = {}
        self._bits: dict[int, int] = {}
        self._first = [0] * (pool.n + 1)
        self._last = [0] * (pool.n + 1)
        self.concerned: Mask = np.zeros(len(pool.ram), dtype=bool)
        """Of each option, whether it is a part of any."""

    def add(self, conflict: Conflict) -> None:
        bit, pool = 1 << len(self._regions), self._pool
        self._regions.append(conflict.region)
        for own in conflict.options:
            if is_gap(own):
                inside = (pool.starts >= own.start) & (pool.stops <= own.stop)
                self._set(np.flatnonzero(inside).tolist(), bit)
                continue
            self._parts.setdefault((own.start, own.stop), []).append((bit, own))
            numbers = pool.of_segment(own.start, own.stop)
            there = numbers[pool.is_exact[numbers] & (pool.ram[numbers] < NEVER)].tolist()
            self._set([k for k in there if is_no_easier(self._option_of(k), own)], bit)
        self._first[conflict.options[0].start] |= bit
        self._last[conflict.options[-1].stop] |= bit

    def settled(self, number: int) -> None:
        """An option whose figures are exact from now on."""
        start, stop, _ = self._pool.name(number)
        parts = self._parts.get((start, stop), ())
        if parts and self._pool.is_exact[number] and self._pool.ram[number] < NEVER:
            option = self._option_of(number)
            self._set([number], sum(bit for bit, own in parts if is_no_easier(option, own)))

    def above(self, region: int) -> int:
        """The conflicts that ask for more than a region."""
        bits = (1 << k for k, needed in enumerate(self._regions) if needed > region)
        return reduce(or_, bits, 0)

    def regions_above(self, region: int) -> list[int]:
        return sorted({needed for needed in self._regions if needed > region})

    def extended(self, mask: int, number: int, counted: int) -> int | None:
        """The mask of a path that is longer by an option; None where it holds one of the counted
        conflicts."""
        start, stop = int(self._pool.starts[number]), int(self._pool.stops[number])
        longer = (mask | self._first[start]) & self._bits[number] & counted
        return None if longer & self._last[stop] else longer

    def _set(self, numbers: list[int], bit: int) -> None:
        for number in numbers if bit else ():
            self._bits[number] = self._bits.get(number, 0) | bit
        self.concerned[numbers] |= bit > 0
