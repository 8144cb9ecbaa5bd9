"""The checker of partition plans turns red for each kind of fault, planted one at a time."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tiny import with_goal

from splitopt.solvers.invalid import InvalidPlan
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.check import check_plan
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.plan import Layout, PartitionPlan, Placement

OPTIONS = (Option(0, 2, 64, 5, 8), Option(2, 3, 32, 5, 8), Option(3, 4, 48, 5, 8))
INSTANCE = PartitionInstance(
    4,
    (*OPTIONS, Option(0, 3, 16, 1), Option(0, 4, 16, 0)),
    (
        Boundary(32, None, (1, 3)),
        Boundary(16, 1, (2,)),
        Boundary(16, 2, (3,)),
        Boundary(64, 0, (1,)),
    ),
    Goal(1, 2, capacity=112, max_cost=15, max_segments=3),
)
PLACED = (Placement(0, 80, 32, 0, 2), Placement(1, 64, 16, 0, 1), Placement(2, 64, 16, 1, 2))
PLAN = PartitionPlan(OPTIONS, Layout(112, PLACED))


def test_the_plan_itself_is_valid() -> None:
    check_plan(INSTANCE, PLAN, cost=112 + 2 * 15)


@pytest.mark.parametrize(
    ("placements", "sentence"),
    [
        (PLACED[:2], "boundary 2 crosses a cut and is not placed"),
        ((*PLACED, PLACED[0]), "boundary 0 is placed twice"),
        ((*PLACED, Placement(3, 200, 64, 0, 0)), "boundary 3 is placed twice, or crosses no cut"),
        ((*PLACED, Placement(9, 200, 64, 0, 0)), "boundary 9"),
        ((replace(PLACED[0], size=16), *PLACED[1:]), "placed with 16 bytes, it has 32"),
        ((replace(PLACED[0], first_segment=1), *PLACED[1:]), "kept for segments 1 to 2, it is"),
        ((replace(PLACED[0], last_segment=1), *PLACED[1:]), "kept for segments 0 to 1, it is"),
        ((replace(PLACED[0], offset=-16), *PLACED[1:]), "negative offset -16"),
        (
            (replace(PLACED[0], offset=72), *PLACED[1:]),
            r"boundaries 0 \[72, 104\) and 1 \[64, 80\)",
        ),
        ((*PLACED[:2], replace(PLACED[2], offset=32)), "lies in the arena of segment 2"),
        ((replace(PLACED[0], offset=96), *PLACED[1:]), "said to be 112 bytes, 128 are used"),
    ],
)
def test_layout_faults(placements: tuple[Placement, ...], sentence: str) -> None:
    with pytest.raises(InvalidPlan, match=sentence):
        check_plan(INSTANCE, replace(PLAN, layout=Layout(112, placements)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "do not reach"),
        (OPTIONS[:2], "do not reach"),
        (OPTIONS[1:], "do not reach"),
        ((OPTIONS[0], OPTIONS[2]), "stops at 2, the next starts at 3"),
        ((INSTANCE.options[3], *OPTIONS[1:]), "stops at 3, the next starts at 2"),
        ((replace(OPTIONS[0], arena_bytes=0), *OPTIONS[1:]), "has no option"),
    ],
)
def test_tiling_faults(options: tuple[Option, ...], sentence: str) -> None:
    with pytest.raises(InvalidPlan, match=sentence):
        check_plan(INSTANCE, replace(PLAN, options=options))


@pytest.mark.parametrize(
    ("tighten", "sentence"),
    [
        (lambda: with_goal(INSTANCE, capacity=111), "needs 112 bytes, the capacity is 111"),
        (lambda: with_goal(INSTANCE, max_segments=2), "has 3 segments, at most 2"),
        (lambda: with_goal(INSTANCE, max_cost=14), "adds a cost of 15, at most 14"),
    ],
)
def test_broken_limits(tighten: Callable[[], PartitionInstance], sentence: str) -> None:
    with pytest.raises(InvalidPlan, match=sentence):
        check_plan(tighten(), PLAN)


def test_a_region_larger_than_what_is_used() -> None:
    free = with_goal(INSTANCE, capacity=None)
    with pytest.raises(InvalidPlan, match="said to be 128 bytes, 112 are used"):
        check_plan(free, replace(PLAN, layout=Layout(128, PLACED)))


def test_a_false_cost() -> None:
    with pytest.raises(InvalidPlan, match="said to cost 141, it costs 142"):
        check_plan(INSTANCE, PLAN, cost=141)


APART = (replace(OPTIONS[0], apart=True), replace(OPTIONS[1], apart=True), OPTIONS[2])
OUTER = (
    *(Boundary(32, None, (1,)), Boundary(16, 1, (2,))),
    *(Boundary(16, 2, (3,)), Boundary(48, 2, (), is_result=True)),
)
APART_INSTANCE = PartitionInstance(4, APART, OUTER, Goal(1, 0, capacity=128))
APART_LAYOUT = Layout(
    region_bytes=128,
    placements=(
        *(Placement(0, 80, 32, 0, 0), Placement(1, 112, 16, 0, 1)),
        *(Placement(2, 0, 16, 1, 2), Placement(3, 64, 48, 1, 1)),
    ),
    arena_offsets=(0, 16, 16),
)


def test_segments_apart_keep_inputs_beside_outputs_and_what_comes_from_outside() -> None:
    check_plan(APART_INSTANCE, PartitionPlan(APART, APART_LAYOUT))


@pytest.mark.parametrize(
    ("layout", "sentence"),
    [
        (
            replace(APART_LAYOUT, placements=APART_LAYOUT.placements[1:]),
            "boundary 0 crosses a cut and is not placed",
        ),
        (
            replace(APART_LAYOUT, placements=APART_LAYOUT.placements[:3]),
            "boundary 3 crosses a cut and is not placed",
        ),
        (
            replace(
                APART_LAYOUT,
                placements=(
                    *APART_LAYOUT.placements[:2],
                    Placement(2, 112, 16, 1, 2),
                    APART_LAYOUT.placements[3],
                ),
            ),
            "overlap while both live",
        ),
        (replace(APART_LAYOUT, arena_offsets=(0, 0, 16)), "lies in the arena of segment 1"),
        (replace(APART_LAYOUT, arena_offsets=(0, 16)), "want an offset >= 0 for each of 3"),
        (replace(APART_LAYOUT, arena_offsets=(32, 16, 16)), "lies in the arena of segment 0"),
        (replace(APART_LAYOUT, arena_offsets=(0, 16, 96)), "said to be 128 bytes, 144 are used"),
    ],
)
def test_layout_faults_of_segments_apart(layout: Layout, sentence: str) -> None:
    with pytest.raises(InvalidPlan, match=sentence):
        check_plan(APART_INSTANCE, PartitionPlan(APART, layout))
