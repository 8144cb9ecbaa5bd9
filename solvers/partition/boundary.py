"""Values that may cross a cut, and what they hold in RAM while a segment runs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Boundary:
    """A value of `size` bytes, made by `first_item` (None: there from the start).

    It is kept outside the arenas from where it is made (there from the start: first read) to its
    last reader, if these lie in different segments; else not at all.
    """

    size: int
    first_item: int | None
    readers: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"boundary: got size {self.size}, want >= 0")
        if not self.readers:
            raise ValueError("boundary: a value that nothing reads crosses no cut; leave it out")
        if min(self.readers) < 0 or (self.first_item is not None and self.first_item < 0):
            raise ValueError("boundary: a negative item")
        if self.first_item is not None and min(self.readers) <= self.first_item:
            raise ValueError(f"boundary: made by item {self.first_item}, read before or by it")

    @property
    def is_made(self) -> bool:
        return self.first_item is not None

    @property
    def start_item(self) -> int:
        """The item that makes it, or the first that reads it."""
        return min(self.readers) if self.first_item is None else self.first_item

    @property
    def last_item(self) -> int:
        return max(self.readers)


@dataclass(frozen=True)
class BoundaryLoad:
    """Bytes that pass by a segment, that it reads last, that it makes for later ones."""

    through: int
    in_: int
    out: int

    @property
    def ram(self) -> int:
        """Inputs are copied in before outputs are copied out: they may share bytes."""
        return self.through + max(self.in_, self.out)


class BoundaryLoads:
    """The BoundaryLoad of any segment in constant time, after quadratic preparation.

    Let f(i, j) be the bytes of the values that start before item i and are last read at or after
    j. Then [i, j) is passed by f(i, j) bytes, reads f(i, i) - f(i, j) for the last time and makes
    f(j, j) - f(i, j) that outlive it. Values there from the start take their bytes from the start
    of their first reading segment on: there, they pass by instead of coming out.
    """

    def __init__(self, n: int, boundaries: Iterable[Boundary]) -> None:
        values = tuple(boundaries)
        self._made = _crossing_table(n, values, lambda value: value.is_made)
        self._given = _crossing_table(n, values, lambda value: not value.is_made)

    def of(self, start: int, stop: int) -> BoundaryLoad:
        made, given = self._made, self._given
        past_made, past_given = made[start][stop], given[start][stop]
        return BoundaryLoad(
            through=past_made + given[stop][stop],
            in_=made[start][start] - past_made + given[start][start] - past_given,
            out=made[stop][stop] - past_made,
        )


def _crossing_table(
    n: int, boundaries: Iterable[Boundary], belongs: Callable[[Boundary], bool]
) -> list[list[int]]:
    """table[i][j]: bytes that start before i and are last read at or after j."""
    starting: list[list[Boundary]] = [[] for _ in range(n)]
    for boundary in boundaries:
        if belongs(boundary):
            starting[boundary.start_item].append(boundary)
    table = [[0] * (n + 1)]
    for item in range(n):
        row = table[-1].copy()
        for boundary in starting[item]:
            for stop in range(boundary.last_item + 1):
                row[stop] += boundary.size
        table.append(row)
    return table
