"""Rows of figures of which none is better than another in every respect, kept as they come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


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
