"""What may lie lowest in a section, and what follows for the rest of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from splitopt.solvers.packing.exact.sections import members
from splitopt.solvers.packing.exact.state import LOW, RESTS, SIZE, Mask, State

_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Firsts:
    """Pairs of a section and a buffer (a column) that lives there. `needs`: the capacity it takes
    for the buffer to be the lowest of the section; `may_be`: whether there is as much.

    By section: `floors`, the lowest offset, and `counts`, how many buffers may be the lowest.
    """

    sections: NDArray[np.int64]
    columns: NDArray[np.int64]
    needs: NDArray[np.int64]
    may_be: Mask
    floors: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = np.bincount(
            self.sections[self.may_be], minlength=len(self.floors)
        )
        return counts

    def of(self, section: np.int64) -> NDArray[np.int64]:
        """The columns that may be the lowest of a section."""
        columns: NDArray[np.int64] = self.columns[self.may_be & (self.sections == section)]
        return columns


def firsts(state: State, capacity: int) -> Firsts:
    """Of the lowest buffer of a section, all others lie above: the total must fit from there."""
    pairs = members(state)
    lows = state[LOW, pairs.columns]
    needs = lows + pairs.totals[pairs.sections]
    floors = np.full(len(pairs.totals), _NONE)
    np.minimum.at(floors, pairs.sections, lows)
    return Firsts(pairs.sections, pairs.columns, needs, needs <= capacity, floors)


def raise_above_firsts(state: State, capacity: int) -> tuple[Mask, int] | None:
    """Raises, in place, what cannot be first of a section above the lowest end of one that can.

    Returns what was raised and the lowest capacity under which that might not follow; None if
    nothing was. A section without any first is left to the bounds, which refuse it.
    """
    found = firsts(state, capacity)
    ends = np.full(len(found.floors), -1)
    may, sections = found.may_be, found.sections
    lowest = np.full(len(found.floors), _NONE)
    np.minimum.at(lowest, sections[may], (state[LOW] + state[SIZE])[found.columns[may]])
    ends[lowest < _NONE] = lowest[lowest < _NONE]
    raises = ~may & (ends[sections] > state[LOW, found.columns])
    if not raises.any():
        return None
    columns = found.columns[raises]
    np.maximum.at(state[LOW], columns, ends[sections[raises]])
    state[RESTS, columns] = 0
    raised = np.zeros(state.shape[1], dtype=bool)
    raised[columns] = True
    return raised, int(found.needs[raises].min())
