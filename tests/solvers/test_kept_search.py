"""The best plan over loads of options that keep bytes for good, found with few exact figures,
against all plans."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from samples import seeds
from test_exact_front import rolled
from test_kept_front import named, pool_of
from tiny import UNIT, all_choices

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.kept_pool import Priced
from splitopt.solvers.partition.kept_search import KeptSearch


def value_of(instance: PartitionInstance, options: tuple[Option, ...], goal: Goal) -> int | None:
    """None where it does not keep the limits."""
    peak = max(map(instance.ram, options)) + sum(o.kept for o in options)
    cost = sum(o.cost for o in options)
    fits = goal.fits(peak) and (goal.max_cost is None or cost <= goal.max_cost)
    fits &= goal.max_segments is None or len(options) <= goal.max_segments
    return goal.weigh(peak, cost) if fits else None


@pytest.mark.parametrize("block", seeds(4, 40))
def test_the_best_plan_by_loads_is_that_of_all_plans(block: int) -> None:
    known = 0
    for seed in range(15 * block, 15 * block + 15):
        instance, chance = rolled(seed, 6, keeps=True), random.Random(seed)
        segments = chance.choice([None, None, chance.randint(1, 4)])
        goal = chance.choice(
            [
                Goal(0, 1, UNIT * chance.randint(2, 16), max_segments=segments),
                Goal(1, 0, max_cost=chance.randint(0, 8), max_segments=segments),
                Goal(1, 3, UNIT * chance.randint(2, 16), max_segments=segments),
            ]
        )
        chosen = list(all_choices(replace(instance, goal=Goal(1, 0))))
        values = [
            own for options in chosen if (own := value_of(instance, options, goal)) is not None
        ]
        some = chance.sample((1, 100, 2**14, 2**16, 2**20), chance.randint(1, 3))
        prices = [Priced(goal, price=price) for price in some]
        if not goal.cost_weight:
            prices = [Priced(goal, cost_price=own.price) for own in prices]
        most = min(values, default=100) + chance.randint(-1, 300)
        pool = pool_of(instance, seed)
        numbers = np.array(pool.numbers_of(named(instance)), dtype=np.int64)
        found = KeptSearch(pool, numbers, prices).best(most, Deadline(60))
        assert found.is_proved
        if not values or min(values) > most:
            assert not found.names
            assert found.bound > most
            continue
        known += 1
        options = tuple(named(instance)[name] for name in found.names)
        assert value_of(instance, options, goal) == found.bound == min(values), seed
        late = KeptSearch(pool, numbers, prices).best(most, Deadline(0))
        assert not late.is_proved
        assert late.bound <= min(values)
    assert known
