"""Columns of equal length that grow and shrink together."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Entries:
    """Integer columns by name. A column may hold several figures for each entry: its last axis is
    that of the entries."""

    def __init__(self, *names: Hashable) -> None:
        self.count = 0
        self._columns: dict[Hashable, Column] = {}
        self.begin(*names)

    def begin(self, *names: Hashable) -> None:
        """Further columns of zeros."""
        for name in names:
            self[name] = np.zeros(self.count, dtype=np.int64)

    def __getitem__(self, name: Hashable) -> Column:
        return self._columns[name]

    def __setitem__(self, name: Hashable, column: Column) -> None:
        assert column.shape[-1] == self.count, f"{name}: {column.shape} for {self.count} entries"
        self._columns[name] = column

    def __contains__(self, name: Hashable) -> bool:
        return name in self._columns

    def drop(self, name: Hashable) -> None:
        del self._columns[name]

    def append(self, count: int) -> None:
        """So many entries more, zeros in all columns."""
        self.count += count
        for name, column in self._columns.items():
            zeros = np.zeros((*column.shape[:-1], count), dtype=column.dtype)
            self._columns[name] = np.concatenate([column, zeros], axis=-1)

    def keep(self, chosen: Mask) -> None:
        """The chosen entries, in their order; the others are gone."""
        if chosen.all():
            return
        self.count = int(np.count_nonzero(chosen))
        for name, column in self._columns.items():
            self._columns[name] = column[..., chosen]
