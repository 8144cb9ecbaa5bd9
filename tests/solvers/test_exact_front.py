"""Fronts of segments that roll their ends, against every plan and every layout of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import examples, seeds
from test_pareto import Point, points_of, undominated
from test_rolled_layout import chains
from tiny import UNIT, all_choices, least_region, partition_instances, segments_ram

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import needs, pareto
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance, Roll
from splitopt.solvers.partition.lazy_front import kept_for_front, wanted_beside
from splitopt.solvers.partition.load_paths import LoadPaths
from splitopt.solvers.partition.needs import Needs
from splitopt.solvers.partition.option_pool import OptionBounds, OptionPool, Settled
from splitopt.solvers.partition.pareto import Front, improved_front, pareto_front
from splitopt.solvers.partition.plan import plan_cost
from splitopt.solvers.partition.prospects import least_costs, lowest_peaks


def rolled(seed: int, n: int, *, keeps: bool = False) -> PartitionInstance:
    """A chain of short segments with small leads, whose layouts often need more than their loads;
    sometimes with a value that passes segments."""
    chance = random.Random(seed)

    def size() -> int:
        return UNIT * chance.randint(3, 6)

    values = [Boundary(size(), None, (0,)), *(Boundary(size(), k, (k + 1,)) for k in range(n - 1))]
    values.append(Boundary(size(), n - 1, (), is_result=True))
    if n > 2 and chance.random() < 0.3:
        values.append(Boundary(size(), 0, (2,)))
    options = []
    for start, stop in combinations(range(n + 1), 2):
        for key in range(chance.choice([1, 2, 3]) if stop - start <= 2 else 0):
            lead = UNIT * chance.randint(0, 1)
            rolls = (Roll(start, stop, lead),) if chance.random() < 0.95 else ()
            apart = bool(rolls) or chance.random() < 0.5
            figures = UNIT * chance.randint(2, 8), chance.randint(-1, 9), chance.randint(0, 3)
            options.append(Option(start, stop, *figures, key, apart=apart, rolls=rolls))
            if keeps and chance.random() < 0.7:
                options.append(resident(options[-1], chance))
    goal = Goal(
        *(1, 0),
        capacity=chance.choice([None, None, None, UNIT * chance.randint(12, 18)]),
        max_cost=chance.choice([None, None, None, chance.randint(2, 12)]),
        max_segments=chance.choice([None, None, None, None, 2, 3]),
    )
    return PartitionInstance(n, tuple(options), tuple(values), goal)


def resident(option: Option, chance: random.Random) -> Option:
    """The same, with a part of its arena and perhaps more kept for good, at less cost."""
    kept = UNIT * chance.randint(1, 2)
    arena = max(0, option.arena_bytes - kept + UNIT * chance.randint(0, 1))
    cost = option.cost - chance.randint(0, 5)
    return replace(option, arena_bytes=arena, cost=cost, kept=kept, way=1)


def load_of(instance: PartitionInstance, options: Sequence[Option]) -> int:
    return max(segments_ram(instance, options)) + sum(o.kept for o in options)


def by_brute_force(instance: PartitionInstance, *, counts_segments: bool) -> set[Point]:
    """Every plan within the limits with the least region of all its layouts; those of which even
    the load is no better than another plan aside."""
    goal = instance.goal
    found: set[Point] = set()
    choices = list(all_choices(instance))
    loads = [
        (load_of(instance, options), sum(o.cost for o in options), len(options), k)
        for k, options in enumerate(choices)
    ]
    for load, cost, count, k in sorted(loads):
        if goal.max_cost is not None and cost > goal.max_cost:
            continue
        if goal.max_segments is not None and count > goal.max_segments:
            continue
        if any(a <= load and b <= cost and c <= count for a, b, c in found):
            continue
        peak = least_region(instance, choices[k]) + sum(o.kept for o in choices[k])
        if goal.fits(peak):
            found.add((peak, cost, count))
    return undominated(found, counts_segments=counts_segments)


def check(instance: PartitionInstance, front: Front) -> None:
    assert front.is_complete
    for point in front.points:
        check_plan(instance, point.plan)
        assert plan_cost(point.plan) == point.cost
        assert point.status is Status.OPTIMAL
    assert len(front.points) == len(set(points_of(front)))


def test_fronts_of_rolled_chains_are_those_of_all_plans_and_layouts() -> None:
    missed = 0
    for seed in range(50):
        instance, counts_segments = rolled(seed, 3, keeps=seed >= 25), seed % 2 > 0
        front = pareto_front(instance, counts_segments=counts_segments)
        check(instance, front)
        wanted = by_brute_force(instance, counts_segments=counts_segments)
        assert set(points_of(front)) == wanted, seed
        missed += not front.reaches_loads
    assert missed > 0


@pytest.mark.parametrize("block", seeds(1, 10))
def test_a_front_beside_plans_of_other_options_is_that_of_all(block: int) -> None:
    """Paths of all options, or of those that better plans have, where others are known."""
    added = 0
    for seed in range(20 * block, 20 * block + 20):
        instance, counts, chance = rolled(seed, 6, keeps=True), seed % 2 > 0, random.Random(seed)
        whole = pareto_front(instance, counts_segments=counts)
        options = instance.options
        first = replace(instance, options=tuple(o for o in options if chance.random() < 0.7))
        front = pareto_front(first, counts_segments=counts)
        plans = [point.plan for point in front.points]
        both = pareto_front(instance, counts_segments=counts, beside=plans)
        check(instance, both)
        assert points_of(both) == points_of(whole)
        used = {o for point in whole.points for o in point.plan.options}
        second = replace(instance, options=tuple(o for o in options if o in used))
        both = pareto_front(second, counts_segments=counts, beside=plans)
        check(instance, both)
        assert points_of(both) == points_of(whole)
        added += len(set(points_of(whole)) - set(points_of(front)))
    assert added > 0


@examples(60)
@given(partition_instances(4) | partition_instances(4, keeps=True), st.booleans())
def test_fronts_of_any_instance_are_those_of_all_plans_and_layouts(
    instance: PartitionInstance, counts_segments: bool
) -> None:
    front = pareto_front(instance, counts_segments=counts_segments)
    check(instance, front)
    assert set(points_of(front)) == by_brute_force(instance, counts_segments=counts_segments)


@examples(40)
@given(chains())
def test_the_best_order_takes_the_least_region(instance: PartitionInstance) -> None:
    needs, deadline = Needs(instance.boundaries), Deadline(60)
    least = least_region(instance, instance.options)
    fit = needs.fit(instance.options, least, deadline)
    assert fit.places is not None
    assert needs.layout(instance.options, fit.places).region_bytes == least
    below = needs.fit(instance.options, least - 1, deadline)
    assert below.places is None
    assert least - 1 < below.needed <= least


@examples(40)
@given(chains(), st.integers(0, 3), st.integers(0, 3))
def test_what_segments_need_is_the_same_from_the_last_one_back(
    instance: PartitionInstance, below: int, above: int
) -> None:
    needs, deadline = Needs(instance.boundaries), Deadline(60)
    least = least_region(instance, instance.options)
    region = max(0, least - below * UNIT)
    needed = needs.needed(instance.options, region, region + above * UNIT, deadline)
    assert needed <= least
    if region < least <= region + above * UNIT:
        assert needed == least
    if region < least:
        assert needed > region
    again = needs.needed(instance.options, least, least, deadline)
    assert again <= least, "it fits, by what was kept and what was found anew"


@examples(40)
@given(chains())
def test_a_layout_that_is_found_soon_is_within_its_region(instance: PartitionInstance) -> None:
    needs, least = Needs(instance.boundaries), least_region(instance, instance.options)
    found = needs.soon(instance.options, 2 * least)
    assert found is not None
    assert found.region_bytes <= 2 * least
    assert needs.soon(instance.options, least - 1) is None


def pool_of(instance: PartitionInstance, seed: int) -> OptionPool:
    """Under loose bounds."""
    known = {(o.start, o.stop, o.key): o for o in instance.options}
    loose = random.Random(seed)
    rows = []
    for name, option in known.items():
        slack = UNIT * loose.randint(0, 3)
        bounds = max(0, instance.ram(option) - slack), option.cost - loose.randint(0, 2)
        rows.append((*name, *bounds, option.copied_bytes))

    def exact(start: int, stop: int, key: int) -> Settled:
        option = known[start, stop, key]
        return Settled(instance.ram(option), option.cost)

    return OptionPool(OptionBounds(*np.array(rows, dtype=np.int64).T), instance.n, exact)


def among(instance: PartitionInstance, names: set[tuple[int, int, int]]) -> PartitionInstance:
    options = tuple(o for o in instance.options if (o.start, o.stop, o.key) in names)
    return PartitionInstance(instance.n, options, instance.boundaries, instance.goal)


@pytest.mark.parametrize("block", seeds(2, 20))
def test_options_that_no_load_needs_are_taken_in_where_layouts_miss_loads(block: int) -> None:
    needed = 0
    for seed in range(30 * block, 30 * block + 30):
        instance = rolled(seed, 7)
        if not instance.options:
            continue
        pool, counted = pool_of(instance, seed), seed % 2 > 0
        kept = kept_for_front(pool, instance.goal, Deadline(60), counts_segments=counted)
        front = pareto_front(among(instance, set(kept.names)), counts_segments=counted)
        first = points_of(front)
        if not front.reaches_loads:
            wanted = wanted_beside(front, pool, instance.goal, Deadline(60))
            assert wanted.is_complete
            front = improved_front(among(instance, {*kept.names, *wanted.names}), front)
        check(instance, front)
        whole = pareto_front(instance, counts_segments=counted)
        assert points_of(front) == points_of(whole), seed
        needed += points_of(front) != first
    assert needed > 0 or block > 1, "where some need them, is known of the first blocks"


def missing_its_load() -> PartitionInstance:
    """Some plan of the front takes more than what loads alone prove."""
    for seed in range(99):
        front = pareto_front(rolled(seed, 5))
        if any(p.status is Status.FEASIBLE for p in front.unproved(front.loads).points):
            return rolled(seed, 5)
    raise AssertionError("no such instance")


def test_out_of_time_bounds_are_loads() -> None:
    whole = pareto_front(missing_its_load())
    short = pareto_front(missing_its_load(), SolveParams(time_limit_s=0.0))
    assert whole.is_complete
    assert not short.is_complete
    for point in short.points:
        assert point.bound <= point.cost.peak
    unproved = whole.unproved(whole.loads)
    assert not unproved.is_complete
    assert [p.plan for p in unproved.points] == [p.plan for p in whole.points]


def test_bounds_hold_where_time_runs_out_in_a_later_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time, paths are not followed to their ends: all that is known is the least."""
    is_lower, kept_paths = 0, pareto.kept_paths
    for seed in range(40):
        instance, calls = rolled(seed, 5, keeps=True), list[LoadPaths]()
        whole = pareto_front(instance)
        least = lowest_peaks(instance)[0], least_costs(instance)[0], 1

        def short(
            *given: Any, calls: list[LoadPaths] = calls, least: Any = least, **named: Any
        ) -> LoadPaths:
            calls.append(kept_paths(*given, **named))
            return calls[0] if len(calls) == 1 else LoadPaths((), least)

        with monkeypatch.context() as patch:
            patch.setattr(pareto, "kept_paths", short)
            found = pareto_front(instance)
        for point in found.points if len(calls) > 1 else ():
            rivals = [it.cost.peak for it in whole.points if it.cost.added <= point.cost.added]
            assert point.bound <= min(rivals, default=point.bound)
            is_lower += point.bound < point.cost.peak
    assert is_lower


def test_fronts_are_the_same_where_nothing_is_kept_for_further_questions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for seed in range(8):
        instance = rolled(seed, 4)
        whole = points_of(pareto_front(instance))
        with monkeypatch.context() as patch:
            patch.setattr(needs, "_MOST_FIGURES", 0)
            assert points_of(pareto_front(instance)) == whole


def test_what_nothing_decides_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = missing_its_load()
    monkeypatch.setattr(needs, "_MOST_STATES", 0)
    monkeypatch.setattr(pareto, "_UNDECIDED", 0.0)
    front = pareto_front(instance)
    assert not front.is_complete
    assert all(point.bound <= point.cost.peak for point in front.points)
