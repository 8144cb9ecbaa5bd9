"""Options that may still improve a front, against all plans."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from samples import seeds
from test_exact_front import load_of, rolled
from tiny import all_choices

from splitopt.solvers.deadline import Deadline
from splitopt.solvers.partition.kept_ends import hopeful_edges
from splitopt.solvers.partition.kept_labels import LabelSearch
from splitopt.solvers.partition.kept_prospects import edges_of


@pytest.mark.parametrize("block", seeds(2, 20))
def test_hopeful_options_are_those_of_plans_that_no_known_one_is_as_good_as(block: int) -> None:
    left_out = 0
    for seed in range(15 * block, 15 * block + 15):
        chance = random.Random(seed)
        instance = rolled(seed, 5, keeps=True)
        instance = replace(instance, goal=replace(instance.goal, max_segments=None))
        plans = [
            (load_of(instance, options), sum(o.cost for o in options), options)
            for options in all_choices(instance)
        ]
        limit = instance.goal.max_cost
        plans = [
            plan
            for plan in plans
            if instance.goal.fits(plan[0]) and (limit is None or plan[1] <= limit)
        ]
        known = [(*plan[:2], 0) for plan in chance.sample(plans, min(len(plans), 3))]
        wanted = {
            option
            for peak, cost, options in plans
            for option in options
            if not any(low <= peak and least <= cost for low, least, _ in known)
        }
        edges, n = edges_of(instance), instance.n
        search = LabelSearch(n, edges, instance.goal, by_segments=False)
        search.run(Deadline(60))
        found = hopeful_edges(n, edges, instance.goal, known, search.labels, Deadline(60))
        assert {instance.options[k] for k in np.flatnonzero(found)} == wanted, seed
        left_out += len(instance.options) - len(wanted)
    assert left_out > 0
