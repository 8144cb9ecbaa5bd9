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
    pairs = enumerate(zip(instance.options, instance.rams, strict=True))
    return [i for i, (option, ram) in pairs if instance.goal.fits(ram + option.kept)]


def worthwhile(instance: PartitionInstance, numbers: Sequence[int], best_known: int) -> list[int]:
    """Those of `numbers` that a plan of weighted sum <= `best_known` can hold within all limits.

    A plan that takes an option has a peak of at least the option's RAM and of the smallest
    bottlenecks before and behind it, and costs and keeps at least what the option does and the
    least before and behind it. Dropping options makes the paths of the rest longer, so this is
    repeated until nothing changes.
    """
    goal, kept = instance.goal, np.array(numbers, dtype=np.int64)
    while len(kept):
        starts, stops, rams, costs, added = _columns(instance, kept)
        at, most = (starts, stops), goal.max_segments
        other_added = around(least_weights(instance.n, starts, stops, added), most)[at]
        other_rams = around(least_weights(instance.n, starts, stops, rams), most, np.maximum)[at]
        peak = np.maximum(other_rams, rams)
        stays = (other_added < NEVER) & (other_rams < NEVER)
        stays &= goal.ram_weight * peak + other_added + added <= best_known
        if goal.max_cost is not None:
            other_costs = around(least_weights(instance.n, starts, stops, costs), most)[at]
            stays &= other_costs + costs <= goal.max_cost
        if stays.all():
            break
        kept = kept[stays]
    return [int(number) for number in kept]


def least_sum(instance: PartitionInstance, numbers: Sequence[int]) -> int | None:
    """A bound of every plan's weighted sum; None if these options do not reach from 0 to n."""
    starts, stops, rams, _, added = _columns(instance, numbers)
    rest = least(least_weights(instance.n, starts, stops, added))
    peak = least(least_weights(instance.n, starts, stops, rams), np.maximum)
    return None if rest is None or peak is None else instance.goal.ram_weight * peak + rest


def _columns(
    instance: PartitionInstance, numbers: Sequence[int] | Column
) -> tuple[Column, Column, Column, Column, Column]:
    """(starts, stops, RAM, cost, what it adds) of the options of these numbers."""
    rows = [
        (option.start, option.stop, instance.rams[i], option.cost, instance.added(option))
        for i, option in ((i, instance.options[i]) for i in numbers)
    ]
    starts, stops, rams, costs, added = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    return starts, stops, rams, costs, added
