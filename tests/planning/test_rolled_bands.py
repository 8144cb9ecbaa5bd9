"""Bands with rolled ends in the choice: bounds in closed form, plans, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gated_nets import chance_gated_net
from images import ImageNet, chance_neck, chance_net
from planning_helpers import allowed_everywhere

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.option_bounds import option_bounds
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.tiling.rolled import rolled_pairs, saved_bytes
from splitopt.tiling.schedule import executions_of

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
FindModel = Callable[[str], Path]
ROLLED = Techniques(streams=False, rolled_ends=True)


def table_of(graph: ModelGraph, techniques: Techniques = ROLLED) -> SegmentTable:
    return SegmentTable(graph, target_rules("m55"), techniques=techniques)


def lowest(graph: ModelGraph, techniques: Techniques, max_cost: int | None = None) -> SplitPlan:
    n = len(graph.ops)
    goal = Goal(1, 0, max_cost=max_cost)
    request = PlanRequest(goal, allowed_everywhere(n), SolveParams(time_limit_s=60))
    plan = Planner(table_of(graph, techniques)).plan(request)
    assert isinstance(plan, SplitPlan)
    return plan


@pytest.mark.parametrize("seeds", [range(12), range(12, 24)])
def test_the_closed_form_is_what_the_schedule_saves(seeds: range) -> None:
    """Exact where there is one pair of ends, never too little; the schedule is the oracle."""
    compared = two = 0
    for graph in [
        net(seed) for net in (chance_net, chance_neck, chance_gated_net) for seed in seeds
    ]:
        table = table_of(graph)
        columns = table.bands.columns
        for k, saved in enumerate(columns.rolled.tolist()):
            start, stop = int(columns.starts[k]), int(columns.stops[k])
            segment = segment_of(graph, start, stop)
            plan = table.bands.plan(start, stop, int(columns.variants[k]))
            pieces = executions_of(graph, segment, table.bands.rows(start, stop), plan)
            events = [execution for piece in pieces for execution in piece]
            exact = sum(saved_bytes(graph, p) for p in rolled_pairs(graph, segment, events))
            one = min(len(segment.inputs), len(segment.outputs)) == 1
            assert exact == saved if one else exact <= saved
            compared, two = compared + one, two + (len(pieces) == 2)
    assert compared > 200
    assert two > 50


def test_bounds_of_rolled_bands_are_below_exact_figures() -> None:
    graph = read_tflite(MODELS / "unet_digits_int8.tflite")
    table = table_of(graph)
    bounds = option_bounds(table, allowed_everywhere(len(graph.ops)))
    rolled = 0
    for k in range(0, len(bounds.keys), 7):
        at, key = (int(bounds.starts[k]), int(bounds.stops[k])), int(bounds.keys[k])
        option = table.option(*at, key) if key > 1 else None
        if option is not None:
            saved = sum(saved_bytes(graph, pair) for pair in option.rolled)
            load = int(table.boundary.load_in_bands[at]) - saved
            assert bounds.ram[k] <= option.arena_bytes + load
            rolled += bool(option.rolled)
    assert rolled > 20


def first_convolution() -> ModelGraph:
    net = ImageNet()
    source = net.image(96, 96, 3)
    made = net.conv(source, 8, 3, 2, "same")
    return net.graph([source], [net.pool(made, "MAX_POOL_2D", 2, 2, "valid")])


def test_a_plan_with_rolled_ends_is_lower_and_adds_up() -> None:
    """The plan passed the checkers of layouts and of rows; its segments add up to its peak."""
    graph = first_convolution()
    apart = lowest(graph, Techniques(streams=False, rolled_ends=False))
    plan = lowest(graph, ROLLED)
    assert plan.status is Status.OPTIMAL
    assert plan.peak_ram_bytes < apart.peak_ram_bytes
    assert max(segment.ram_bytes for segment in plan.segments) == plan.peak_ram_bytes
    places = {placement.tensor: placement.offset for placement in plan.placements}
    pairs = [pair for segment in plan.segments for pair in segment.rolled]
    assert pairs
    for pair in pairs:
        read, made = places[pair.read], places[pair.made]
        size = graph.tensors[pair.read].bytes
        assert read - made >= pair.lead_bytes or read + size <= made


@pytest.mark.parametrize(
    ("name", "least_bytes"), [("person_detect_int8", 24_848), ("unet_digits_int8", None)]
)
def test_lowest_peaks_of_models(
    name: str, least_bytes: int | None, shared_model: FindModel
) -> None:
    """person_detect's was also found by a program of its own, written for the measurement."""
    graph = read_tflite(shared_model(name))
    plan = lowest(graph, ROLLED)
    assert plan.status is Status.OPTIMAL
    assert least_bytes in (None, plan.peak_ram_bytes)
    assert any(segment.rolled for segment in plan.segments)
