"""What layouts teach of other choices of options, against every choice and its layout."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from ends import with_any_at_ends, with_some_inside
from hypothesis import assume, given
from hypothesis import strategies as st
from samples import examples
from test_exact_front import rolled
from test_pareto import undominated
from tiny import UNIT, all_choices, least_region, partition_instances, segments_ram

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.conflicts import Conflict
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.load_paths import kept_paths
from splitopt.solvers.partition.needs import Needs
from splitopt.solvers.partition.stand_ins import (
    gap,
    is_easier_than_all,
    is_some,
    some_before,
    up_to,
    with_arena,
)


def with_gap(instance: PartitionInstance, chance: random.Random) -> Sequence[Option] | None:
    """A part of a choice with a gap in it; None where none can be."""
    choices = [options for options in all_choices(instance) if len(options) > 1]
    if not choices:
        return None
    options = chance.choice(choices)
    first, stop = sorted(chance.sample(range(len(options) + 1), 2))
    own = gap(options[first:stop])
    run = (*options[:first], own, *options[stop:])
    first = chance.randint(0, first)
    run = run[first : chance.randint(first + 1, len(run))]
    return run if is_easier_than_all(own, instance.boundaries) else None


def drawn(instance: PartitionInstance, chance: random.Random) -> Sequence[Option]:
    run = with_gap(instance, chance)
    assume(run is not None)
    return run or ()


def needed(instance: PartitionInstance, run: Sequence[Option]) -> int:
    most = sum(value.size for value in instance.boundaries)
    most += sum(option.arena_bytes for option in run)
    return Needs(instance.boundaries).needed(run, 0, most, Deadline(60))


@examples(30)
@given(partition_instances(4), st.randoms(use_true_random=False))
def test_no_choice_of_which_a_conflict_speaks_needs_less(
    instance: PartitionInstance, chance: random.Random
) -> None:
    run = with_some_inside(with_any_at_ends(drawn(instance, chance), chance), chance)
    assume(all(is_easier_than_all(it, instance.boundaries) for it in run if is_some(it)))
    conflict = Conflict(tuple(run), needed(instance, run))
    held = [options for options in all_choices(instance) if conflict.holds(options)]
    for options in chance.sample(held, min(4, len(held))):
        assert least_region(instance, options) >= conflict.region


def test_paths_over_conflicts_are_those_of_all_choices() -> None:
    def region(
        instance: PartitionInstance, options: Sequence[Option], conflicts: Sequence[Conflict]
    ) -> int:
        held = (it.region for it in conflicts if it.holds(options))
        return max(*segments_ram(instance, options), *held)

    is_changed, chance = 0, random.Random(1)
    for seed in range(5):
        instance = rolled(seed, 5, keeps=seed % 3 == 0)
        runs = [run for _ in range(70) if (run := with_gap(instance, chance))]
        runs = [with_some_inside(with_any_at_ends(run, chance), chance) for run in runs]
        conflicts = [Conflict(tuple(run), UNIT * chance.randint(10, 22)) for run in runs]
        found = kept_paths(instance, Deadline(60), conflicts, by_segments=True).ends
        wanted, goal = set(), instance.goal
        for options in all_choices(instance):
            peak = region(instance, options, conflicts) + sum(o.kept for o in options)
            figures = peak, sum(o.cost for o in options), len(options)
            limits = goal.capacity, goal.max_cost, goal.max_segments
            if all(b is None or a <= b for a, b in zip(figures, limits, strict=True)):
                wanted.add(figures)
        best = undominated(wanted, counts_segments=True)
        assert {(end.peak, end.cost, end.segments) for end in found} == best
        plain = kept_paths(instance, Deadline(60), (), by_segments=True).ends
        is_changed += {(end.peak, end.cost, end.segments) for end in plain} != best
    assert is_changed > 0


@examples(30)
@given(partition_instances(4), st.randoms(use_true_random=False))
def test_what_all_arenas_need_is_what_each_does(
    instance: PartitionInstance, chance: random.Random
) -> None:
    run = drawn(instance, chance)
    assume(len(run) > 1)
    stop = run[1].start
    start, own = chance.randint(0, run[0].start), chance.choice([0, UNIT])
    first = chance.choice([some_before(start, stop, own), up_to(stop, own)])
    arenas, rest = np.arange(1, 12 * UNIT, UNIT), run[1:]
    needs, most = Needs(instance.boundaries), 100 * UNIT
    found = needs.needed_with([first, *rest], arenas, 0, most, Deadline(60)).tolist()
    each = [needed(instance, (with_arena(first, arena), *rest)) for arena in arenas.tolist()]
    assert found == each
