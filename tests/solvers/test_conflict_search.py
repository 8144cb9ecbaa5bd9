"""The search over loads and conflicts against brute force and CP-SAT, under loose bounds and exact
figures."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from samples import examples, seeds
from test_best_first import asked
from test_exact_front import rolled
from tiny import UNIT, best_rank, partition_instances

from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition import allowed_paths, conflict_search, cpsat
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, PartitionInstance
from splitopt.solvers.partition.pareto import Learnt
from splitopt.solvers.partition.plan import PartitionPlan, plan_cost


def searched(
    instance: PartitionInstance,
    seed: int,
    known: int | None = None,
    learnt: Learnt | None = None,
    *,
    with_ties: bool = True,
) -> Outcome[PartitionPlan]:
    found = asked(
        *(conflict_search.best_plan, instance, seed, known), learnt=learnt, with_ties=with_ties
    )
    if found.plan is not None:
        check_plan(instance, found.plan, found.cost)
    return found


def is_asked_here(goal: Goal, *, with_ties: bool) -> bool:
    """Whether paths know all that the goal counts."""
    is_tied = goal.ram_weight > 0 and goal.max_cost is not None and with_ties
    return 0 in (goal.ram_weight, goal.cost_weight) and goal.max_segments is None and not is_tied


def rank_of(instance: PartitionInstance, outcome: Outcome[PartitionPlan]) -> object:
    assert outcome.status in (Status.OPTIMAL, Status.INFEASIBLE)
    return None if outcome.plan is None else plan_cost(outcome.plan).ranked(instance.goal)


@examples(60)
@given(partition_instances(5))
def test_the_best_plan_is_that_of_all_plans_and_layouts(instance: PartitionInstance) -> None:
    if not instance.options:
        return
    goal = instance.goal
    goal = replace(goal, cost_weight=goal.cost_weight * (not goal.ram_weight), max_segments=None)
    instance = replace(
        instance, goal=replace(goal, max_cost=None if goal.ram_weight else goal.max_cost)
    )
    assert rank_of(instance, searched(instance, 0)) == best_rank(instance)


@pytest.mark.parametrize("block", seeds(1, 20))
def test_it_agrees_with_cpsat_where_layouts_miss_loads(block: int) -> None:
    """Of further questions, too, which know what was learnt; among all options, or those that the
    answer leaves."""
    conflicts = 0
    for seed in range(25 * block, 25 * block + 25):
        instance, chance = rolled(seed, 6), random.Random(seed)
        if not instance.options:
            continue
        learnt = Learnt.of(instance)
        for weights in ((1, 0), (0, 1), (1, 0)):
            capacity = chance.choice([None, *(UNIT * chance.randint(10, 18) for _ in range(3))])
            limit = chance.choice([None, chance.randint(2, 20)])
            instance = replace(instance, goal=Goal(*weights, capacity=capacity, max_cost=limit))
            by_cpsat = cpsat.solve(instance)
            for known in (None, by_cpsat.cost):
                of_many = searched(instance, seed, known, learnt, with_ties=False)
                assert of_many.status is by_cpsat.status, seed
                assert of_many.cost == by_cpsat.cost, seed
                if is_asked_here(instance.goal, with_ties=True):
                    found = searched(instance, seed, known, learnt)
                    assert rank_of(instance, found) == rank_of(instance, by_cpsat), seed
        conflicts += len(learnt.conflicts)
    assert conflicts > 0


def test_goals_that_paths_do_not_know_are_left_to_others() -> None:
    instance = rolled(2, 5)
    for goal in (Goal(1, 1), Goal(1, 0, max_segments=3), Goal(1, 0, max_cost=5)):
        assert not is_asked_here(goal, with_ties=True)
        assert searched(replace(instance, goal=goal), 2).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("where", "name", "limits"),
    [
        (conflict_search, "_MOST_ROUNDS", (0, 1, 2)),
        (allowed_paths, "_MOST_LABELS", (0, 20, 40)),
        (allowed_paths, "_MOST_AT_A_CUT", (1, 2)),
    ],
)
def test_too_much_work_is_given_up_with_a_bound(
    where: object, name: str, limits: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = 0
    for seed in range(20):
        instance = replace(rolled(seed, 6), goal=Goal(1, 0))
        if not instance.options:
            continue
        whole = searched(instance, seed)
        for most in limits:
            monkeypatch.setattr(where, name, most)
            short = searched(instance, seed)
            monkeypatch.undo()
            if short.status is Status.UNKNOWN:
                assert whole.cost is not None or short.bound is None
                assert short.bound is None or short.bound <= (whole.cost or 0)
                unknown += short.bound is not None
            else:
                assert rank_of(instance, short) == rank_of(instance, whole)
    assert unknown > 0


def test_a_pool_without_a_path_is_infeasible() -> None:
    instance = replace(rolled(1, 5), goal=Goal(1, 0))
    gap = tuple(o for o in instance.options if not o.start <= 2 < o.stop)
    assert searched(replace(instance, options=gap), 1).status is Status.INFEASIBLE
