"""Paths that meet in the middle, and the options that may still improve a front, against all
plans."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from samples import seeds
from test_exact_front import load_of, rolled
from tiny import all_choices

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.dominance import undominated
from splitopt.solvers.partition.instance import Option, PartitionInstance
from splitopt.solvers.partition.kept_ends import Halves, mirrored
from splitopt.solvers.partition.kept_labels import LabelSearch
from splitopt.solvers.partition.kept_prospects import Edges, edges_of, lowest_regions

Plan = tuple[int, int, tuple[Option, ...]]


def plans_of(instance: PartitionInstance) -> list[Plan]:
    goal, found = instance.goal, list[Plan]()
    for options in all_choices(instance):
        peak, cost = load_of(instance, options), sum(o.cost for o in options)
        if goal.fits(peak) and (goal.max_cost is None or cost <= goal.max_cost):
            found.append((peak, cost, options))
    return found


def halves_of(instance: PartitionInstance, middle: int) -> tuple[Halves, Edges, Edges]:
    edges, n, goal = edges_of(instance), instance.n, instance.goal
    is_ahead, back = edges.starts < middle, mirrored(n, edges)
    first, second = edges.some(is_ahead), edges.some(~is_ahead)
    ahead = LabelSearch(n, first, goal, by_segments=False, floor=lowest_regions(n, edges))
    floor, behind = lowest_regions(n, back), back.some(~is_ahead)
    search = LabelSearch(n, behind, goal, by_segments=False, floor=floor)
    assert ahead.follow(Deadline(60))
    assert search.follow(Deadline(60))
    return Halves(n, middle, goal, ahead, search), first, second


@pytest.mark.parametrize("block", seeds(2, 20))
def test_halves_tell_the_plans_and_options_that_no_known_plan_is_as_good_as(block: int) -> None:
    left_out = 0
    for seed in range(15 * block, 15 * block + 15):
        chance = random.Random(seed)
        instance = rolled(seed, 5, keeps=True)
        instance = replace(instance, goal=replace(instance.goal, max_segments=None))
        options, plans = instance.options, plans_of(instance)
        halves, first, second = halves_of(instance, chance.randint(1, instance.n))
        of_first = [o for o in options if o.start < halves.middle]
        of_second = [o for o in options if o.start >= halves.middle]
        known: list[Plan] = []
        for _ in range(2):  # what was known before stays known
            known += chance.sample(plans, min(len(plans), 2))
            measures = [(*plan[:2], 0) for plan in known]
            better = [
                plan
                for plan in plans
                if not any(low <= plan[0] and least <= plan[1] for low, least, _ in known)
            ]
            numbers = halves.better(measures, Deadline(60))
            assert numbers is not None
            used = {of_first[k] for k in numbers[0]} | {of_second[k] for k in numbers[1]}
            best = undominated({plan[:2] for plan in better}, lambda plan: plan)
            assert set(best) <= {plan[:2] for plan in better if used.issuperset(plan[2])}
            assert not used or best
            met = halves.hopeful(first, second, measures, Deadline(60))
            found = {of_first[k] for k in np.flatnonzero(met[0])}
            found |= {of_second[k] for k in np.flatnonzero(met[1])}
            assert found == {option for plan in better for option in plan[2]}, seed
            left_out += len(options) - len(found)
    assert left_out > 0
