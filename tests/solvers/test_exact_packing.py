"""The exact packing search: against brute force and CP-SAT, with and without each of its rules."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import examples, seeds
from tight_packings import CAPACITY, tight
from tiny import buffers, least_mark

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Status
from splitopt.solvers.packing.check import check_plan
from splitopt.solvers.packing.exact.decide import Question
from splitopt.solvers.packing.exact.failed import FailedStates
from splitopt.solvers.packing.exact.preference import PREFERENCES, Preference, shuffled
from splitopt.solvers.packing.exact.search import Refusals, Try
from splitopt.solvers.packing.exact.state import initial
from splitopt.solvers.packing.exact.switches import SearchSwitches
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.packing.plan import PackingPlan
from splitopt.solvers.packing.solve import fit, solve
from splitopt.solvers.packing.squeeze import Bracket, Squeeze
from splitopt.solvers.params import SolveParams

PLENTY, MANY = 10**6, 1000
NAMES = [field.name for field in fields(SearchSwitches)]
SWITCHES = [
    SearchSwitches(**dict(zip(NAMES, values, strict=True)))
    for values in product([True, False], repeat=len(NAMES))
]
real_buffers = st.lists(buffers().filter(lambda b: b.size), min_size=1, max_size=5)


def chance(count: int, seed: int, steps: int = 12) -> PackingInstance:
    draw = random.Random(seed)
    listed = []
    for _ in range(count):
        start = draw.randrange(steps)
        listed.append(Buffer(draw.randint(1, 40), LiveRange(start, start + draw.randint(1, 6))))
    return PackingInstance(tuple(listed))


def checked(instance: PackingInstance, capacity: int, offsets: dict[int, int]) -> None:
    plan = PackingPlan(tuple(offsets[i] for i in range(len(instance.buffers))))
    check_plan(PackingInstance(instance.buffers, capacity), plan)


@examples(100)
@given(
    real_buffers,
    st.integers(0, 24),
    st.sampled_from(SWITCHES),
    st.sampled_from((*PREFERENCES, shuffled(7))),
)
def test_each_preference_under_all_switches_equals_brute_force(
    listed: list[Buffer], units: int, switches: SearchSwitches, preference: Preference
) -> None:
    instance, capacity = PackingInstance(tuple(listed)), 16 * units
    state = initial([b.size for b in listed], [b.live.steps for b in listed])
    refusals = Refusals(capacity)
    attempt = Try(preference, PLENTY, FailedStates(), refusals, switches, Deadline(60))
    best = least_mark(instance)
    assert best is not None
    if best <= capacity:
        assert attempt.has_plan(state)
        checked(instance, capacity, attempt.offsets)
    else:
        assert not attempt.has_plan(state)
        assert refusals.least is not None
        assert capacity < refusals.least <= best


@examples(60)
@given(real_buffers, st.integers(1, 3))
def test_what_is_pinned_to_0_is_searched_around_as_brute_force_does(
    listed: list[Buffer], pins: int
) -> None:
    pinned = [replace(buffer, offset=0) for buffer in listed[:pins]]
    instance = PackingInstance((*pinned, *listed[pins:]))
    best, squeeze = least_mark(instance), Squeeze(instance)
    assert squeeze.can_search == (best is not None and pins < len(listed))
    if squeeze.can_search:
        known = Bracket(instance.peak_load, None, 2 * sum(b.size for b in listed))
        found = squeeze.narrowed(known, Deadline(60))
        assert (found.mark, found.bound) == (best, best)
        assert found.plan is not None
        check_plan(instance, found.plan)


@pytest.mark.parametrize("seed", seeds(12, 60))
def test_all_switches_agree_on_instances_that_need_a_search(seed: int) -> None:
    instance = chance(14, seed, steps=8)
    state = initial([b.size for b in instance.buffers], [b.live.steps for b in instance.buffers])
    truth = solve(instance, SolveParams(search=False)).cost
    assert truth is not None
    for switches in random.Random(seed).sample(SWITCHES, 8):
        below = Question(state, truth - 1, switches).ask(MANY, Deadline(60))
        assert (below.offsets, below.bound) == (None, truth) or truth - 1 < below.bound < truth
        found = Question(state, truth, switches).ask(MANY, Deadline(60))
        assert found.offsets is not None
        checked(instance, truth, found.offsets)


@pytest.mark.parametrize("seed", seeds(25, 150))
def test_the_lowest_mark_is_that_of_cpsat(seed: int) -> None:
    instance = chance(random.Random(seed).randint(6, 22), 1000 + seed)
    ours = Squeeze(instance)
    known = Bracket(instance.peak_load)
    for plan in [solve(instance, SolveParams(time_limit_s=0)).found]:
        known = known.with_plan(plan, plan.high_water_mark(instance))
    while not known.is_closed:
        known = ours.narrowed(known, Deadline(60))
    assert known.plan is not None
    check_plan(instance, known.plan)
    theirs = solve(instance, SolveParams(search=False))
    assert (theirs.status, theirs.cost) == (Status.OPTIMAL, known.mark)


@examples(50)
@given(st.lists(buffers(), max_size=6), st.integers(0, 24).map(lambda units: 16 * units))
def test_any_plan_within_a_capacity_or_a_proof_that_there_is_none(
    listed: list[Buffer], capacity: int
) -> None:
    instance = PackingInstance(tuple(listed), capacity)
    best = least_mark(instance)
    assert best is not None
    outcome = fit(instance)
    if best > capacity:
        assert outcome.status is Status.INFEASIBLE
    else:
        check_plan(instance, outcome.found)
        assert outcome.bound is not None
        assert outcome.bound <= best


@pytest.mark.parametrize("count", [50, 100])
@pytest.mark.parametrize("seed", seeds(2, 4))
def test_planted_plans_without_a_free_byte_are_found(count: int, seed: int) -> None:
    instance = replace(tight(count, seed), capacity=CAPACITY)
    search, known = Squeeze(instance), Bracket(instance.peak_load)
    while known.mark != instance.peak_load:
        known = search.narrowed(known, Deadline(60))
    assert known.plan is not None
    check_plan(instance, known.plan)
    assert known.mark == instance.peak_load


def test_answers_are_repeated_to_the_byte() -> None:
    instance = tight(80, 5)
    first, second = (solve(instance) for _ in range(2))
    assert first.found.offsets == second.found.offsets


def test_many_buffers_need_no_deep_stack() -> None:
    """One long-lived buffer keeps a chain together."""
    chain = [Buffer(16 * (1 + k % 3), LiveRange(k, k + 2)) for k in range(550)]
    instance = PackingInstance((Buffer(16, LiveRange(0, 551)), *chain), 112)
    assert instance.peak_load == 96
    known = Squeeze(instance).narrowed(Bracket(96), Deadline(60))
    assert known.plan is not None
    check_plan(instance, known.plan)


def test_a_search_out_of_time_says_nothing() -> None:
    instance = chance(40, 3)
    state = initial([b.size for b in instance.buffers], [b.live.steps for b in instance.buffers])
    assert not Question(state, instance.peak_load).ask(MANY, Deadline(0)).is_known
