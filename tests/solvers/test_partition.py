"""CP-SAT, DP and brute force agree, whatever is switched on; checked plans, honest statuses."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import examples
from tiny import (
    SIZES,
    Rank,
    all_choices,
    best_rank,
    least_region,
    partition_instances,
    segments_ram,
    with_goal,
)

from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import cpsat, dp, solve
from splitopt.solvers.partition.boundary import Boundary, BoundaryLoads
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.plan import PartitionPlan, plan_cost

SWITCHES = [
    SolveParams(hints=hints, prune=prune, cheap_proofs=cheap_proofs)
    for hints, prune, cheap_proofs in product([True, False], repeat=3)
]


def rank_of(instance: PartitionInstance, outcome: Outcome[PartitionPlan]) -> Rank:
    check_plan(instance, outcome.found, outcome.cost)
    return plan_cost(outcome.found).ranked(instance.goal)


@examples(50)
@given(partition_instances(stores=2, keeps=True), st.sampled_from(SWITCHES))
def test_cpsat_equals_brute_force(instance: PartitionInstance, params: SolveParams) -> None:
    best = best_rank(instance)
    outcome = cpsat.solve(instance, params)
    if best is None:
        assert outcome.status is Status.INFEASIBLE
    else:
        assert outcome.status is Status.OPTIMAL
        assert rank_of(instance, outcome) == best


@examples(100)
@given(partition_instances(8, stores=2, keeps=True))
def test_dp_equals_brute_force_where_it_says_optimal(instance: PartitionInstance) -> None:
    best = best_rank(instance)
    outcome = dp.solve(instance)
    if outcome.status is Status.OPTIMAL:
        assert rank_of(instance, outcome) == best
    elif outcome.status is Status.INFEASIBLE:
        assert best is None
    else:
        assert outcome.bound is not None
        assert best is None or outcome.bound <= best[0]
        if outcome.status is Status.FEASIBLE:
            assert best is not None
            assert rank_of(instance, outcome) >= best


@examples(60)
@given(partition_instances(stores=2, keeps=True))
def test_the_front_door_equals_cpsat(instance: PartitionInstance) -> None:
    outcome, by_cpsat = solve.solve(instance), cpsat.solve(instance)
    assert outcome.status is by_cpsat.status
    if by_cpsat.plan is not None:
        assert rank_of(instance, outcome) == rank_of(instance, by_cpsat)


@examples(100)
@given(partition_instances(8))
def test_dp_is_exact_over_loads(instance: PartitionInstance) -> None:
    goal, ranks = instance.goal, []
    for options in all_choices(instance):
        peak = max(segments_ram(instance, options))
        cost = sum(option.cost for option in options)
        fits = goal.capacity is None or peak <= goal.capacity
        fits &= goal.max_cost is None or cost <= goal.max_cost
        if fits and len(options) <= (goal.max_segments or instance.n):
            copied = sum(option.copied_bytes for option in options)
            ranks.append((goal.weigh(peak, cost), len(options), copied))
    path = dp.best_path(instance)
    assert (path is None) == (not ranks)
    if path is not None:
        weighted, segments, copied = path.rank
        assert (goal.ram_weight * path.peak + weighted, segments, copied) == min(ranks)


@given(partition_instances(8), st.data())
def test_loads_are_those_of_the_definition(
    instance: PartitionInstance, data: st.DataObject
) -> None:
    choices = list(all_choices(instance))
    if choices:
        options = data.draw(st.sampled_from(choices))
        rams = [instance.ram(option) for option in options]
        assert rams == segments_ram(instance, options)


@given(partition_instances(8), st.data(), st.booleans())
def test_layout_is_minimal(
    instance: PartitionInstance, data: st.DataObject, cheap_proofs: bool
) -> None:
    choices = list(all_choices(instance))
    if choices:
        options = data.draw(st.sampled_from(choices))
        laid_out = lay_out(options, instance.boundaries, SolveParams(cheap_proofs=cheap_proofs))
        least = least_region(instance, options)
        assert laid_out.layout.region_bytes == laid_out.bound == least
        free = replace(instance, goal=Goal(1, 0))
        check_plan(free, PartitionPlan(options, laid_out.layout))


@examples(100)
@given(partition_instances())
def test_least_capacity_is_the_border_of_infeasibility(instance: PartitionInstance) -> None:
    free = with_goal(instance, capacity=None)
    least = dp.solve(with_goal(free, ram_weight=1, cost_weight=0))
    if least.status is Status.INFEASIBLE:
        assert best_rank(free) is None
    elif least.status is Status.OPTIMAL:
        assert least.cost is not None
        assert best_rank(with_goal(instance, capacity=least.cost)) is not None
        if least.cost:
            assert best_rank(with_goal(instance, capacity=least.cost - 1)) is None


def chain(sizes: list[int], arena: int = 0, cost: int = 1) -> PartitionInstance:
    """Each item reads what the one before made; sizes[0] is there from the start."""
    n = len(sizes)
    options = tuple(
        Option(a, b, arena + max(sizes[a:b]), 0 if (a, b) == (0, n) else cost, b - a)
        for a in range(n)
        for b in range(a + 1, n + 1)
    )
    values = [Boundary(sizes[0], None, (0,))]
    values += [Boundary(sizes[i], i - 1, (i,)) for i in range(1, n)]
    return PartitionInstance(n, options, tuple(values))


def load_of(instance: PartitionInstance, *at: int) -> tuple[int, int, int, int]:
    """(through, in, out, what no other segment needs) of segment [start, stop)."""
    loads, (start, stop) = BoundaryLoads(instance.n, instance.boundaries), at
    outer = loads.outer_in + loads.outer_out
    through, in_, out, own = (
        int(matrix[start, stop]) for matrix in (loads.through, loads.in_, loads.out, outer)
    )
    return through, in_, out, own


def test_inputs_and_outputs_of_a_segment_may_share_bytes() -> None:
    instance = PartitionInstance(
        3,
        (Option(0, 1, 16, 0), Option(1, 2, 16, 0), Option(2, 3, 16, 0)),
        (Boundary(64, 0, (1,)), Boundary(48, 1, (2,)), Boundary(32, 0, (2,))),
    )
    assert load_of(instance, 1, 2) == (32, 64, 48, 0)
    outcome = dp.solve(instance)
    assert (outcome.status, outcome.cost) == (Status.OPTIMAL, 16 + 32 + 64)


def test_an_input_that_one_segment_reads_is_no_boundary() -> None:
    value = Boundary(64, None, (1, 2))
    options = tuple(Option(a, b, 16, 0) for a in range(3) for b in range(a + 1, 4))
    instance = PartitionInstance(3, options, (value,))
    assert load_of(instance, 1, 3) == (0, 0, 0, 64)
    assert load_of(instance, 0, 1) == (0, 0, 0, 0)
    assert load_of(instance, 1, 2) == (64, 0, 0, 0)
    assert load_of(instance, 2, 3) == (0, 64, 0, 0)


def gapped(capacity: int | None = None, whole_arena: int | None = None) -> PartitionInstance:
    """Single items carry a load of 144, but their values interlock: no layout below 160."""
    values = (
        *(Boundary(48, None, (0, 1)), Boundary(64, None, (2, 3))),
        *(Boundary(16, 1, (2,)), Boundary(64, None, (1, 2))),
    )
    options = tuple(
        Option(k, k + 1, arena, 1, apart=k == 3) for k, arena in enumerate([96, 32, 0, 80])
    )
    if whole_arena is not None:
        options += (Option(0, 4, whole_arena, 0),)
    return PartitionInstance(4, options, values, Goal(1, 0, capacity))


@pytest.mark.parametrize("params", SWITCHES)
def test_a_layout_above_its_load_is_learned(params: SolveParams) -> None:
    single = cpsat.solve(gapped(), params)
    assert (single.status, single.cost) == (Status.OPTIMAL, 160)
    better = cpsat.solve(gapped(whole_arena=150), params)
    assert (better.status, better.cost) == (Status.OPTIMAL, 150)
    worse = cpsat.solve(gapped(whole_arena=192), params)
    assert (worse.status, worse.cost) == (Status.OPTIMAL, 160)
    assert cpsat.solve(gapped(capacity=150), params).status is Status.INFEASIBLE
    free_ram = with_goal(gapped(capacity=150, whole_arena=100), ram_weight=0, cost_weight=1)
    assert cpsat.solve(free_ram, params).cost == 0


def test_dp_says_feasible_where_the_layout_misses_the_load() -> None:
    outcome = dp.solve(gapped(whole_arena=150))
    assert (outcome.status, outcome.cost, outcome.bound) == (Status.FEASIBLE, 160, 144)
    assert dp.solve(gapped(capacity=150)).status is Status.UNKNOWN


@given(st.lists(st.tuples(SIZES, SIZES), min_size=1, max_size=8), st.booleans())
def test_a_chain_of_segments_always_reaches_its_load(
    sizes: list[tuple[int, int]], apart: bool
) -> None:
    """Values at both ends by turns, arenas between them."""
    n = len(sizes)
    values = [Boundary(sizes[k][0], k, (k + 1,)) for k in range(n - 1)]
    options = tuple(Option(k, k + 1, sizes[k][1], 1, apart=apart) for k in range(n))
    instance = PartitionInstance(n, options, tuple(values))
    laid_out = lay_out(options, values)
    assert laid_out.layout.region_bytes == laid_out.bound == max(instance.rams)
    check_plan(instance, PartitionPlan(options, laid_out.layout))


def test_out_of_time_is_not_impossible() -> None:
    instance = chain([160, 320, 480, 320, 160])
    late = SolveParams(time_limit_s=0)
    assert cpsat.solve(instance, late).status is Status.FEASIBLE
    assert cpsat.solve(instance, replace(late, hints=False)).status is Status.UNKNOWN
    tight = with_goal(instance, capacity=100)
    assert cpsat.solve(tight, replace(late, hints=False)).status is Status.UNKNOWN
    assert cpsat.solve(tight).status is Status.INFEASIBLE
    assert dp.solve(tight).status is Status.INFEASIBLE


def test_ties_fall_to_fewer_segments_then_fewer_copied_bytes() -> None:
    options = (
        Option(0, 2, 64, 2, 9),
        Option(2, 3, 64, 2, 9),
        Option(0, 1, 64, 1, 0),
        Option(1, 2, 64, 1, 0),
        Option(1, 3, 64, 3, 8),
    )
    for weights in ((1, 0), (0, 1), (1, 1)):
        instance = PartitionInstance(3, options, (), Goal(*weights))
        for solver in (dp.solve, cpsat.solve):
            assert plan_cost(solver(instance).found).ranked(instance.goal)[1:] == (2, 8)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Option(1, 1, 0, 0), "want 0 <= start < stop"),
        (lambda: Option(0, 1, -16, 0), "negative amount"),
        (lambda: Boundary(16, 2, (2,)), "read before or by it"),
        (lambda: Boundary(16, 2, ()), "crosses no cut"),
        (lambda: Goal(0, 0), "one > 0"),
        (lambda: Goal(1, 0, max_cost=-1), "max_cost -1"),
        (lambda: PartitionInstance(0, (), ()), "at least 1"),
        (lambda: PartitionInstance(1, (Option(0, 2, 0, 0),), ()), "beyond the 1 items"),
        (lambda: PartitionInstance(1, (Option(0, 1, 0, 0),) * 2, ()), "is there twice"),
        (lambda: PartitionInstance(1, (Option(0, 1, 0, 0, stored=(1,)),), ()), "wants 0 amounts"),
        (lambda: PartitionInstance(1, (), (Boundary(1, 0, (1,)),)), "beyond the 1"),
        (lambda: Goal(1, 0, capacity=-1), "capacity -1"),
        (lambda: Goal(1, 0, max_segments=0), "max_segments 0"),
        (lambda: PartitionInstance(1, (Option(0, 1, 2**62, 0),), ()), "less than 2"),
    ],
)
def test_instances_are_checked(make: object, sentence: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=sentence):
        make()
