"""What one does without a solver: no cut, equal counts, greedy by weight.

They know neither capacity nor limits: what they would need is what a comparison shows.
"""

from collections.abc import Sequence
from itertools import pairwise

from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.cost import PlanCost, options_cost
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.plan import PartitionPlan


class NoOptionError(ValueError):
    """The instance has no option for a segment that a baseline wants."""


def no_cut(instance: PartitionInstance, params: SolveParams | None = None) -> PartitionPlan:
    """One segment. Raises NoOptionError."""
    return plan_of_cuts(instance, [], params)


def equal_items(
    instance: PartitionInstance, segments: int | None = None, params: SolveParams | None = None
) -> PartitionPlan:
    """Segments of equal item counts, as near as may be; None: the count with the best objective.

    Raises NoOptionError; where the count is free, only if no count has all its options.
    """
    if segments is not None:
        return plan_of_cuts(instance, equal_cuts(instance.n, segments), params)
    choices = []
    for count in range(1, (instance.max_segments or instance.n) + 1):
        try:
            choices.append(_options_of_cuts(instance, equal_cuts(instance.n, count)))
        except NoOptionError:
            continue
    if not choices:
        raise NoOptionError("no number of equal segments has an option for each")
    best = min(
        choices, key=lambda options: _load_cost(instance, options).ranked(instance.objective)
    )
    return _laid_out(instance, best, params)


def by_weight(
    instance: PartitionInstance,
    weights: Sequence[int],
    limit: int | None = None,
    segments: int | None = None,
    params: SolveParams | None = None,
) -> PartitionPlan:
    """Fill each segment with items as long as their weights stay within the limit.

    So does onnx2tf when it splits by file size. A single item may exceed the limit. In place of
    the limit, a number of segments sets it to the total weight over that number.

    Raises: ValueError unless exactly one of both is given; NoOptionError.
    """
    if (limit is None) == (segments is None) or len(weights) != instance.n:
        raise ValueError("by_weight: want one weight for each item, and a limit or a segment count")
    limit = -(-sum(weights) // segments) if segments else limit or 0
    return plan_of_cuts(instance, weight_cuts(weights, limit), params)


def weight_cuts(weights: Sequence[int], limit: int) -> list[int]:
    """Cuts before each item that would take its segment past the limit."""
    cuts, filled = [], 0
    for item, weight in enumerate(weights):
        if item and filled + weight > limit:
            cuts.append(item)
            filled = 0
        filled += weight
    return cuts


def equal_cuts(n: int, segments: int) -> list[int]:
    """Cuts into that many segments of equal item counts, as near as may be."""
    if not 1 <= segments <= n:
        raise ValueError(f"equal_items: got {segments} segments of {n} items, want 1 to {n}")
    return [n * k // segments for k in range(1, segments)]


def plan_of_cuts(
    instance: PartitionInstance, cuts: Sequence[int], params: SolveParams | None = None
) -> PartitionPlan:
    """The plan of these cuts, each segment by its option of least weighted sum, laid out.

    Raises NoOptionError.
    """
    return _laid_out(instance, _options_of_cuts(instance, cuts), params)


def _laid_out(
    instance: PartitionInstance, options: tuple[Option, ...], params: SolveParams | None
) -> PartitionPlan:
    return PartitionPlan(options, lay_out(options, instance.boundaries, params).layout)


def _options_of_cuts(instance: PartitionInstance, cuts: Sequence[int]) -> tuple[Option, ...]:
    ends = [0, *cuts, instance.n]
    return tuple(_best_option(instance, start, stop) for start, stop in pairwise(ends))


def _best_option(instance: PartitionInstance, start: int, stop: int) -> Option:
    options = [o for o in instance.options if (o.start, o.stop) == (start, stop)]
    if not options:
        raise NoOptionError(f"the instance has no option for segment [{start}, {stop})")
    return min(
        options, key=lambda option: _load_cost(instance, [option]).ranked(instance.objective)
    )


def _load_cost(instance: PartitionInstance, options: Sequence[Option]) -> PlanCost:
    return options_cost(options, max(instance.ram(option) for option in options))
