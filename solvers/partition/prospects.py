"""The least that any path from a cut to the end must have, judged by loads."""

from collections.abc import Sequence

import numpy as np

from splitopt.solvers.partition.instance import PartitionInstance
from splitopt.solvers.partition.shortest_paths import Matrix, least_weights, to_end

Measures = tuple[int, int, int]
"""Peak, added cost, number of segments; of the last always 0 where segments are no measure."""


def lowest_peaks(instance: PartitionInstance) -> list[int]:
    """By cut: the lowest load that any path from there to the end must have; NEVER where there is
    none."""
    found: list[int] = to_end(_least(instance, instance.rams), np.maximum).tolist()
    return found


def least_costs(instance: PartitionInstance) -> list[int]:
    """By cut: the least cost of any path from there to the end; NEVER where there is none."""
    costs = [option.cost for option in instance.options]
    found: list[int] = to_end(_least(instance, costs), np.add).tolist()
    return found


def _least(instance: PartitionInstance, amounts: Sequence[int]) -> Matrix:
    """Of the options that keep the capacity, the smallest amount of each segment."""
    rows = [
        (option.start, option.stop, amount)
        for option, ram, amount in zip(instance.options, instance.rams, amounts, strict=True)
        if instance.goal.fits(ram)
    ]
    return least_weights(instance.n, *np.array(rows, dtype=np.int64).reshape(-1, 3).T)
