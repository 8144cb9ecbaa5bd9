"""Paths that hold no conflict against all there are; what gaps ask for against all layouts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from ends import with_any_at_ends, with_some_inside
from hypothesis import given
from samples import examples, seeds
from test_exact_front import rolled
from test_lazy_pruning import pool_of
from tiny import UNIT, all_choices, least_region, partition_instances, segments_ram

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.allowed_paths import AllowedPaths
from splitopt.solvers.partition.boundary import Boundary
from splitopt.solvers.partition.conflicts import Conflict
from splitopt.solvers.partition.forbidden import Forbidden
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.needs import Needs
from splitopt.solvers.partition.option_pool import OptionName, OptionPool
from splitopt.solvers.partition.shapes import relaxed
from splitopt.solvers.partition.stand_ins import gap

Choice = tuple[Option, ...]


def conflict_of(options: Choice, region: int, chance: random.Random) -> Conflict:
    """A short run of these options, which needs more; one in the middle may be a gap, and others
    at its ends."""
    first = chance.randrange(len(options))
    run = options[first : first + chance.randint(2, 4)]
    middle = run[1:-1]
    if middle and chance.random() < 0.7:
        run = (run[0], gap(middle), run[-1])
    if chance.random() < 0.5:
        run = tuple(with_some_inside(with_any_at_ends(run, chance), chance))
    return Conflict(run, region + chance.choice([0, UNIT, UNIT]))


def cheapest(
    choices: Sequence[Choice], conflicts: Sequence[Conflict], region: int
) -> Choice | None:
    counted = [conflict for conflict in conflicts if conflict.region > region]
    allowed = (it for it in choices if not any(conflict.holds(it) for conflict in counted))
    return min(allowed, key=measured, default=None)


def measured(options: Choice | None) -> tuple[int, int] | None:
    return None if options is None else (sum(own.cost for own in options), len(options))


@pytest.mark.parametrize("block", seeds(2, 20))
def test_the_cheapest_path_is_that_of_all_without_a_conflict(block: int) -> None:
    """Of the cheapest plan some options are called a conflict, again and again, before all options
    are settled and after."""
    for seed in range(25 * block, 25 * block + 25):
        instance, chance = rolled(seed, 6), random.Random(seed)
        region = UNIT * chance.randint(14, 24)
        rams = dict(zip(instance.options, instance.rams, strict=True))
        choices = [it for it in all_choices(instance) if max(map(rams.get, it)) <= region]
        if not choices:
            continue
        pool = pool_of(instance, seed)
        options = {(own.start, own.stop, own.key): own for own in instance.options}
        forbidden = Forbidden(pool, Numbered(pool, options))
        numbers = np.arange(len(pool.ram))
        ties = np.ones(len(numbers), dtype=np.int64)
        paths = AllowedPaths(pool, numbers, pool.cost, ties, forbidden)
        conflicts, settled = list[Conflict](), chance.randint(0, 4)
        for count in range(10):
            if count == settled:
                pool.settle(numbers.tolist())
                for number in numbers.tolist():
                    forbidden.settled(number)
            best = cheapest(choices, conflicts, region)
            if count >= settled:
                for most in (None, chance.randint(0, 40)):
                    path, wanted = paths.cheapest(region, most), measured(best)
                    if wanted is not None and most is not None and wanted[0] > most:
                        wanted = None
                    assert (path and (path.cost, len(path.options))) == wanted, seed
                    assert wanted is None or paths.least_rest(region)[0] <= wanted[0]
            if best is None:
                break
            conflicts.append(conflict_of(best, region, chance))
            forbidden.add(conflicts[-1])


@dataclass(frozen=True)
class Numbered:
    pool: OptionPool
    options: Mapping[OptionName, Option]

    def __call__(self, number: int) -> Option:
        return self.options[self.pool.name(number)]


@examples(100)
@given(partition_instances(5))
def test_with_gaps_options_need_no_more(instance: PartitionInstance) -> None:
    needs = Needs(instance.boundaries)
    for options in list(all_choices(instance))[-4:]:
        rams = segments_ram(instance, options)
        runs = list(relaxed(options, rams, instance.boundaries))[:-1]
        region = least_region(instance, options) if runs else 0
        for run in runs:
            assert needs.fit(run, region, Deadline(60)).places is not None


def test_a_gap_in_which_a_value_from_outside_is_first_read_is_none() -> None:
    """The value would live from the start of the gap, beside what is read last there."""
    outside = Boundary(4 * UNIT, None, (2, 3))
    values = (Boundary(4 * UNIT, 0, (1,)), outside)
    options = tuple(Option(k, k + 1, UNIT * arena, 0) for k, arena in enumerate((2, 1, 1, 2)))
    instance = PartitionInstance(4, options, values)
    rams = segments_ram(instance, options)
    region, needs = least_region(instance, options), Needs(values)
    with_gap = [options[0], gap(options[1:3]), options[3]]
    assert needs.fit(with_gap, region, Deadline(60)).places is None
    assert with_gap not in list(relaxed(options, rams, values))
    assert with_gap in list(relaxed(options, rams, values[:1]))
