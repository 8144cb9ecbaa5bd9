"""Groups of unplaced buffers that no live range connects: each is a problem of its own."""

from itertools import pairwise

import numpy as np

from splitopt.solvers.packing.exact.state import START, STOP, State


def independent_groups(state: State) -> list[State]:
    """In order of time. What lives in one group lives at no step of another, so a plan of each
    makes a plan of all, and one group without a plan leaves none."""
    latest = np.maximum.accumulate(state[STOP])
    cuts = (np.flatnonzero(state[START, 1:] >= latest[:-1]) + 1).tolist()
    if not cuts:
        return [state]
    ends = [0, *cuts, state.shape[1]]
    return [state[:, a:z] for a, z in pairwise(ends)]
