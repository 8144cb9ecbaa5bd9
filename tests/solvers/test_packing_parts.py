"""Packing by parts and by local search: against brute force, and against known optima."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import examples

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Status
from splitopt.solvers.packing.check import check_plan
from splitopt.solvers.packing.greedy_by_size import place_in_order
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.packing.local_search import search
from splitopt.solvers.packing.parts import part_of, parts
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.params import SolveParams

BUFFERS = st.builds(
    lambda size, start, length: Buffer(size, LiveRange(start, start + length)),
    st.integers(0, 9),
    st.integers(0, 8),
    st.integers(1, 4),
)


def least_mark(instance: PackingInstance) -> int:
    """Some order of first fit is optimal: all of them are tried."""
    sizes = [b.size for b in instance.buffers]
    ranges = [b.live.steps for b in instance.buffers]
    marks = []
    for order in permutations(range(len(sizes))):
        offsets = place_in_order(sizes, ranges, order, {})
        marks.append(max((o + s for o, s in zip(offsets, sizes, strict=True)), default=0))
    return min(marks)


@settings(examples(60), deadline=None)
@given(st.lists(BUFFERS, min_size=1, max_size=6))
def test_parts_packed_one_by_one_are_optimal(buffers: list[Buffer]) -> None:
    instance = PackingInstance(tuple(buffers))
    found = solve(instance, SolveParams(time_limit_s=20, cheap_proofs=False))
    assert found.plan is not None
    check_plan(instance, found.plan)
    assert (found.status, found.cost) == (Status.OPTIMAL, least_mark(instance))


@settings(examples(100), deadline=None)
@given(st.lists(BUFFERS, min_size=1, max_size=12))
def test_parts_are_a_partition_in_which_nothing_overlaps_across(buffers: list[Buffer]) -> None:
    instance = PackingInstance(tuple(buffers))
    groups = parts(instance)
    assert sorted(i for group in groups for i in group) == list(range(len(buffers)))
    for k, group in enumerate(groups):
        for other in groups[k + 1 :]:
            assert not any(buffers[a].live.overlaps(buffers[b].live) for a in group for b in other)
    assert max(part_of(instance, g).peak_load for g in groups) == instance.peak_load


@settings(examples(60), deadline=None)
@given(st.lists(BUFFERS, min_size=1, max_size=7), st.integers(0, 5))
def test_the_local_search_is_sound_and_never_below_the_optimum(
    buffers: list[Buffer], seed: int
) -> None:
    instance = PackingInstance(tuple(buffers))
    plan = search(instance, instance.peak_load, Deadline(0.2), seed)
    check_plan(instance, plan)
    assert plan.high_water_mark(instance) >= least_mark(instance)


def test_a_capacity_too_small_for_one_part_is_infeasible() -> None:
    low = [Buffer(4, LiveRange(0, 2)), Buffer(4, LiveRange(1, 3))]
    high = [Buffer(8, LiveRange(5, 7)), Buffer(8, LiveRange(6, 8))]
    assert solve(PackingInstance((*low, *high), 15)).status is Status.INFEASIBLE
    found = solve(PackingInstance((*low, *high), 16))
    assert (found.status, found.cost) == (Status.OPTIMAL, 16)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pins_are_kept(seed: int) -> None:
    buffers = (
        Buffer(4, LiveRange(0, 3), 8),
        Buffer(6, LiveRange(0, 3)),
        Buffer(2, LiveRange(2, 4)),
    )
    instance = PackingInstance(buffers)
    plan = search(instance, instance.peak_load, Deadline(0.1), seed)
    check_plan(instance, plan)
    assert plan.offsets[0] == 8
