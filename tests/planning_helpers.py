"""What tests of planning ask the planner for."""

from __future__ import annotations

import random

import numpy as np
from images import ImageNet

from splitopt.graph.model import ModelGraph
from splitopt.planning.planner import Planner
from splitopt.planning.priced_options import option_pool
from splitopt.planning.request import PlanRequest
from splitopt.solvers.outcome import Outcome
from splitopt.solvers.partition import dp
from splitopt.solvers.partition.option_pool import Mask, OptionName
from splitopt.solvers.partition.plan import PartitionPlan


def chain(ops: int) -> ModelGraph:
    """Convolutions of 1x1 and 3x3 in turn."""
    net = ImageNet(random.Random(1))
    source = made = net.image(16, 12, 8)
    for k in range(ops):
        made = net.conv(made, [8, 4, 12][k % 3], 3 if k % 2 else 1, 1, "same")
    return net.graph([source], [made])


def allowed_everywhere(n: int) -> Mask:
    """Every segment [start, stop) of n ops."""
    return np.triu(np.ones((n + 1, n + 1), dtype=bool), 1)


def every_option(planner: Planner, request: PlanRequest) -> list[OptionName]:
    """Every option of every allowed segment, without pruning."""
    pool = option_pool(planner.table, request.allowed)
    return pool.names(range(len(pool.keys)))


def dp_outcome(planner: Planner, request: PlanRequest) -> Outcome[PartitionPlan]:
    """The dynamic programme's answer over every option: the oracle, without pruning."""
    instance = planner.instance(every_option(planner, request), request.goal)
    return dp.solve(instance, request.params)
