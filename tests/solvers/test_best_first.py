"""The best-first search against brute force and CP-SAT, under loose bounds and exact figures."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from samples import examples, seeds
from test_exact_front import rolled
from test_lazy_pruning import pool_of
from tiny import UNIT, best_rank, partition_instances

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition import best_first, cpsat, dp, least_rest
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, PartitionInstance
from splitopt.solvers.partition.lazy_pruning import Pruner
from splitopt.solvers.partition.plan import PartitionPlan, plan_cost


def asked(
    best_plan: Callable[..., Outcome[PartitionPlan]],
    instance: PartitionInstance,
    seed: int,
    known: int | None = None,
    **more: object,
) -> Outcome[PartitionPlan]:
    """Among what a plan of at most the known value may use."""
    options = {(o.start, o.stop, o.key): o for o in instance.options}
    pruner = Pruner(pool_of(instance, seed), instance.goal)
    return best_plan(
        pruner.pool,
        pruner.within(known),
        instance.goal,
        instance.boundaries,
        options.__getitem__,
        Deadline(60),
        **more,
    )


def searched(
    instance: PartitionInstance, seed: int, known: int | None = None, *, with_ties: bool = True
) -> Outcome[PartitionPlan]:
    return asked(best_first.best_plan, instance, seed, known, with_ties=with_ties)


def check(instance: PartitionInstance, outcome: Outcome[PartitionPlan]) -> None:
    if outcome.plan is not None:
        check_plan(instance, outcome.plan, outcome.cost)


def rank_of(instance: PartitionInstance, outcome: Outcome[PartitionPlan]) -> object:
    assert outcome.status in (Status.OPTIMAL, Status.INFEASIBLE)
    return None if outcome.plan is None else plan_cost(outcome.plan).ranked(instance.goal)


def goal_of(seed: int) -> Goal:
    chance = random.Random(seed)
    return Goal(
        *chance.choice([(1, 0), (1, 0), (0, 1), (1, 1), (1, 16)]),
        capacity=chance.choice([None, None, UNIT * chance.randint(10, 18)]),
        max_cost=chance.choice([None, None, chance.randint(2, 20)]),
        max_segments=chance.choice([None, None, 3, 4]),
    )


@examples(40)
@given(partition_instances(5))
def test_the_best_plan_is_that_of_all_plans_and_layouts(instance: PartitionInstance) -> None:
    if instance.options:
        outcome = searched(instance, 0)
        check(instance, outcome)
        assert rank_of(instance, outcome) == best_rank(instance)


@pytest.mark.parametrize("block", seeds(1, 20))
def test_it_agrees_with_cpsat_where_layouts_miss_loads(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All peaks apart, or three levels of them; all options, or those that the answer leaves."""
    missed = 0
    for seed in range(25 * block, 25 * block + 25):
        instance = replace(rolled(seed, 5), goal=goal_of(seed))
        if not instance.options:
            continue
        monkeypatch.setattr(least_rest, "_LEVELS", 3 if seed % 2 else 256)
        by_cpsat = cpsat.solve(instance)
        for known in (None, by_cpsat.cost):
            outcome = searched(instance, seed, known)
            check(instance, outcome)
            assert rank_of(instance, outcome) == rank_of(instance, by_cpsat), seed
            of_many = searched(instance, seed, known, with_ties=False)
            check(instance, of_many)
            assert of_many.status is outcome.status
            assert of_many.cost == outcome.cost
        missed += by_cpsat.cost is not None and dp.solve(instance).status is not Status.OPTIMAL
    assert missed > 0 or block > 1


def test_too_many_steps_are_given_up_with_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = 0
    for seed in range(20):
        instance = rolled(seed, 5)
        if not instance.options:
            continue
        whole = searched(instance, seed)
        for most in (0, 3, 10):
            monkeypatch.setattr(best_first, "_MOST_STEPS", most)
            short = searched(instance, seed)
            monkeypatch.undo()
            if short.status is Status.UNKNOWN and whole.cost is not None:
                assert short.bound is not None
                assert short.bound <= whole.cost
                unknown += 1
            elif short.status is not Status.UNKNOWN:
                assert rank_of(instance, short) == rank_of(instance, whole)
    assert unknown > 0


def test_a_pool_without_a_path_is_infeasible() -> None:
    instance = rolled(1, 5)
    gap = tuple(o for o in instance.options if not o.start <= 2 < o.stop)
    assert searched(replace(instance, options=gap), 1).status is Status.INFEASIBLE
