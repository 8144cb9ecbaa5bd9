"""Options that some plan of the Pareto front uses, found with few exact evaluations.

Over loads: for each peak from the highest down, the cheapest plan under the present figures, or
that of every number of segments where these count. What they use is settled and they are found
again, until all rest on exact figures: then no other option gives a further point, since its bounds
would have.

Where layouts need more than loads, plans of other options may be on the front, too: `wanted_beside`
finds those that are in a plan which no known one dominates.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.cheapest_below import CheapestBelow
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.option_pool import OptionName, OptionPool
from splitopt.solvers.partition.pareto import Front
from splitopt.solvers.partition.shortest_paths import (
    NEVER,
    Column,
    Matrix,
    around,
    by_edges,
    mirrored,
)

MOST_WANTED, PROMISING = 1_000, 300
"""So many options are taken in beside a front, to see that it is complete; where there are more, so
many of them to find better plans first."""


@dataclass(frozen=True)
class KeptForFront:
    """`is_complete`: all of them were found and settled. `is_exact`: they were found by figures
    that are exact."""

    names: list[OptionName]
    is_complete: bool
    is_exact: bool = True


def kept_for_front(
    pool: OptionPool,
    goal: Goal,
    deadline: Deadline,
    most_peak: int | None = None,
    *,
    counts_segments: bool = False,
) -> KeptForFront:
    """Options of plans that no other dominates in peak, cost and, where it counts, number of
    segments; the goal's limits hold, its weights play no part.

    `most_peak`: no such plan is known to have a higher peak.
    """
    limits = (goal.capacity, most_peak)
    level = min((limit for limit in limits if limit is not None), default=int(NEVER) - 1)
    found: set[int] = set()
    below = CheapestBelow(pool, level)
    while not deadline.is_over:
        paths = below.cheapest(goal, counts_segments=counts_segments)
        used = {number for path in paths for number in path}
        unsettled = sorted(number for number in used if not pool.is_exact[number])
        if unsettled:
            pool.settle(unsettled, deadline)
            below.renew(unsettled)
            continue
        if not paths:
            return KeptForFront(pool.names(found), is_complete=True)
        found |= used
        below = CheapestBelow(pool, max(int(pool.ram[list(path)].max()) for path in paths) - 1)
    return KeptForFront(pool.names(found), is_complete=False)


def wanted_beside(front: Front, pool: OptionPool, goal: Goal, deadline: Deadline) -> KeptForFront:
    """Options of plans that no point of the front dominates, judged by loads; the goal's limits
    hold. Where these are many, only the most promising ones, and they are not complete."""
    while not deadline.is_over:
        gains = _gains(front, pool, goal)
        numbers = np.flatnonzero(gains > 0)
        is_complete = len(numbers) <= MOST_WANTED
        if not is_complete:
            numbers = numbers[np.argsort(-gains[numbers], kind="stable")[:PROMISING]]
        unsettled = numbers[~pool.is_exact[numbers]].tolist()
        if not unsettled:
            return KeptForFront(pool.names(numbers), is_complete)
        pool.settle(unsettled, deadline)
    return KeptForFront([], is_complete=False)


def _gains(front: Front, pool: OptionPool, goal: Goal) -> Column:
    """How much cheaper plans through each option may be than those that are known to have no higher
    peak. Between two peaks of known plans, these are the same ones."""
    top = int(NEVER) - 1 if goal.capacity is None else goal.capacity
    edges = pool.n if goal.max_segments is None else min(goal.max_segments, pool.n)
    worst = NEVER if goal.max_cost is None else goal.max_cost + 1
    best = np.full(edges + 1 if front.counts_segments else 1, worst)
    known = front.measures
    peaks = sorted({peak for peak, _, _ in known})
    gains = np.zeros(len(pool.ram), dtype=np.int64)
    for low, high in pairwise([0, *peaks, top + 1]):
        for peak, cost, segments in known:
            if peak == low:
                best[segments:] = np.minimum(best[segments:], cost)
        if any(load < high and cost < best[segments] for load, cost, segments in front.loads):
            left = pool.survivors(pool.ram < high)
            weights = pool.weights(left, pool.cost[left.numbers])
            if front.counts_segments:
                most_costs = _most_costs(weights, best)
            else:
                most_costs = best[0] - around(weights, goal.max_segments)
            some = left.numbers
            most = most_costs[pool.starts[some], pool.stops[some]]
            gains[some] = np.maximum(gains[some], most - pool.cost[some])
    return gains


def _most_costs(weights: Matrix, best: Column) -> Matrix:
    """For each pair of cuts, less than what an edge between them must weigh so that some path of k
    edges through it weighs less than best[k]; it rises with fewer edges."""
    ahead = by_edges(weights, best)
    behind = [column[::-1] for column in by_edges(mirrored(weights), best)]
    most: Matrix = np.full(weights.shape, -NEVER)
    for edges, before in enumerate(ahead):
        left = [
            np.where(after < NEVER, best[edges + 1 + more] - after, -NEVER)
            for more, after in enumerate(behind[: len(best) - edges - 1])
        ]
        if left:
            open_ = np.max(left, axis=0)[None, :] - before[:, None]
            np.maximum(most, open_, out=most, where=before[:, None] < NEVER)
    return most
