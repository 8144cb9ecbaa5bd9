"""Which buffer a node asks about: rules that differ in speed from instance to instance."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from splitopt.solvers.packing.exact.firsts import firsts
from splitopt.solvers.packing.exact.sections import alive, section_steps
from splitopt.solvers.packing.exact.state import (
    LOW,
    RANK,
    SIZE,
    START,
    STOP,
    State,
    neighbours,
)

Columns = NDArray[np.int64]


class Key(Enum):
    """What is large comes first."""

    WIDTH = "width"
    SECTIONS = "sections"
    AREA = "area"
    TOTAL = "total"


class Choice(Enum):
    """LOWEST: of all buffers, the one with the lowest offset. FEWEST: in the section that the
    fewest buffers can be the lowest of. SECTION: in one that a single buffer can be the lowest of,
    else in the one with the lowest offset."""

    LOWEST = "lowest"
    FEWEST = "fewest"
    SECTION = "section"


@dataclass(frozen=True)
class Preference:
    """A rule to choose by, and the keys that rank buffers with equal offsets.

    firsts: whether to infer from what may be first of a section, too: it takes as long as it
    saves, and which is more differs. shuffle: each number above 0 moves ranks by chance, by up to
    a third of all; the same number always moves them alike.
    """

    choice: Choice
    keys: tuple[Key, ...]
    firsts: bool = False
    shuffle: int = 0


PREFERENCES = (
    Preference(Choice.FEWEST, (Key.WIDTH, Key.AREA, Key.TOTAL)),
    Preference(Choice.LOWEST, (Key.TOTAL, Key.SECTIONS, Key.AREA)),
    Preference(Choice.SECTION, (Key.SECTIONS, Key.AREA, Key.TOTAL), firsts=True),
    Preference(Choice.LOWEST, (Key.TOTAL, Key.WIDTH, Key.AREA)),
    Preference(Choice.LOWEST, (Key.TOTAL, Key.AREA, Key.WIDTH)),
    Preference(Choice.SECTION, (Key.WIDTH, Key.AREA, Key.TOTAL), firsts=True),
)
"""Picked by what google/minimalloc's instances A to K take under each of some twenty: there is no
rule behind it, and others may suit other instances better."""


def shuffled(number: int) -> Preference:
    """For short tries in great number: what fills each step to the last byte has few plans, and a
    try that has gone astray early does not come back in time."""
    return Preference(Choice.FEWEST, (Key.WIDTH, Key.AREA, Key.TOTAL), firsts=True, shuffle=number)


def ranked(state: State, preference: Preference) -> State:
    """The state with its buffers ranked; ties by their order. Totals are those of the fullest
    section that a buffer lives in."""
    widths = (state[STOP] - state[START]).astype(np.float64)
    lives = alive(state, section_steps(state))
    totals = np.where(lives, state[SIZE], 0).sum(axis=1)
    values = {
        Key.WIDTH: widths,
        Key.SECTIONS: lives.sum(axis=0),
        Key.AREA: widths * state[SIZE],
        Key.TOTAL: np.where(lives, totals[:, None], 0).max(axis=0),
    }
    order = np.lexsort([-values[key] for key in reversed(preference.keys)])
    if preference.shuffle:
        draw = np.random.default_rng(preference.shuffle)
        places = np.arange(len(order)) + draw.uniform(0, len(order) / 3, len(order))
        order = order[places.argsort(kind="stable")]
    again = state.copy()
    again[RANK, order] = range(len(order))
    return again


def chosen(state: State, choice: Choice, capacity: int) -> int:
    """The column of a buffer below which no unplaced neighbour fits."""
    return _CHOOSERS[choice](state, capacity)


def _lowest(state: State, capacity: int) -> int:
    """Below the lowest offset of all, nothing fits."""
    return _preferred(state, np.flatnonzero(state[LOW] == state[LOW].min()))


def _fewest(state: State, capacity: int) -> int:
    found = firsts(state, capacity)
    section = np.lexsort((found.floors, found.counts))[0]
    return _in_section(state, found.of(section))


def _lowest_section(state: State, capacity: int) -> int:
    found = firsts(state, capacity)
    counts = found.counts
    section = np.lexsort((counts, found.floors, counts > 1))[0]
    return _in_section(state, found.of(section))


def _in_section(state: State, columns: Columns) -> int:
    """One of these. What fits below it is chosen instead: its offset is lower, so this ends."""
    column = _lowest_of(state, columns)
    ends = state[LOW] + state[SIZE]
    while True:
        below = np.flatnonzero(neighbours(state, column) & (ends <= state[LOW, column]))
        if not len(below):
            return column
        column = _lowest_of(state, below)


def _lowest_of(state: State, columns: Columns) -> int:
    lows = state[LOW, columns]
    return _preferred(state, columns[lows == lows.min()])


def _preferred(state: State, columns: Columns) -> int:
    return int(columns[state[RANK, columns].argmin()])


_CHOOSERS: dict[Choice, Callable[[State, int], int]] = {
    Choice.LOWEST: _lowest,
    Choice.FEWEST: _fewest,
    Choice.SECTION: _lowest_section,
}
