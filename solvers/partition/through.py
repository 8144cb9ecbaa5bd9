"""The best plans through each option, under the figures that a pool has now."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from splitopt.solvers.distinct import distinct
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.option_pool import OptionPool, Survivors
from splitopt.solvers.partition.shortest_paths import (
    FAR,
    NEVER,
    Column,
    Matrix,
    around,
    is_counted,
    least,
    reach_by_level,
)

_LEVELS = 96
"""Ranges that all peaks are divided into, at most."""


def least_cost(pool: OptionPool, left: Survivors) -> int:
    """No plan adds less: negative where some options save more than others add."""
    return least(pool.weights(left, pool.cost[left.numbers])) or 0


def lowest_peak(pool: OptionPool, left: Survivors) -> int | None:
    """Of any plan; None where there is none."""
    return least(pool.weights(left, pool.ram[left.numbers]), np.maximum)


def least_values(pool: OptionPool, left: Survivors, goal: Goal, most: int) -> Column:
    """For each option of the pool, the least that a plan weighs which takes it, as far as it is at
    most that value; NEVER for the others.

    The peak of a plan is in one of the ranges of `_levels`. For a peak in [start, stop), all its
    options are below stop, and it weighs at least as much as a peak of start.
    """
    values = np.full(len(pool.ram), NEVER)
    levels = list(_levels(pool, left, goal, most))
    stops = np.array([stop for _, stop in levels], dtype=np.int64)
    level = np.searchsorted(stops, pool.ram[left.numbers], side="right")  # the first it is below
    order = np.argsort(level, kind="stable")
    numbers, level = left.numbers[order], level[order]
    counts = np.searchsorted(level, np.arange(len(levels)), side="right")
    for (start, _), count, costs in zip(
        levels, counts.tolist(), _costs_by_level(pool, numbers, level, counts, goal), strict=True
    ):
        among = numbers[:count]
        is_there = costs < NEVER
        if goal.max_cost is not None:
            is_there &= costs <= goal.max_cost
        peaks = np.maximum(pool.ram[among], start)
        reached = np.where(is_there, goal.ram_weight * peaks + goal.cost_weight * costs, NEVER)
        values[among] = np.minimum(values[among], reached)
    return values


def _costs_by_level(
    pool: OptionPool, numbers: Column, level: Column, counts: Column, goal: Goal
) -> Iterator[Column]:
    """For each level, the least cost of a plan of its options through each of them: the first
    `counts` ones of `numbers`, which stand by ascending level."""
    if is_counted(goal.max_segments):
        for count in counts.tolist():
            is_below = np.zeros(len(pool.ram), dtype=bool)
            is_below[numbers[:count]] = True
            among = pool.survivors(is_below)
            costs = np.full(len(pool.ram), NEVER)
            amounts = pool.cost[among.numbers]
            costs[among.numbers] = through(pool, among, amounts, goal.max_segments)
            yield costs[numbers[:count]]
        return
    starts, stops, amounts = pool.starts[numbers], pool.stops[numbers], pool.cost[numbers]
    edges = starts, stops, amounts, level
    ahead, behind = reach_by_level(pool.n, len(counts), *edges)
    for k, count in enumerate(counts.tolist()):
        rest = ahead[k, starts[:count]] + behind[k, stops[:count]]
        yield np.where(rest < FAR, rest + amounts[:count], NEVER)


def through(
    pool: OptionPool, among: Survivors, amounts: Column, max_segments: int | None
) -> Column:
    """For each of these options, the smallest amount of a plan of them that takes it."""
    others: Matrix = around(pool.weights(among, amounts), max_segments)
    rest = others[pool.starts[among.numbers], pool.stops[among.numbers]]
    found: Column = np.where(rest < NEVER, rest + amounts, NEVER)
    return found


def _levels(pool: OptionPool, left: Survivors, goal: Goal, value: int) -> Iterator[tuple[int, int]]:
    """Ranges of the peak, [start, stop), that hold every plan of at most that value."""
    lowest, most = lowest_peak(pool, left) or 0, int(NEVER)
    if goal.capacity is not None:
        most = goal.capacity
    if goal.ram_weight:
        most = min(most, (value - goal.cost_weight * least_cost(pool, left)) // goal.ram_weight)
    held = distinct(pool.ram[left.numbers])
    held = held[(held >= lowest) & (held <= most)]
    if not goal.ram_weight:
        held = held[-1:]  # nothing is cheaper under a lower peak
    if not len(held):
        return
    chosen = held[distinct(np.linspace(0, len(held) - 1, _LEVELS).astype(int))]
    start = lowest
    for stop in (chosen + 1).tolist():
        yield start, stop
        start = stop
