"""The blocks of one segment, as nodes between which orders ask for distances (see orders.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

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
