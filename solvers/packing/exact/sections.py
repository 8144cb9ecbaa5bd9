"""Sections of time: the steps at which as many buffers as possible live at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from splitopt.solvers.packing.exact.state import SIZE, START, STOP, Mask, State


def section_steps(state: State) -> NDArray[np.int64]:
    """One step for each largest set of buffers that live at once, rising.

    Between one start and the next such a set only grows, unless a buffer ends: so the sets at the
    last starts before an end hold all others.
    """
    starts = state[START]
    ended = np.sort(state[STOP]).searchsorted(starts, "right")
    is_last = np.append(ended[1:] > ended[:-1], True)
    steps: NDArray[np.int64] = starts[is_last]
    return steps


def alive(state: State, steps: NDArray[np.int64]) -> Mask:
    """[section, column]: whether the buffer lives there."""
    at = steps[:, None]
    lives: Mask = (state[START] <= at) & (at < state[STOP])
    return lives


def within(state: State, start: int, stop: int) -> Mask:
    """Which buffers live at some step of [start, stop)."""
    lives: Mask = (state[START] < stop) & (state[STOP] > start)
    return lives


@dataclass(frozen=True)
class Members:
    """Which buffers live in which sections, pair by pair, and the bytes of each section."""

    sections: NDArray[np.int64]
    columns: NDArray[np.int64]
    totals: NDArray[np.int64]


def members(state: State) -> Members:
    """Far fewer pairs than `alive` has places where most buffers are short-lived."""
    steps = section_steps(state)
    first = steps.searchsorted(state[START])
    counts = steps.searchsorted(state[STOP]) - first
    before = counts.cumsum() - counts
    sections = np.arange(counts.sum()) + (first - before).repeat(counts)
    columns = np.arange(state.shape[1]).repeat(counts)
    totals = np.zeros(len(steps), dtype=np.int64)
    np.add.at(totals, sections, state[SIZE, columns])
    return Members(sections, columns, totals)
