"""Pruning against the solver on every segment, layouts that need more than their load included."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pytest

from solvers.params import SolveParams
from solvers.partition import cpsat
from solvers.partition.boundary import Boundary
from solvers.partition.cost import plan_cost
from solvers.partition.instance import Objective, Option, PartitionInstance
from splitopt.pruning import Goal, Pruner


@dataclass(frozen=True)
class Drawn:
    """A random instance over every segment, with its figures as matrices."""

    instance: PartitionInstance
    ram: np.ndarray
    cost: np.ndarray
    copied: np.ndarray


def draw(seed: int) -> tuple[Drawn, Goal]:
    chance = random.Random(seed)
    n = chance.randint(3, 6)
    values = tuple(
        Boundary(16 * chance.randint(1, 6), maker, tuple(sorted({chance.randint(maker + 1, n - 1)
                 for _ in range(2)})))
        for maker in range(n - 1) for _ in range(chance.randint(0, 2))
    )  # fmt: skip
    options = tuple(
        Option(i, j, 16 * chance.randint(1, 8), chance.randint(0, 20), chance.randint(0, 9))
        for i in range(n)
        for j in range(i + 1, n + 1)
    )
    goal = Goal(
        ram_weight=chance.choice([0, 1, 1, 4]),
        cost_weight=chance.choice([0, 1, 16]),
        capacity=chance.choice([None, 16 * chance.randint(8, 20)]),
        max_cost=chance.choice([None, None, 30]),
        max_segments=chance.choice([None, None, 2, 3]),
    )
    if not goal.ram_weight + goal.cost_weight:
        goal = Goal(1, 0, goal.capacity, goal.max_cost, goal.max_segments)
    objective = Objective(goal.ram_weight, goal.cost_weight, goal.max_cost)
    instance = PartitionInstance(n, options, values, goal.capacity, objective, goal.max_segments)
    shape = (n + 1, n + 1)
    ram, cost, copied = (np.zeros(shape, np.int64) for _ in range(3))
    for option in options:
        at = (option.start, option.stop)
        ram[at], cost[at], copied[at] = instance.ram(option), option.cost, option.copied_bytes
    return Drawn(instance, ram, cost, copied), goal


@pytest.mark.parametrize("block", range(4))
def test_no_best_plan_over_loads_is_pruned_away(block: int) -> None:
    """Under loose bounds, the best rank over loads stays reachable with the kept segments."""
    for seed in range(100 * block, 100 * block + 100):
        drawn, goal = draw(seed)
        loose = random.Random(seed)
        allowed = np.triu(np.ones(drawn.ram.shape, dtype=bool), 1)
        slack = np.array([[loose.randint(0, 40) for _ in row] for row in drawn.ram])
        pruner = Pruner(
            np.maximum(drawn.ram - slack, 0),
            np.maximum(drawn.cost - slack // 4, 0),
            drawn.copied,
            allowed,
            lambda i, j, d=drawn: (int(d.ram[i, j]), int(d.cost[i, j])),  # type: ignore[misc]
            goal,
        )
        kept = set(pruner.kept())
        full = cpsat.solve(drawn.instance, SolveParams())
        if full.plan is None:
            continue
        cost = plan_cost(full.plan)
        rank = full.cost or 0, cost.segments, cost.copied_bytes
        if pruner.assumed(*rank):
            assert {(o.start, o.stop) for o in full.plan.options} <= kept, seed
        else:
            wider = set(pruner.kept_within(full.cost))
            assert {(o.start, o.stop) for o in full.plan.options} <= wider, seed
