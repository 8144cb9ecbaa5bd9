"""A capacity that no plan of a state gets below."""

import numpy as np

from splitopt.solvers.packing.exact.sections import members, section_steps
from splitopt.solvers.packing.exact.state import LOW, SIZE, START, STOP, State

_MOST_IN_32_BITS = 2**31 - 1


def least_capacity(state: State, *, release_dates: bool = True) -> int:
    """The largest bound of any section.

    Buffers of a section lie one above the other. Those whose lowest offsets are x or more fill
    their sizes above x: a machine that has jobs with release dates. Without release dates, x is
    only the lowest of all.
    """
    return _suffixes(state) if release_dates else _floors_and_totals(state)


def _suffixes(state: State) -> int:
    """Rows are buffers by falling offset, columns sections; sums run down the rows.

    A buffer that is not of a section counts there what lies above it: no more than the bound.
    """
    ordered = state[:, state[LOW].argsort()[::-1]]
    steps, sizes = section_steps(state), ordered[SIZE]
    if int(sizes.sum()) <= _MOST_IN_32_BITS:  # twice as quick
        sizes = sizes.astype(np.int32)
    first = steps.searchsorted(ordered[START])[:, None]
    behind = steps.searchsorted(ordered[STOP])[:, None]
    sections = np.arange(len(steps))
    held = ((first <= sections) & (sections < behind)) * sizes[:, None]
    np.add.accumulate(held, axis=0, out=held)
    return int((held.max(axis=1) + ordered[LOW]).max())


def _floors_and_totals(state: State) -> int:
    pairs = members(state)
    floors = np.full(len(pairs.totals), np.iinfo(np.int64).max)
    np.minimum.at(floors, pairs.sections, state[LOW, pairs.columns])
    return int((floors + pairs.totals).max())
