"""Fronts of options that keep bytes for good, found with few exact figures, against all options."""

from __future__ import annotations

import random

import numpy as np
import pytest
from samples import seeds
from test_exact_front import check, rolled
from test_pareto import points_of
from tiny import UNIT

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.kept_front import KeptFront
from splitopt.solvers.partition.kept_pool import KeptPool, SettledKept
from splitopt.solvers.partition.option_pool import OptionBounds, OptionName
from splitopt.solvers.partition.pareto import Front, Learnt, pareto_front

_INSIDE = 100
"""Added to the key of an option that keeps something."""


def named(instance: PartitionInstance) -> dict[OptionName, Option]:
    return {(o.start, o.stop, o.key + _INSIDE * o.way): o for o in instance.options}


def pool_of(instance: PartitionInstance, seed: int) -> KeptPool:
    """Under loose bounds."""
    known, loose = named(instance), random.Random(seed)
    rows = []
    for name, o in known.items():
        ram = max(0, instance.ram(o) - UNIT * loose.randint(0, 2))
        kept = max(0, o.kept - UNIT * loose.randint(0, 1))
        rows.append((*name, ram, o.cost - loose.randint(0, 2), o.copied_bytes, kept))
    *bounds, kept_bytes = np.array(rows, dtype=np.int64).T

    def exact(start: int, stop: int, key: int) -> SettledKept:
        option = known[start, stop, key]
        return SettledKept(instance.ram(option), option.cost, option.kept)

    is_exact = np.zeros(len(rows), dtype=bool)
    is_close = np.array([loose.random() < 0.5 for _ in rows])
    return KeptPool(OptionBounds(*bounds), kept_bytes, is_exact, instance.n, exact, is_close)


def lazily(instance: PartitionInstance, seed: int, *, counted: bool) -> tuple[Front, int]:
    """The front, and how many options it took."""
    options, learnt = named(instance), Learnt.of(instance)
    search = KeptFront(
        pool_of(instance, seed),
        instance.goal,
        options.__getitem__,
        Deadline(60),
        counts_segments=counted,
    )
    front, names = Front((), True, (), counted), set[OptionName]()
    while True:
        before = len(learnt.conflicts)
        kept = search.names(front.measures, learnt.conflicts)
        assert kept.is_complete
        names.update(kept.names)
        chosen = {options[name] for name in kept.names}
        some = PartitionInstance(
            instance.n,
            tuple(o for o in instance.options if o in chosen),
            instance.boundaries,
            instance.goal,
        )
        plans = [point.plan for point in front.points]
        front = pareto_front(some, counts_segments=counted, learnt=learnt, beside=plans)
        if len(learnt.conflicts) == before and kept.is_exact:
            return front, len(names)


@pytest.mark.parametrize("block", seeds(2, 20))
def test_the_front_is_that_of_all_options(block: int) -> None:
    spared = 0
    for seed in range(15 * block, 15 * block + 15):
        instance, counted = rolled(seed, 6, keeps=True), seed % 2 > 0
        front, used = lazily(instance, seed, counted=counted)
        check(instance, front)
        whole = pareto_front(instance, counts_segments=counted)
        assert points_of(front) == points_of(whole), seed
        spared += len(instance.options) - used
    assert spared > 0


@pytest.mark.parametrize("block", seeds(1, 20))
def test_loads_out_of_time_are_no_better_than_any_plan(block: int) -> None:
    useful = 0
    for seed in range(15 * block, 15 * block + 15):
        instance, counted = rolled(seed, 6, keeps=True), seed % 2 > 0
        options = named(instance)
        search = KeptFront(
            pool_of(instance, seed), instance.goal, options.__getitem__, Deadline(60)
        )
        whole = pareto_front(instance, counts_segments=counted)
        search.names(whole.measures, ())
        unproved = whole.unproved(search.loads(whole.measures))
        for point in unproved.points:
            others = [p for p in whole.points if p.cost.added <= point.cost.added]
            assert point.bound <= min(p.cost.peak for p in others)
            useful += point.bound > min(p.cost.peak for p in whole.points)
    assert useful > 0
