"""What segments need, asked again and again, against what fresh questions say."""

from __future__ import annotations

import random

import pytest
from test_exact_front import rolled
from tiny import UNIT

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.needs import Needs
from splitopt.solvers.partition.orders import NO_REGION


def run_of(instance: PartitionInstance, rng: random.Random) -> list[Option]:
    """Options one behind the other, of a chance part of the items."""
    at, run = rng.randint(0, 1), list[Option]()
    while len(run) < 4:
        further = [option for option in instance.options if option.start == at]
        if not further:
            break
        run.append(rng.choice(further))
        at = run[-1].stop
    return run


@pytest.mark.parametrize("seed", range(30))
def test_what_was_asked_before_changes_no_bound(seed: int) -> None:
    instance, rng = rolled(seed, 6), random.Random(seed)
    needs = Needs(instance.boundaries)
    runs = [run for _ in range(6) if len(run := run_of(instance, rng)) > 1]
    for _ in range(40):
        run = rng.choice(runs)
        run = run[rng.randint(0, 1) :]
        true = Needs(instance.boundaries).needed(run, 0, NO_REGION, Deadline(60))
        region = max(1, true + rng.choice([1, UNIT]) * rng.randint(-6, 3))
        most = region + rng.choice([1, UNIT]) * rng.choice([0, 0, 1, 3, 10])
        needed = needs.needed(run, region, most, Deadline(60))
        fit = needs.fit(run, region, Deadline(60))
        if true <= region:
            assert needed <= region
            assert fit.places is not None
        else:
            assert region < needed <= true
            assert fit.places is None
            assert region < fit.needed <= true
