"""Rows of figures of which none is better than another in every respect, kept as they come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BLOCK, _ROWS = 128, 8_192
"""Rows that are compared with so many others at once."""
_CELLS = 128
"""Of each of two figures."""

_AT_ONCE, _FEW = 2**15, 6
"""So many figures are compared at once; of more rows, a few figures first."""

Rows = npt.NDArray[np.int64]
Column = npt.NDArray[np.int64]


class Undominated:
    """All rows have the same number of figures, which are minimised. `in_turn`: of the first two,
    the second counts only where the first ones are equal."""

    def __init__(self, *, in_turn: bool = False) -> None:
        self._in_turn = in_turn
        self._rows: npt.NDArray[np.int64] = np.empty((0, 0), dtype=np.int64)
        self._count = 0

    def add(self, figures: tuple[int, ...]) -> bool:
        """Whether no row has figures that are all as small; then these are a row from now on."""
        row = np.array(figures, dtype=np.int64)
        if self._count and self._no_larger(row).any():
            return False
        if not self._count:
            self._rows = np.empty((16, len(row)), dtype=np.int64)
        elif self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, self._rows])
        self._rows[self._count] = row
        self._count += 1
        return True

    def beats(self, figures: tuple[int, ...]) -> bool:
        """Whether some other row has figures that are all as small."""
        if not self._count:
            return False
        rows, row = self._rows[: self._count], np.array(figures, dtype=np.int64)
        return bool((self._no_larger(row) & (rows != row).any(axis=1)).any())

    def _no_larger(self, row: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """The rows of which no figure is larger."""
        is_below: npt.NDArray[np.bool_] = self._rows[: self._count] <= row
        if self._in_turn:
            is_below[:, 1] |= self._rows[: self._count, 0] < row[0]
        return np.asarray(is_below.all(axis=1))


def first_undominated(rows: Rows) -> npt.NDArray[np.int64]:
    """Of rows the numbers of those of which no other one has figures that are all as small, of
    equal ones one; in blocks, so that memory is bounded."""
    if rows.shape[1] == 0 or len(rows) < 2:
        return np.arange(min(1, len(rows)))
    order = np.argsort(rows.sum(axis=1), kind="stable")
    left, found = order, list[npt.NDArray[np.int64]]()
    while len(left):
        block, left = left[:_BLOCK], left[_BLOCK:]
        own = rows[block]
        is_below = _is_below(own, own)
        best = block[~(is_below & np.tri(len(own), k=-1, dtype=bool).T).any(axis=0)]
        found.append(best)
        if len(left):
            left = left[~_is_beaten(rows[best], rows[left])]
    return np.concatenate(found)


def _is_beaten(best: Rows, others: Rows) -> npt.NDArray[np.bool_]:
    parts = [others[at : at + _ROWS] for at in range(0, len(others), _ROWS)]
    return np.concatenate([_is_below(best, part).any(axis=0) for part in parts])


def _is_below(some: Rows, others: Rows) -> npt.NDArray[np.bool_]:
    """[of some, of others]: whether its figures are all as small. A few of them rule out most."""
    if some.size * len(others) <= _AT_ONCE:
        return np.asarray((some[:, None] <= others).all(axis=2))
    found = np.ones((len(some), len(others)), dtype=bool)
    for own, other in zip(some.T[:_FEW], others.T[:_FEW], strict=True):
        found &= own[:, None] <= other
    if some.shape[1] > _FEW:
        rows, columns = np.nonzero(found)
        for own, other in zip(some.T[_FEW:], others.T[_FEW:], strict=True):
            is_left = own[rows] <= other[columns]
            rows, columns = rows[is_left], columns[is_left]
        found[:] = False
        found[rows, columns] = True
    return found


def beaten_by_cells(a: Column, b: Column, c: Column, rivals: Column) -> npt.NDArray[np.bool_]:
    """Of rows (a, b, c), more than one: those that are no smaller in c than a rival, by number, in
    a cell of lower a and lower b. Most of those that a rival has figures below; no others."""
    grid = np.full((_CELLS + 1) ** 2, np.iinfo(np.int64).max)
    at = _cells(a) * (_CELLS + 1) + _cells(b)
    np.minimum.at(grid, at[rivals] + _CELLS + 2, c[rivals])
    least = grid.reshape(_CELLS + 1, _CELLS + 1)
    for axis in (0, 1):
        np.minimum.accumulate(least, axis=axis, out=least)
    found: npt.NDArray[np.bool_] = grid[at] <= c
    return found


def _cells(figures: Column) -> Column:
    """Of equal width."""
    low, high = int(figures.min()), int(figures.max())
    found: Column = (figures - low) // ((high - low) // _CELLS + 1)
    return found
