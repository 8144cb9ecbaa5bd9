"""Which options an optimal plan can hold at all; never drops one that could tie."""

from collections.abc import Sequence

import numpy as np

from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.shortest_paths import (
    NEVER,
    Column,
    around,
    least,
    least_weights,
)


def fitting(instance: PartitionInstance) -> list[int]:
    """Numbers of the options that fit the capacity by themselves."""
    return [i for i, ram in enumerate(instance.rams) if instance.goal.fits(ram)]


def worthwhile(instance: PartitionInstance, numbers: Sequence[int], best_known: int) -> list[int]:
    """Those of `numbers` that a plan of weighted sum <= `best_known` can hold within all limits.

    A plan that takes an option has a peak of at least the option's RAM and of the smallest
    bottlenecks before and behind it, and costs at least the option's cost and the smallest costs
    before and behind it. Dropping options makes the paths of the rest longer, so this is repeated
    until nothing changes.
    """
    goal, kept = instance.goal, np.array(numbers, dtype=np.int64)
    while len(kept):
        starts, stops, rams, costs = _columns(instance, kept)
        at, most = (starts, stops), goal.max_segments
        other_costs = around(least_weights(instance.n, starts, stops, costs), most)[at]
        other_rams = around(least_weights(instance.n, starts, stops, rams), most, np.maximum)[at]
        cost, peak = other_costs + costs, np.maximum(other_rams, rams)
        stays = (other_costs < NEVER) & (other_rams < NEVER)
        stays &= goal.ram_weight * peak + goal.cost_weight * cost <= best_known
        if goal.max_cost is not None:
            stays &= cost <= goal.max_cost
        if stays.all():
            break
        kept = kept[stays]
    return [int(number) for number in kept]


def least_sum(instance: PartitionInstance, numbers: Sequence[int]) -> int | None:
    """A bound of every plan's weighted sum; None if these options do not reach from 0 to n."""
    starts, stops, rams, costs = _columns(instance, numbers)
    cost = least(least_weights(instance.n, starts, stops, costs))
    peak = least(least_weights(instance.n, starts, stops, rams), np.maximum)
    return None if cost is None or peak is None else instance.goal.weigh(peak, cost)


def _columns(
    instance: PartitionInstance, numbers: Sequence[int] | Column
) -> tuple[Column, Column, Column, Column]:
    """(starts, stops, RAM, cost) of the options of these numbers."""
    rows = [
        (option.start, option.stop, instance.rams[i], option.cost)
        for i, option in ((i, instance.options[i]) for i in numbers)
    ]
    starts, stops, rams, costs = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return starts, stops, rams, costs
