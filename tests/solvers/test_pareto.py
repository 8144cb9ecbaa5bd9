"""The front against brute force, and against CP-SAT and the DP point by point."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import examples
from tiny import all_choices, partition_instances, segments_ram, with_goal

from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import cpsat, dp
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.pareto import Front, pareto_front
from splitopt.solvers.partition.plan import plan_cost

Point = tuple[int, int, int]


def points_of(front: Front) -> list[Point]:
    """What is measured of each; 0 segments where these do not count."""
    counted = front.counts_segments
    return [(p.cost.peak, p.cost.added, p.cost.segments * counted) for p in front.points]


def undominated(points: set[Point], *, counts_segments: bool) -> set[Point]:
    points = {(peak, cost, segments * counts_segments) for peak, cost, segments in points}

    def beats(a: Point, b: Point) -> bool:
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    return {p for p in points if not any(beats(q, p) for q in points)}


def by_brute_force(instance: PartitionInstance, *, counts_segments: bool) -> set[Point]:
    """Over loads."""
    found = set()
    for options in all_choices(instance):
        peak = max(segments_ram(instance, options))
        cost, goal = sum(o.cost for o in options), instance.goal
        if goal.capacity is not None and peak > goal.capacity:
            continue
        if goal.max_cost is not None and cost > goal.max_cost:
            continue
        if goal.max_segments is not None and len(options) > goal.max_segments:
            continue
        found.add((peak, cost, len(options)))
    return undominated(found, counts_segments=counts_segments)


@examples(150)
@given(partition_instances(7), st.booleans())
def test_the_front_equals_brute_force(instance: PartitionInstance, counts_segments: bool) -> None:
    front = pareto_front(instance, counts_segments=counts_segments)
    for point in front.points:
        check_plan(instance, point.plan)
        assert plan_cost(point.plan) == point.cost
    if front.is_complete:
        wanted = by_brute_force(instance, counts_segments=counts_segments)
        assert set(points_of(front)) == wanted
        assert len(front.points) == len(set(points_of(front)))
    assert all(p.status is Status.OPTIMAL for p in front.points) or not front.is_complete


@examples(60)
@given(partition_instances(6))
def test_no_solver_finds_anything_better(instance: PartitionInstance) -> None:
    """Each point is the least cost under its peak and its segments, for CP-SAT and for the DP."""
    front = pareto_front(instance, counts_segments=True)
    if not front.is_complete:
        return
    for peak, cost, segments in points_of(front):
        asked = replace(instance, goal=Goal(0, 1, capacity=peak, max_segments=segments))
        assert cpsat.solve(asked).cost == cost
        assert dp.solve(asked).cost == cost


def chain(n: int) -> PartitionInstance:
    """Long segments cost less and need more."""
    options = [
        Option(a, b, 100 * (b - a) ** 2 + 7 * a, 1000 + 3 * (b - a), 0)
        for a, b in product(range(n), range(1, n + 1))
        if a < b
    ]
    values = tuple(Boundary(16, item, (item + 1,)) for item in range(n - 1))
    return PartitionInstance(n, tuple(options), values)


def test_a_chain_has_a_point_for_every_number_of_segments() -> None:
    front = pareto_front(chain(12), counts_segments=True)
    assert front.is_complete
    assert {p.cost.segments for p in front.points} == set(range(1, 13))
    assert [p.cost.peak for p in front.points] == sorted(
        (p.cost.peak for p in front.points), reverse=True
    )


@pytest.mark.parametrize("counts_segments", [False, True])
def test_out_of_time_gives_plans_and_says_that_some_may_be_missing(counts_segments: bool) -> None:
    whole = pareto_front(chain(12), counts_segments=counts_segments)
    no_time = SolveParams(time_limit_s=0.0)
    cut_short = pareto_front(chain(12), no_time, counts_segments=counts_segments)
    assert not cut_short.is_complete
    assert 0 < len(cut_short.points) < len(whole.points)
    assert all(p.bound <= p.cost.peak for p in cut_short.points)
    for peak, cost, segments in points_of(cut_short):
        assert any(p <= peak and c <= cost and s <= segments for p, c, s in points_of(whole))


def test_of_equal_plans_one_of_few_segments_is_kept() -> None:
    options = [Option(0, 1, 16, 1), Option(1, 2, 16, 1), Option(2, 3, 16, 1), Option(0, 2, 16, 2)]
    front = pareto_front(PartitionInstance(3, tuple(options), ()))
    assert [(p.cost.peak, p.cost.added, p.cost.segments) for p in front.points] == [(16, 3, 2)]


def test_an_instance_without_a_plan_has_an_empty_front() -> None:
    front = pareto_front(with_goal(chain(4), capacity=10))
    assert front == Front((), True)
