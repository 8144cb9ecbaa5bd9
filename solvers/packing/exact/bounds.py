"""A capacity that no plan of a state gets below."""

import numpy as np

from splitopt.solvers.packing.exact.sections import alive, members, section_steps
from splitopt.solvers.packing.exact.state import LOW, SIZE, State


def least_capacity(state: State, *, release_dates: bool = True) -> int:
    """The largest bound of any section.

    Buffers of a section lie one above the other. Those whose lowest offsets are x or more fill
    their sizes above x: a machine that has jobs with release dates. Without release dates, x is
    only the lowest of all.
    """
    if not release_dates:
        return _floors_and_totals(state)
    ordered = state[:, state[LOW].argsort()[::-1]]
    sizes = np.where(alive(ordered, section_steps(state)), ordered[SIZE], 0)
    # A column that is not of the section counts what is above it, which lies no lower.
    return int((sizes.cumsum(axis=1) + ordered[LOW]).max())


def _floors_and_totals(state: State) -> int:
    pairs = members(state)
    floors = np.full(len(pairs.totals), np.iinfo(np.int64).max)
    np.minimum.at(floors, pairs.sections, state[LOW, pairs.columns])
    return int((floors + pairs.totals).max())
