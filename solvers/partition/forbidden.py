"""Which paths through the cuts hold a conflict, told option by option."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_

import numpy as np

from splitopt.solvers.partition.conflicts import BitPart, Conflict, Segment, is_part
from splitopt.solvers.partition.instance import Option
from splitopt.solvers.partition.option_pool import Mask, OptionPool
from splitopt.solvers.partition.shortest_paths import NEVER, Column
from splitopt.solvers.partition.stand_ins import ROLES, is_stand_in, is_told


class Forbidden:
    """Conflicts of the options of a pool, each a bit of masks. Of an option whose figures are not
    exact nothing is known but that it may stand in a gap.

    A path's mask has the conflicts of which its last options are the first parts.
    """

    def __init__(self, pool: OptionPool, option_of: Callable[[int], Option]) -> None:
        """`option_of`: by number, of exact figures."""
        self._pool, self._option_of = pool, option_of
        self._regions: list[int] = []
        self._parts: dict[Segment, list[BitPart]] = {}
        self._stand_ins: list[BitPart] = []
        self._bits = [[0 for _ in ROLES] for _ in pool.ram]
        self.concerned: Mask = np.zeros(len(pool.ram), dtype=bool)
        """Of each option, whether it is a part of any."""

    def add(self, conflict: Conflict) -> None:
        pool, first = self._pool, len(self._regions)
        self._regions += [conflict.region] * conflict.stages
        for stage, role, own in conflict.parts:
            bit = 1 << (first + stage)
            if is_stand_in(own):
                self._stand_ins.append((bit, role, own))
                arenas = np.where(self._exact(np.arange(len(pool.ram))), NEVER, -1)
                there = np.flatnonzero(is_told(own, role, pool.starts, pool.stops, arenas))
            else:
                self._parts.setdefault((own.start, own.stop), []).append((bit, role, own))
                there = pool.of_segment(own.start, own.stop)
                there = there[self._exact(there)]
            for number, is_known in zip(there.tolist(), self._exact(there), strict=True):
                if not is_known or is_part(self._option_of(number), own, role):
                    self._set(number, role, bit)

    def settled(self, number: int) -> None:
        """An option whose figures are exact from now on."""
        if self._exact(np.array([number])):
            option = self._option_of(number)
            segment = option.start, option.stop
            for bit, role, own in (*self._parts.get(segment, ()), *self._stand_ins):
                if is_part(option, own, role):
                    self._set(number, role, bit)

    def above(self, region: int) -> int:
        """The conflicts that ask for more than a region."""
        bits = (1 << k for k, needed in enumerate(self._regions) if needed > region)
        return reduce(or_, bits, 0)

    def regions_above(self, region: int) -> list[int]:
        return sorted({needed for needed in self._regions if needed > region})

    def extended(self, mask: int, number: int, counted: int) -> int | None:
        """The mask of a path that is longer by an option; None where it holds one of the counted
        conflicts."""
        begins, goes_on, ends, meets = self._bits[number]
        if (mask | begins) & ends & counted:
            return None
        return (begins | (mask & goes_on) | ((mask & meets) << 1)) & counted

    def _exact(self, numbers: Column) -> Mask:
        """Which options are there with exact figures."""
        exact: Mask = self._pool.is_exact[numbers] & (self._pool.ram[numbers] < NEVER)
        return exact

    def _set(self, number: int, role: int, bit: int) -> None:
        self._bits[number][role] |= bit
        self.concerned[number] = True
