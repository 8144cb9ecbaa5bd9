"""Exact partition of a fixed order by dynamic programming over the loads.

For a bound on the RAM of each segment, the best path through the cuts is found in time linear in
the options. The best bound is found by dividing the range of all RAM figures: no peak strictly
between two of them can beat the lowest peak there together with the path of the larger bound.

The load is what this minimises; the peak of a plan is what its layout needs. So a plan is OPTIMAL
if its layout reaches its load, else FEASIBLE with the optimum over loads as the bound, or UNKNOWN
if the layout and what is kept exceed the capacity, or what the options store exceeds a store: paths
know neither stores nor what others keep, nor, where something is kept, two limits at once.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.paths import Path, PathFinder
from splitopt.solvers.partition.plan import PartitionPlan, plan_cost
from splitopt.solvers.partition.prune import fitting, least_sum

Rank = tuple[int, int, int]


def solve(instance: PartitionInstance, params: SolveParams | None = None) -> Outcome[PartitionPlan]:
    """The plan of smallest weighted sum, by dynamic programming over paths of options.

    The outcome's cost and bound are weighted sums of the goal. The time limit applies to laying out
    the chosen segments.
    """
    params = params or SolveParams()
    deadline = Deadline(params.time_limit_s)
    path = best_path(instance)
    if path is None:
        keeps = any(option.kept for option in instance.options)
        is_limited_twice = None not in (instance.goal.max_cost, instance.goal.max_segments)
        bound = least_sum(instance, fitting(instance)) if keeps and is_limited_twice else None
        status = Status.INFEASIBLE if bound is None else Status.UNKNOWN
        return Outcome(status, bound=bound, wall_s=deadline.spent_s)
    bound = _rank(path, instance)[0]
    limited = replace(params, time_limit_s=deadline.left_s)
    laid_out = lay_out(path.options, instance.boundaries, limited)
    plan = PartitionPlan(path.options, laid_out.layout)
    fits = instance.goal.fits(plan_cost(plan).peak)
    if not (fits and instance.fits_stores(path.options)):
        return Outcome(Status.UNKNOWN, bound=bound, wall_s=deadline.spent_s)
    cost = plan_cost(plan).ranked(instance.goal)[0]
    status = Status.OPTIMAL if cost == bound else Status.FEASIBLE
    return Outcome(status, plan, cost, bound, deadline.spent_s)


def best_path(instance: PartitionInstance) -> Path | None:
    """The best path over loads; None where no path keeps the limits, which is a proof."""
    finder = PathFinder(instance)
    levels = finder.thresholds
    least = bisect_left(levels, True, key=lambda ram: finder.best(ram) is not None)
    if least == len(levels):
        return None
    low, high = finder.best(levels[least]), finder.best(levels[-1])
    assert low is not None
    assert high is not None
    return _best_between(finder, _Known(least, low), _Known(len(levels) - 1, high))


@dataclass(frozen=True)
class _Known:
    """A level (an index of the thresholds) with its best path."""

    level: int
    path: Path


def _best_between(finder: PathFinder, low: _Known, high: _Known) -> Path:
    instance, levels = finder.instance, finder.thresholds
    best = min(low.path, high.path, key=lambda path: _rank(path, instance))
    pairs = [(low, high)]
    while pairs:
        low, high = pairs.pop()
        # The path of the upper level is the best of all levels from its own peak up.
        top = min(high.level, bisect_left(levels, high.path.peak))
        if top - low.level < 2:
            continue
        weighted, segments, copied = high.path.rank
        least = instance.goal.ram_weight * levels[low.level + 1] + weighted
        if (least, segments, copied) >= _rank(best, instance):
            continue
        middle = (low.level + top) // 2
        path = finder.best(levels[middle])
        assert path is not None
        best = min(best, path, key=lambda path: _rank(path, instance))
        known = _Known(middle, path)
        pairs += [(low, known), (known, _Known(top, high.path))]
    return best


def _rank(path: Path, instance: PartitionInstance) -> Rank:
    weighted, segments, copied = path.rank
    return instance.goal.ram_weight * path.peak + weighted, segments, copied
