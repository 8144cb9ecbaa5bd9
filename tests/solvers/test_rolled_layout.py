"""Segments that roll their ends: checked instances, least regions, a checker of every byte."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import examples
from tiny import UNIT, all_choices, least_region, partition_instances

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import cpsat, rolled_cpsat
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Option, PartitionInstance, Roll
from splitopt.solvers.partition.kept import kept_values
from splitopt.solvers.partition.layout import lay_out
from splitopt.solvers.partition.layout_cuts import layout_cuts
from splitopt.solvers.partition.plan import Layout, PartitionPlan, Placement
from splitopt.solvers.partition.rolled_blocks import blocks_of
from splitopt.solvers.partition.rolled_search import Found, lowest

IN, OUT = Boundary(160, None, (0,)), Boundary(64, 0, (1,))
ROLLED = Option(0, 1, 32, 1, apart=True, rolls=(Roll(0, 1, 16),))
LAST = Option(1, 2, 48, 1)
INSTANCE = PartitionInstance(2, (ROLLED, LAST), (IN, OUT))


def planned(read: int, made: int, arenas: tuple[int, int]) -> PartitionPlan:
    placements = (Placement(0, read, 160, 0, 0), Placement(1, made, 64, 0, 1))
    ends = (read + 160, made + 64, arenas[0] + 32, arenas[1] + 48)
    return PartitionPlan((ROLLED, LAST), Layout(max(ends), placements, arenas))


def test_rolled_ends_take_what_is_read_and_the_lead() -> None:
    assert INSTANCE.rams == (32 + 16 + 160, 48 + 64)
    outcome = cpsat.solve(INSTANCE)
    assert (outcome.status, outcome.found.layout.region_bytes) == (Status.OPTIMAL, 208)


@pytest.mark.parametrize("read", [48, 64, 96])
def test_the_pair_may_overlap_from_the_lead_on(read: int) -> None:
    check_plan(INSTANCE, planned(read, 32, (0, 96)))


@pytest.mark.parametrize("read", [0, 32, 44])
def test_the_checker_sees_a_lead_that_is_too_small(read: int) -> None:
    with pytest.raises(InvalidPlan, match="overlap while both live"):
        check_plan(INSTANCE, planned(read, 32, (220, 96)))


def test_the_checker_lets_no_other_pair_overlap() -> None:
    other = replace(ROLLED, rolls=(Roll(2, 1, 16),))
    values = (IN, OUT, Boundary(16, None, (0,)))
    instance = PartitionInstance(2, (other, LAST), values)
    plan = planned(48, 32, (0, 96))
    placements = (*plan.layout.placements, Placement(2, 208, 16, 0, 0))
    layout = replace(plan.layout, placements=placements, region_bytes=224)
    with pytest.raises(InvalidPlan, match=r"boundaries 0 .* and 1 .* overlap"):
        check_plan(instance, PartitionPlan((other, LAST), layout))


@pytest.mark.parametrize(
    ("rolls", "apart", "sentence"),
    [
        ((Roll(0, 1, 16),), False, "only one apart rolls"),
        ((Roll(0, 2, 16), Roll(0, 3, 0)), True, "no value twice"),
        ((Roll(0, 7, 16),), True, "not there"),
        ((Roll(1, 2, 16),), True, "boundary 1, which it does not read last"),
        ((Roll(4, 2, 0),), True, "boundary 4, which it does not read last"),
        ((Roll(2, 3, 0),), True, "boundary 2, which it does not read last"),
        ((Roll(0, 4, 0),), True, "boundary 4, which it does not make"),
        ((Roll(0, 5, 0),), True, "boundary 5, which it does not make"),
        ((Roll(0, 2, 80),), True, "lead of 80, want 0 to 64"),
        ((Roll(0, 2, -16),), True, "lead of -16, want 0 to 64"),
    ],
)
def test_rolls_are_checked(rolls: tuple[Roll, ...], apart: bool, sentence: str) -> None:
    values = (
        *(Boundary(160, 0, (1,)), Boundary(64, 0, (1, 3)), Boundary(64, 1, (3,))),
        *(Boundary(64, 2, (), is_result=True), Boundary(64, 0, (1,), is_result=True)),
        Boundary(64, 1, (2,)),
    )
    with pytest.raises(ValueError, match=sentence):
        PartitionInstance(4, (Option(1, 3, 0, 0, apart=apart, rolls=rolls),), values)


@st.composite
def chains(draw: st.DrawFn) -> PartitionInstance:
    """Each segment rolls what the one before it made, or does not; one value passes some."""
    n = draw(st.integers(2, 4))
    sizes = st.integers(1, 4).map(lambda units: units * UNIT)
    values = [Boundary(draw(sizes), None, (0,))]
    values += [Boundary(draw(sizes), k, (k + 1,)) for k in range(n - 1)]
    values += [Boundary(draw(sizes), n - 1, (), is_result=True)]
    if n > 2:
        values.append(Boundary(draw(sizes), 0, (2,)))
    options = []
    for k in range(n):
        lead = UNIT * draw(st.integers(0, values[k + 1].size // UNIT))
        rolls = (Roll(k, k + 1, lead),) if draw(st.integers(0, 3)) else ()
        options.append(Option(k, k + 1, draw(sizes), 1, apart=True, rolls=rolls))
    return PartitionInstance(n, tuple(options), tuple(values))


@examples(60)
@given(chains(), st.booleans())
def test_chains_of_rolled_segments_take_the_least_region(
    instance: PartitionInstance, cheap_proofs: bool
) -> None:
    options = instance.options
    params = SolveParams(cheap_proofs=cheap_proofs)
    laid_out = lay_out(options, instance.boundaries, params)
    least = least_region(instance, options)
    assert laid_out.layout.region_bytes == laid_out.bound == least
    check_plan(instance, PartitionPlan(options, laid_out.layout))
    for region in (least - UNIT, least - 1, least, least + UNIT):
        enough = lay_out(options, instance.boundaries, params, region)
        assert (enough.bound <= region) == (least <= region)
        assert enough.layout.region_bytes <= region or least > region
        check_plan(instance, PartitionPlan(options, enough.layout))


@examples(60)
@given(chains())
def test_branching_finds_the_least_region(instance: PartitionInstance) -> None:
    options = instance.options
    blocks = blocks_of(options, kept_values(options, instance.boundaries))
    least = least_region(instance, options)
    found = lowest(blocks, 10**6, 0, most_nodes=10**6)
    assert found.offsets is not None
    assert blocks.top(found.offsets) == least
    assert found.is_complete
    assert lowest(blocks, least, 0, most_nodes=10**6) == Found(None, is_complete=True)
    assert not lowest(blocks, 10**6, 0, most_nodes=1).is_complete
    deadline = Deadline(60)
    for region in (least - UNIT, least):
        if region >= blocks.load:
            offsets, bound = rolled_cpsat.within(blocks, (), region, SolveParams(), deadline)
            assert (bound > region) == (least > region)
            assert least > region or blocks.top(offsets) <= region


def test_out_of_time_leaves_a_layout_and_the_load() -> None:
    """First fit misses the load here, and nothing is left for CP-SAT."""
    values = [Boundary(64, None, (0,)), *(Boundary(64, k, (k + 1,)) for k in range(3))]
    options = tuple(
        Option(k, k + 1, 64, 1, apart=True, rolls=(Roll(k, k + 1, 16),) if k < 3 else ())
        for k in range(4)
    )
    instance = PartitionInstance(4, options, tuple(values))
    laid_out = lay_out(options, values, SolveParams(time_limit_s=0))
    assert laid_out.bound == max(instance.rams) == 144
    assert laid_out.layout.region_bytes >= laid_out.bound
    check_plan(instance, PartitionPlan(options, laid_out.layout))


@examples(25)
@given(partition_instances(5), st.data())
def test_what_a_layout_teaches_is_true_of_every_plan(
    instance: PartitionInstance, data: st.DataObject
) -> None:
    """By brute force: no plan that a cut speaks of has a smaller region than the cut says."""
    choices = list(all_choices(instance))
    if not choices:
        return
    options = data.draw(st.sampled_from(choices))
    regions = {chosen: least_region(instance, chosen) for chosen in choices[:60]}
    number = {option: k for k, option in enumerate(instance.options)}
    peak = least_region(instance, options) - UNIT
    if peak < 0:
        return
    chosen = [number[option] for option in options]
    cuts = layout_cuts(instance, chosen, peak, SolveParams())
    assert all(cut.region > peak and cut.holds(set(chosen)) for cut in cuts)
    for plan, region in regions.items():
        for cut in cuts:
            assert region >= cut.region or not cut.holds({number[option] for option in plan})
