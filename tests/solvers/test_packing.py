"""Exact packing against brute force; the checker against planted faults."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import examples
from tiny import buffers, least_mark

from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.outcome import Status
from splitopt.solvers.packing.check import check_plan
from splitopt.solvers.packing.greedy_replay import plan_greedy
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.params import SolveParams

SWITCHES = [
    SolveParams(hints=hints, cheap_proofs=proofs, redundant=redundant, search=search)
    for hints, proofs, redundant, search in product([True, False], repeat=4)
]


@examples(60)
@given(
    st.lists(buffers(pins=True), max_size=6),
    st.none() | st.integers(0, 20).map(lambda units: 16 * units),
    st.sampled_from(SWITCHES),
)
def test_exact_equals_brute_force(
    listed: list[Buffer], capacity: int | None, params: SolveParams
) -> None:
    instance = PackingInstance(tuple(listed), capacity)
    best = least_mark(instance)
    outcome = solve(instance, params)
    if best is None or (capacity is not None and best > capacity):
        assert outcome.status is Status.INFEASIBLE
    else:
        assert (outcome.status, outcome.cost) == (Status.OPTIMAL, best)
        check_plan(instance, outcome.found)
        assert outcome.found.high_water_mark(instance) == best


@given(st.lists(buffers(), max_size=12))
def test_greedy_is_valid_and_no_better_than_the_load(listed: list[Buffer]) -> None:
    instance = PackingInstance(tuple(listed))
    plan = plan_greedy(instance)
    check_plan(instance, plan)
    held = [(buffer.size, range(*buffer.live.steps)) for buffer in listed]
    loads = (sum(size for size, steps in held if step in steps) for step in range(-1, 8))
    assert instance.peak_load == max(loads)
    assert plan.fragmentation(instance) >= 0


def fragmented(count: int) -> PackingInstance:
    """Ranges that no quick bound settles."""
    rows = [(16 * (7 * i % 11 + 1), i % 13, i % 13 + 2 + i % 5) for i in range(count)]
    return PackingInstance(tuple(Buffer(size, LiveRange(a, b)) for size, a, b in rows))


def test_out_of_time_is_feasible_with_a_bound_or_unknown() -> None:
    instance = fragmented(40)
    high = plan_greedy(instance).high_water_mark(instance)
    assert high > instance.peak_load
    params = SolveParams(time_limit_s=0)
    late = solve(instance, params)
    assert (late.status, late.cost, late.bound) == (Status.FEASIBLE, high, instance.peak_load)
    tight = replace(instance, capacity=instance.peak_load)
    assert solve(tight, params).status is Status.UNKNOWN
    none = replace(instance, capacity=instance.peak_load - 16)
    assert solve(none, params).status is Status.INFEASIBLE


@pytest.mark.parametrize(
    ("offsets", "sentence"),
    [
        ((0, 16, 0, 0), "4 offsets for 3 buffers"),
        ((0, -16, 0), "buffer 1 has the negative offset"),
        ((16, 16, 0), "buffer 0 is pinned at 0, not at 16"),
        ((0, 0, 0), r"buffers 0 \[0, 16\) and 1 \[0, 32\) overlap"),
        ((0, 32, 0), "needs 64 bytes, the capacity is 48"),
    ],
)
def test_checker_names_the_fault(offsets: tuple[int, ...], sentence: str) -> None:
    listed = (
        Buffer(16, LiveRange(0, 2), offset=0),
        Buffer(32, LiveRange(1, 3)),
        Buffer(16, LiveRange(3, 4)),
    )
    instance = PackingInstance(listed, capacity=48)
    check_plan(instance, PackingPlan((0, 16, 0)))
    with pytest.raises(InvalidPlan, match=sentence):
        check_plan(instance, PackingPlan(offsets))


@pytest.mark.parametrize(
    "make",
    [
        lambda: LiveRange(2, 1),
        lambda: LiveRange(-2, 1),
        lambda: Buffer(-1, LiveRange(0, 1)),
        lambda: Buffer(1, LiveRange(0, 1), -16),
        lambda: PackingInstance((), -1),
    ],
)
def test_instances_are_checked(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="want"):
        make()
