"""Packing from columns: what `solve` finds, or nothing."""

import random

import pytest

from splitopt.solvers.packing.greedy_replay import plan_greedy
from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance
from splitopt.solvers.packing.solve import solve
from splitopt.solvers.packing.soon import soon_at
from splitopt.solvers.params import SolveParams

Shapes = list[tuple[int, int, int]]
PARAMS = SolveParams(time_limit_s=20)


def chain(seed: int, length: int) -> Shapes:
    """Buffers that live for two steps or some more, and some for one; in groups where few do."""
    draw = random.Random(seed)
    shapes = [
        (16 * draw.randint(1, 40), k, k + draw.choice((1, 2, 2, 2, 4))) for k in range(length)
    ]
    return shapes + [(16 * draw.randint(1, 9), k, k + 1) for k in range(0, length, 3)]


def instance_of(shapes: Shapes) -> PackingInstance:
    return PackingInstance(tuple(Buffer(size, LiveRange(*live)) for size, *live in shapes))


@pytest.mark.parametrize("length", [6, 14, 30])
def test_what_is_found_soon_is_what_solving_finds(length: int) -> None:
    found = 0
    for seed in range(60):
        shapes = chain(seed, length)
        instance = instance_of(shapes)
        load = instance.peak_load
        if plan_greedy(instance).high_water_mark(instance) == load:
            continue
        offsets = soon_at(load, shapes, PARAMS)
        if offsets is not None:
            found += 1
            assert tuple(offsets) == solve(instance, PARAMS).found.offsets
    assert found


@pytest.mark.parametrize(
    "shapes",
    [
        [(16, 0, 2), (16, 2, 4)],
        [(16, 0, 2), (16, 1, 1)],
        [(16, 0, 2), (32, 1, 90)],
        [(16, 0, 2), (16, -1, 0)],
    ],
    ids=["two groups", "at no time", "many steps", "before all"],
)
def test_other_instances_are_left_to_solving(shapes: Shapes) -> None:
    assert soon_at(instance_of(shapes).peak_load, shapes, PARAMS) is None
