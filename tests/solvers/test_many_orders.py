"""n blocks that live at once have n! orders: these are bounded, and the answer is "not decided"."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import test_best_first
import test_conflict_search
from test_exact_front import rolled

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.partition import cpsat, orders
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.instance import Goal, Option, PartitionInstance
from splitopt.solvers.partition.needs import Needs
from splitopt.solvers.partition.orders import NO_REGION, Orders, Undecided
from splitopt.solvers.partition.plan import PartitionPlan

MOST_BYTES = 256 * 2**20


def fan(values: int) -> PartitionInstance:
    """An item that makes so many values, which three others read."""
    rng = random.Random(1)
    made = tuple(Boundary(16 * rng.randint(1, 60), 0, (1 + k % 3,)) for k in range(values))
    options = tuple(Option(start, start + 1, 320, 0) for start in range(4))
    return PartitionInstance(4, options, made, Goal(1, 0))


@pytest.mark.parametrize("values", [7, 9, 12])
def test_memory_stays_bounded_however_many_values_an_item_makes(values: int) -> None:
    instance = fan(values)
    needs, region = Needs(instance.boundaries), sum(it.size for it in instance.boundaries) + 330
    tracemalloc.start()
    try:
        assert needs.soon(instance.options, region) is None
        with pytest.raises(Undecided):
            needs.fit(instance.options, region, Deadline(60))
        with pytest.raises(Undecided):
            needs.needed(instance.options, region, region, Deadline(60))
        with pytest.raises(Undecided):
            Orders(instance.options, instance.boundaries).ways(0, ())
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("search", "status"),
    [
        (test_best_first.searched, Status.UNKNOWN),
        (test_conflict_search.searched, Status.OPTIMAL),  # asks CP-SAT for the layout
    ],
)
def test_searches_give_up_with_a_bound(
    search: Callable[[PartitionInstance, int], Outcome[PartitionPlan]],
    status: Status,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    statuses = set()
    for seed in range(12):
        instance = replace(rolled(seed, 5), goal=Goal(1, 0))
        if not instance.options:
            continue
        by_cpsat = cpsat.solve(instance)
        monkeypatch.setattr(orders, "_MOST_CELLS", 200)
        found = search(instance, seed)
        monkeypatch.undo()
        statuses.add(found.status)
        if found.status is Status.UNKNOWN:
            assert by_cpsat.cost is None or (found.bound is None or found.bound <= by_cpsat.cost)
        else:
            assert found.cost == by_cpsat.cost
    assert status in statuses


def test_states_in_parts_have_the_same_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = fan(4)
    every = Orders(instance.options, instance.boundaries)
    nothing = np.zeros((1, 0), dtype=np.int64)
    first = every.within(0, nothing, np.zeros(1, dtype=np.int64), NO_REGION)
    found = []
    for most in (2**22, 500):
        monkeypatch.setattr(orders, "_MOST_CELLS", most)
        behind = every.within(1, first.states, first.regions, NO_REGION)
        found.append([column.tolist() for column in behind[:-1]])
    assert found[0] == found[1]
    assert len(first.states) > 2
