"""Values that may be kept outside the arenas, and what they hold while a segment runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]


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


class BoundaryLoads:
    """Bytes that values outside the arenas take while each segment runs: matrices [start, stop].

    `through`: values that live through the segment; `in_`: that it reads last; `out`: that it makes
    for later ones. `outer_in`, `outer_out`: what it reads from outside of all segments, or makes
    for there, and no other segment needs.

    Let f(i, j) be the bytes of the values that start before item i and are last read at or after
    j. Then f(i, j) bytes live through [i, j), it reads f(i, i) - f(i, j) for the last time and
    makes f(j, j) - f(i, j) that outlive it. Values there from the start take their bytes from the
    start of their first reading segment on: there, they live through instead of going out.
    Of those that come from outside or go there, no other segment than [i, j) needs what starts in
    it, less what of that is read at or after j.
    """

    def __init__(self, n: int, boundaries: Iterable[Boundary]) -> None:
        values = tuple(boundaries)
        made = _crossing(n, (value for value in values if value.is_made))
        given = _crossing(n, (value for value in values if not value.is_made))
        results = _crossing(n, (value for value in values if value.is_made and value.is_result))
        both = made + given
        self.through: Matrix = made + given.diagonal()[None, :]
        self.in_: Matrix = both.diagonal()[:, None] - both
        self.out: Matrix = made.diagonal()[None, :] - made
        self.outer_in = _within(given)
        self.outer_out = _within(results)

    @cached_property
    def ram(self) -> Matrix:
        """Inputs are copied in before outputs are copied out: they may share bytes."""
        ram: Matrix = self.through + np.maximum(self.in_, self.out)
        return ram

    @cached_property
    def ram_apart(self) -> Matrix:
        """Inputs are still read while outputs are made: everything is there at once."""
        ram: Matrix = self.through + self.in_ + self.out + self.outer_in + self.outer_out
        return ram


class SegmentLoads:
    """What `BoundaryLoads` tells, of single segments, from one matrix."""

    def __init__(self, n: int, boundaries: Iterable[Boundary]) -> None:
        values = tuple(boundaries)
        self._made = _crossing(n, (value for value in values if value.is_made))
        self._given = [_life(value) for value in values if not value.is_made]
        self._results = [_life(value) for value in values if value.is_made and value.is_result]

    def ram(self, start: int, stop: int, *, apart: bool = False, by_rows: bool = False) -> int:
        """`apart`: with all of the boundary buffer at once; `by_rows`: less what it is handed."""
        made, given = self._made, self._given
        lasting = int(made[start, stop])
        through = lasting + _alive(given, stop, stop)
        in_ = int(made[start, start]) - lasting
        in_ += _alive(given, start, start) - _alive(given, start, stop)
        out = int(made[stop, stop]) - lasting
        if not apart:
            return through + max(in_, out)
        outer_in = 0 if by_rows else _inside(given, start, stop)
        return through + in_ + out + outer_in + _inside(self._results, start, stop)


def most_alive(boundaries: Iterable[Boundary], n: int) -> int:
    """Of these values, how many of some size live at the same cut."""
    changes: Matrix = np.zeros(n + 2, dtype=np.int64)
    for value in boundaries:
        if value.size:
            changes[value.start_item + 1] += 1
            changes[value.last_item + 1] -= 1
    return int(changes.cumsum().max())


def _life(value: Boundary) -> tuple[int, int, int]:
    return value.start_item, value.last_item, value.size


def _alive(lives: Iterable[tuple[int, int, int]], start: int, stop: int) -> int:
    """Bytes that start before the one item and are last read at or after the other."""
    return sum(size for first, last, size in lives if first < start and last >= stop)


def _inside(lives: Iterable[tuple[int, int, int]], start: int, stop: int) -> int:
    """Bytes that no other segment needs."""
    return sum(size for first, last, size in lives if start <= first and last < stop)


def _crossing(n: int, boundaries: Iterable[Boundary]) -> Matrix:
    """[i, j]: bytes that start before item i and are last read at or after j."""
    changes: Matrix = np.zeros((n + 2, n + 2), dtype=np.int64)
    for value in boundaries:
        # i from start_item + 1 on, j up to last_item
        changes[value.start_item + 1, 0] += value.size
        changes[value.start_item + 1, value.last_item + 1] -= value.size
    for axis in (0, 1):
        np.cumsum(changes, axis=axis, out=changes)
    return changes[: n + 1, : n + 1]


def _within(crossing: Matrix) -> Matrix:
    """[i, j]: bytes that start in [i, j) and are not read at or after j."""
    started = crossing[:, 0]
    within: Matrix = started[None, :] - started[:, None] - crossing.diagonal()[None, :] + crossing
    return within
