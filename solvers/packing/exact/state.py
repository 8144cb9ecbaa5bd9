"""The state of a search: the unplaced buffers of a group and the lowest offsets open to them.

A state is a matrix with one column a buffer, by rising start. The first three rows say all that
its answer depends on; the others belong to the buffer.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

State = NDArray[np.int64]
Mask = NDArray[np.bool_]

BUFFER, LOW, RESTS, START, STOP, SIZE, RANK = range(7)
"""Number of the buffer; its lowest open offset; 1 if it would rest there on 0 or on a placed
buffer, else 0; its live range; its bytes; its place in the order of preference, 0 first."""


def initial(sizes: Sequence[int], ranges: Sequence[tuple[int, int]]) -> State:
    """Nothing is placed, everything may lie at 0. Sizes above 0, ranges not empty."""
    columns = sorted((*held, sizes[b], b) for b, held in enumerate(ranges))
    rows = [(b, 0, 1, start, stop, size, 0) for start, stop, size, b in columns]
    return np.array(rows, dtype=np.int64).reshape(-1, 7).T.copy()


def neighbours(state: State, column: int) -> Mask:
    """Which other buffers live at some time when this one does."""
    near: Mask = (state[START] < state[STOP, column]) & (state[STOP] > state[START, column])
    near[column] = False
    return near


def placed(state: State, column: int, near: Mask) -> tuple[State, Mask]:
    """The state with this buffer at its lowest offset, and which of the others that has changed.

    A neighbour overlaps it neither there nor below, where none of them fits: so it lies above, and
    rests on it if it lies at its end.
    """
    end = state[LOW, column] + state[SIZE, column]
    keep = np.ones(state.shape[1], dtype=bool)
    keep[column] = False
    left = state[:, keep]
    changed: Mask = near[keep] & (left[LOW] <= end)
    left[LOW, changed] = end
    left[RESTS, changed] = 1
    return left, changed


def lowest_rest(state: State, near: Mask) -> int | None:
    """The lowest end that any of these may have; None if there are none.

    What does not lie at its lowest open offset rests on an unplaced neighbour: the ends of placed
    ones are not above that offset.
    """
    ends = (state[LOW] + state[SIZE])[near]
    return int(ends.min()) if len(ends) else None
