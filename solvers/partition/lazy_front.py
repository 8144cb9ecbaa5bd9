"""Options that some plan of the Pareto front uses, found with few exact evaluations.

For each peak from the highest down, the cheapest plans of every number of segments under the
present figures. What they use is settled and they are found again, until all rest on exact figures:
then no other option gives a further point, since its bounds would have.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.option_pool import OptionName, OptionPool
from splitopt.solvers.partition.shortest_paths import NEVER, shortest_by_edges

Options = tuple[int, ...]


@dataclass(frozen=True)
class KeptForFront:
    """`is_complete`: time was enough to settle all of them."""

    names: list[OptionName]
    is_complete: bool


def kept_for_front(
    pool: OptionPool, goal: Goal, deadline: Deadline, most_peak: int | None = None
) -> KeptForFront:
    """Options of plans that no other dominates in peak, cost and number of segments; the goal's
    limits hold, its weights play no part.

    `most_peak`: no such plan is known to have a higher peak.
    """
    limits = (goal.capacity, most_peak)
    level = min((limit for limit in limits if limit is not None), default=int(NEVER) - 1)
    found: set[int] = set()
    while not deadline.is_over:
        paths = _cheapest(pool, goal, level)
        used = {number for path in paths for number in path}
        unsettled = sorted(number for number in used if not pool.is_exact[number])
        if unsettled:
            pool.settle(unsettled, deadline)
            continue
        if not paths:
            return KeptForFront(pool.names(found), is_complete=True)
        found |= used
        level = max(int(pool.ram[list(path)].max()) for path in paths) - 1
    return KeptForFront(pool.names(found), is_complete=False)


def _cheapest(pool: OptionPool, goal: Goal, level: int) -> list[Options]:
    """The cheapest plans of each number of segments with no option above the level."""
    left = pool.survivors(pool.ram <= level)
    weights = pool.weights(left, pool.cost[left.numbers])
    cheapest: dict[tuple[int, int], int] = {}
    paths = []
    for nodes in shortest_by_edges(weights, goal.max_segments):
        segments = tuple(pairwise(nodes))
        for segment in segments:
            if segment not in cheapest:
                numbers = left.of_segment(*segment)
                cheapest[segment] = int(numbers[pool.cost[numbers].argmin()])
        paths.append(tuple(cheapest[segment] for segment in segments))
    if goal.max_cost is not None:
        paths = [path for path in paths if pool.cost[list(path)].sum() <= goal.max_cost]
    return paths
