"""Pruning against the solver on every option, layouts that need more than their load included."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from samples import seeds

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import cpsat
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.cheapest_below import settling
from splitopt.solvers.partition.dp import best_path
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.lazy_front import kept_for_front
from splitopt.solvers.partition.lazy_pruning import Pruner
from splitopt.solvers.partition.option_pool import OptionBounds, OptionPool, Settled
from splitopt.solvers.partition.pareto import pareto_front
from splitopt.solvers.partition.plan import plan_cost
from splitopt.solvers.partition.shortest_paths import NEVER


def draw(seed: int) -> PartitionInstance:
    """A random instance: some segments with a second option apart, some with a second form."""
    chance = random.Random(seed)
    n = chance.randint(3, 6)
    values = tuple(
        Boundary(16 * chance.randint(1, 6), maker, tuple(sorted({chance.randint(maker + 1, n - 1)
                 for _ in range(2)})))
        for maker in range(n - 1) for _ in range(chance.randint(0, 2))
    )  # fmt: skip

    def option(i: int, j: int, key: int) -> Option:
        amounts = 16 * chance.randint(1, 8), chance.randint(-6, 20), chance.randint(0, 9)
        return Option(i, j, *amounts, key, apart=key > 1)

    keys = [(0,), (0,), (0, 1), (0, 2), (0, 1, 2, 3)]
    options = tuple(
        option(i, j, key)
        for i in range(n)
        for j in range(i + 1, n + 1)
        for key in chance.choice(keys)
    )
    weights = chance.choice([0, 1, 1, 4]), chance.choice([0, 1, 16])
    goal = Goal(
        *(weights if any(weights) else (1, 0)),
        capacity=chance.choice([None, 16 * chance.randint(8, 20)]),
        max_cost=chance.choice([None, None, 30]),
        max_segments=chance.choice([None, None, 2, 3]),
    )
    return PartitionInstance(n, options, values, goal)


def pool_of(instance: PartitionInstance, seed: int) -> OptionPool:
    """Under loose bounds. Beside every option of an even key there is one of the odd key behind it,
    which often turns out not to be an option: sometimes that is said by the one of the even key."""
    known = {(o.start, o.stop, o.key): o for o in instance.options}
    loose = random.Random(seed)
    rows = []
    for (start, stop, key), option in known.items():
        slack = loose.randint(0, 40)
        bounds = max(0, instance.ram(option) - slack), option.cost - slack // 4, option.copied_bytes
        rows.append((start, stop, key, *bounds))
        if key % 2 == 0 and (start, stop, key + 1) not in known:
            rows.append((start, stop, key + 1, *bounds))

    def exact(start: int, stop: int, key: int) -> Settled | None:
        option = known.get((start, stop, key))
        if option is None:
            return None
        is_last = (start, stop, key + 1) not in known and key % 2 == 0 and (start + stop) % 3 > 0
        return Settled(instance.ram(option), option.cost, is_last)

    loose.shuffle(rows)
    return OptionPool(OptionBounds(*np.array(rows, dtype=np.int64).T), instance.n, exact)


def kept_of(instance: PartitionInstance, names: Iterable[tuple[int, int, int]]) -> set[Option]:
    """Those of the names that are options; the others never had to be settled."""
    chosen = set(names)
    return {o for o in instance.options if (o.start, o.stop, o.key) in chosen}


@pytest.mark.parametrize("block", seeds(2, 30))
def test_no_best_plan_over_loads_is_pruned_away(block: int) -> None:
    """Under loose bounds, the best rank over loads stays reachable with the kept options. A block
    is a hundred tables."""
    for seed in range(100 * block, 100 * block + 100):
        instance = draw(seed)
        pruner = Pruner(pool_of(instance, seed), instance.goal)
        kept = kept_of(instance, pruner.kept())
        full = cpsat.solve(instance, SolveParams())
        if full.plan is None:
            continue
        cost = plan_cost(full.plan)
        rank = full.cost or 0, cost.segments, cost.copied_bytes
        if not pruner.reaches_best(*rank):
            kept = kept_of(instance, pruner.kept_within(full.cost))
        chosen = tuple(o for o in instance.options if o in kept)
        again = cpsat.solve(replace(instance, options=chosen), SolveParams())
        assert again.plan is not None, seed
        found = plan_cost(again.plan)
        assert (again.cost, found.segments, found.copied_bytes) == rank, seed


@pytest.mark.parametrize("block", seeds(2, 30))
def test_without_ties_one_of_the_best_plans_over_loads_is_left(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        instance = draw(seed)
        goal = instance.goal
        if goal.cost_weight and goal.ram_weight and goal.max_cost is not None:
            continue  # paths do not know the limit
        pruner = Pruner(pool_of(instance, seed), goal)
        kept = sorted(kept_of(instance, pruner.kept(with_ties=False)), key=lambda o: o.start)
        path = best_path(instance)
        assert bool(kept) == (path is not None), seed
        if path is not None:
            assert [option.start for option in kept[1:]] == [option.stop for option in kept[:-1]]
            value = goal.weigh(
                max(instance.ram(option) for option in kept), sum(o.cost for o in kept)
            )
            assert value == goal.weigh(path.peak, sum(o.cost for o in path.options)), seed
            assert pruner.bound == value


@pytest.mark.parametrize("block", seeds(2, 30))
def test_no_point_of_the_front_is_pruned_away(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        instance = draw(seed)
        pool, counted = pool_of(instance, seed), seed % 2 > 0
        found = kept_for_front(pool, instance.goal, Deadline(60), counts_segments=counted)
        kept = kept_of(instance, found.names)
        chosen = tuple(o for o in instance.options if o in kept)
        points = [
            {
                (p.bound, p.cost.added, p.cost.segments * counted)
                for p in pareto_front(each, counts_segments=counted).points
            }
            for each in (instance, replace(instance, options=chosen))
        ]
        assert points[0] == points[1], seed


def test_the_lowest_peak_asks_for_few_exact_figures() -> None:
    """Most options could be in a plan of that peak, and all bounds lie somewhat below."""
    n, chance, asked = 40, random.Random(0), list[tuple[int, int, int]]()
    options = tuple(
        Option(start, stop, 16 * chance.randint(50, 60), 0, chance.randint(0, 10_000), key)
        for start in range(n)
        for stop in range(start + 1, min(start + 9, n + 1))
        for key in range(20)
    )
    rams = {(o.start, o.stop, o.key): o.arena_bytes for o in options}
    rows = [(o.start, o.stop, o.key, o.arena_bytes - 16 * chance.choice([1, 3]), 0, o.copied_bytes)
            for o in options]  # fmt: skip

    def exact(start: int, stop: int, key: int) -> Settled:
        asked.append((start, stop, key))
        return Settled(rams[asked[-1]], 0)

    pool = OptionPool(OptionBounds(*np.array(rows, dtype=np.int64).T), n, exact)
    pruner = Pruner(pool, Goal(1, 0))
    pruner.kept()
    path = best_path(PartitionInstance(n, options, (), Goal(1, 0)))
    assert path is not None
    assert pruner.least == pruner.bound == path.peak
    assert len(asked) < len(options) / 12


@pytest.mark.parametrize("block", seeds(2, 10))
def test_only_cheapest_plans_are_settled_where_peaks_do_not_count(block: int) -> None:
    """Each is no dearer than the one that is found in the end, by bounds that only rise."""
    for seed in range(100 * block, 100 * block + 100):
        drawn = draw(seed)
        instance = replace(drawn, goal=replace(drawn.goal, ram_weight=0, cost_weight=1))
        pool, capacity = pool_of(instance, seed), instance.goal.capacity
        seen, used = [], set[int]()
        for path in settling(pool, instance.goal, 10**9 if capacity is None else capacity):
            assert set(np.flatnonzero(pool.is_exact & (pool.ram < NEVER)).tolist()) <= used
            seen.append(path)
            used.update(path.options if path else ())
        costs = [path.cost for path in seen if path is not None]
        best = best_path(instance)
        assert costs == sorted(costs)
        assert (seen[-1] is None) == (best is None)
        assert best is None or costs[-1] == sum(option.cost for option in best.options)
