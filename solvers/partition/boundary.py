"""Values that may be kept outside the arenas, and what they hold while a segment runs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Boundary:
    """A value of `size` bytes, made by `first_item` (None: there from the start).

    It is kept outside the arenas from where it is made (there from the start: first read) to its
    last reader, if these lie in different segments. If they do not, it is kept only where it comes
    from outside, or `is_result` says that it goes there, and its one segment runs `apart`.
    """

    size: int
    first_item: int | None
    readers: tuple[int, ...]
    is_result: bool = False

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"boundary: got size {self.size}, want >= 0")
        if not self.readers and (self.first_item is None or not self.is_result):
            raise ValueError("boundary: a value that nothing reads crosses no cut; leave it out")
        if min(self.readers, default=0) < 0 or (self.first_item or 0) < 0:
            raise ValueError("boundary: a negative item")
        if self.first_item is not None and min(self.readers, default=1 << 62) <= self.first_item:
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
        """The last item that needs it: the one that makes it, where nothing reads it."""
        return max(self.readers, default=self.start_item)

    @property
    def goes_outside(self) -> bool:
        """Whether it comes from outside of all segments, or goes there."""
        return self.is_result or not self.is_made


@dataclass(frozen=True)
class BoundaryLoad:
    """Bytes that live through a segment, that it reads last, that it makes for later ones.

    `outer`: what it reads from outside of all segments, or makes for there, and no other needs.
    """

    through: int
    in_: int
    out: int
    outer: int = 0

    @property
    def ram(self) -> int:
        """Inputs are copied in before outputs are copied out: they may share bytes."""
        return self.through + max(self.in_, self.out)

    @property
    def ram_apart(self) -> int:
        """Inputs are still read while outputs are made: everything is there at once."""
        return self.through + self.in_ + self.out + self.outer


class BoundaryLoads:
    """The BoundaryLoad of any segment in constant time, after quadratic preparation.

    Let f(i, j) be the bytes of the values that start before item i and are last read at or after
    j. Then f(i, j) bytes live through [i, j), it reads f(i, i) - f(i, j) for the last time and
    makes f(j, j) - f(i, j) that outlive it. Values there from the start take their bytes from the
    start of their first reading segment on: there, they live through instead of going out.
    Of those that come from outside or go there, no other segment than [i, j) needs what starts in
    it, less what of that is read at or after j.
    """

    def __init__(self, n: int, boundaries: Iterable[Boundary]) -> None:
        values = tuple(boundaries)
        self._made = _crossing_table(n, values, lambda value: value.is_made)
        self._given = _crossing_table(n, values, lambda value: not value.is_made)
        self._outer = _crossing_table(n, values, lambda value: value.goes_outside)

    def of(self, start: int, stop: int) -> BoundaryLoad:
        made, given = self._made, self._given
        past_made, past_given = made[start][stop], given[start][stop]
        outer_start, outer_stop = self._outer[start], self._outer[stop]
        return BoundaryLoad(
            through=past_made + given[stop][stop],
            in_=made[start][start] - past_made + given[start][start] - past_given,
            out=made[stop][stop] - past_made,
            outer=outer_stop[0] - outer_start[0] - outer_stop[stop] + outer_start[stop],
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
