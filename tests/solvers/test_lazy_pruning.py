"""Pruning against the solver on every option, layouts that need more than their load included."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import cpsat
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.lazy_pruning import OptionBounds, Pruner
from splitopt.solvers.partition.pareto import pareto_front
from splitopt.solvers.partition.plan import plan_cost


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


def pruner_of(instance: PartitionInstance, seed: int) -> Pruner:
    """Under loose bounds; the options of keys 2v and 2v + 1 are two forms of variant v."""
    forms: dict[tuple[int, int, int], list[Option]] = {}
    for option in instance.options:
        forms.setdefault((option.start, option.stop, option.key // 2), []).append(option)
    loose = random.Random(seed)
    rows = []
    for name, options in forms.items():
        slack = loose.randint(0, 40)
        ram = max(0, min(map(instance.ram, options)) - slack)
        cost = min(option.cost for option in options) - slack // 4
        rows.append((*name, ram, cost, min(option.copied_bytes for option in options)))
    bounds = OptionBounds(*np.array(rows, dtype=np.int64).T)
    exact = lambda *name: [(instance.ram(o), o.cost) for o in forms[name]]  # noqa: E731
    return Pruner(bounds, instance.n, exact, instance.goal)


def names(options: Iterable[Option]) -> set[tuple[int, int, int]]:
    return {(o.start, o.stop, o.key // 2) for o in options}


@pytest.mark.parametrize("block", range(4))
def test_no_best_plan_over_loads_is_pruned_away(block: int) -> None:
    """Under loose bounds, the best rank over loads stays reachable with the kept options."""
    for seed in range(100 * block, 100 * block + 100):
        instance = draw(seed)
        pruner = pruner_of(instance, seed)
        kept = set(pruner.kept())
        full = cpsat.solve(instance, SolveParams())
        if full.plan is None:
            continue
        cost = plan_cost(full.plan)
        rank = full.cost or 0, cost.segments, cost.copied_bytes
        allowed = kept if pruner.reaches_best(*rank) else set(pruner.kept_within(full.cost))
        chosen = tuple(o for o in instance.options if names([o]) <= allowed)
        again = cpsat.solve(replace(instance, options=chosen), SolveParams())
        assert again.plan is not None, seed
        found = plan_cost(again.plan)
        assert (again.cost, found.segments, found.copied_bytes) == rank, seed


@pytest.mark.parametrize("block", range(2))
def test_no_point_of_the_front_is_pruned_away(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        instance = draw(seed)
        kept = set(pruner_of(instance, seed).kept_for_front())
        chosen = tuple(o for o in instance.options if names([o]) <= kept)
        points = [
            {(p.load, p.cost.added, p.cost.segments) for p in pareto_front(each).points}
            for each in (instance, replace(instance, options=chosen))
        ]
        assert points[0] == points[1], seed
