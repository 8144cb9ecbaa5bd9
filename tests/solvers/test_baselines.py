"""Baselines cut where they say, and no baseline beats the exact solver."""

from dataclasses import replace

import pytest

from splitopt.solvers.partition import baselines, dp
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.cost import plan_cost
from splitopt.solvers.partition.instance import Objective, Option, PartitionInstance

SIZES = [16, 64, 32, 96, 16, 48]


def instance() -> PartitionInstance:
    """A chain of six; arenas grow with the segment, so that cuts pay."""
    n = len(SIZES)
    options = tuple(
        Option(a, b, sum(SIZES[a:b]), 0 if b - a == n else 3, key=key)
        for a in range(n)
        for b in range(a + 1, n + 1)
        for key in ("plain", "twin")
    )
    values = tuple(Boundary(SIZES[i], i, (i + 1,)) for i in range(n - 1))
    return PartitionInstance(n, options, values, objective=Objective(1, 1))


def test_no_cut_is_one_segment() -> None:
    plan = baselines.no_cut(instance())
    assert (plan.cuts, plan.layout.region_bytes) == ((), sum(SIZES))


def test_equal_items_by_count_and_at_best() -> None:
    one = instance()
    assert baselines.equal_items(one, 3).cuts == (2, 4)
    assert baselines.equal_items(one, 4).cuts == (1, 3, 4)
    ranks = [
        plan_cost(baselines.equal_items(one, k)).ranked(one.objective) for k in range(1, one.n + 1)
    ]
    assert plan_cost(baselines.equal_items(one)).ranked(one.objective) == min(ranks)
    with pytest.raises(ValueError, match="want 1 to 6"):
        baselines.equal_items(one, 7)


def test_by_weight_fills_each_segment_up_to_the_limit() -> None:
    one = instance()
    assert baselines.by_weight(one, [100] * 6, limit=250).cuts == (2, 4)
    assert baselines.by_weight(one, [1, 900, 1, 1, 1, 1], limit=4).cuts == (1, 2)
    assert baselines.by_weight(one, [1] * 6, segments=2).cuts == (3,)
    with pytest.raises(ValueError, match="a limit or a segment count"):
        baselines.by_weight(one, [1] * 6)
    with pytest.raises(ValueError, match="one weight for each item"):
        baselines.by_weight(one, [1], limit=2)


def test_no_baseline_beats_the_exact_plan() -> None:
    one = instance()
    best = dp.solve(one).cost
    assert best is not None
    for plan in (
        baselines.no_cut(one),
        baselines.equal_items(one),
        baselines.by_weight(one, SIZES, segments=3),
    ):
        check_plan(one, plan)
        assert plan_cost(plan).ranked(one.objective)[0] >= best


def test_a_missing_option_is_named() -> None:
    few = replace(instance(), options=(Option(0, 6, 16, 0),))
    assert baselines.equal_items(few).cuts == ()
    with pytest.raises(baselines.NoOptionError, match=r"segment \[0, 3\)"):
        baselines.equal_items(few, 2)
    with pytest.raises(baselines.NoOptionError, match="no number of equal segments"):
        baselines.equal_items(replace(few, options=()))
