"""Cuts: golden peaks; CP-SAT on the pruned table against the DP and brute force on all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain, combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from planning_helpers import allowed_everywhere, dp_outcome

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import boundary_candidates
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.lower_bound import single_op_bound
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.option_pool import Mask

FindModel = Callable[[str], Path]
IN_REPOSITORY = Path(__file__).resolve().parents[2] / "configs" / "models"
MODELS = [
    "ad01_int8", "hello_world_int8", "ic_resnet8_int8", "kws_dscnn_int8", "mbv2_digits_int8",
    "micro_speech_int8", "person_detect_int8", "resnet8_digits_int8", "squeeze_digits_int8",
    "unet_digits_int8",
]  # fmt: skip
WEIGHTED = Goal(ram_weight=1000, cost_weight=1)
LEAST_PEAK = Goal(ram_weight=1, cost_weight=0)
LEAST_TIME = Goal(ram_weight=0, cost_weight=1)


def planner_of(graph: ModelGraph, headroom_bytes: int = 0) -> Planner:
    return Planner(SegmentTable(graph, target_rules("m55"), headroom_bytes=headroom_bytes))


def every_cut(graph: ModelGraph) -> Mask:
    n = len(graph.ops)
    mask: Mask = allowed_everywhere(n)
    return mask


def single_tensor_cuts(graph: ModelGraph) -> Mask:
    """Cuts that exactly one activation crosses."""
    n = len(graph.ops)
    ends = np.ones(n + 1, dtype=bool)
    for cut in range(1, n):
        crossing = [
            c for c in boundary_candidates(graph)
            if (c.maker is None or c.maker < cut) and c.last >= cut
            and not (c.maker is None and c.born >= cut)
        ]  # fmt: skip
        ends[cut] = len(crossing) == 1
    mask: Mask = every_cut(graph) & ends[:, None] & ends[None, :]
    return mask


def plan(graph: ModelGraph, goal: Goal, allowed: Mask | None = None) -> SplitPlan:
    mask = every_cut(graph) if allowed is None else allowed
    answer = planner_of(graph).plan(PlanRequest(goal, mask, SolveParams()))
    assert isinstance(answer, SplitPlan)
    assert answer.status is Status.OPTIMAL
    return answer


@pytest.mark.parametrize(
    ("most", "peak"), [(1, 82_368), (2, 62_896), (3, 62_896), (4, 62_896), (None, 62_896)]
)
def test_least_peak_of_person_detect(most: int | None, peak: int, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model("person_detect_int8"))
    for allowed in (every_cut(graph), single_tensor_cuts(graph)):
        found = plan(graph, replace(LEAST_PEAK, max_segments=most), allowed)
        assert found.peak_ram_bytes == peak


@pytest.mark.parametrize(("most", "peak"), [(1, 55_040), (2, 54_688), (4, 54_688), (None, 54_688)])
def test_least_peak_of_resnet8(most: int | None, peak: int, shared_model: FindModel) -> None:
    """Cuts of several tensors are no better here than cuts of one."""
    graph = read_tflite(shared_model("ic_resnet8_int8"))
    for allowed in (every_cut(graph), single_tensor_cuts(graph)):
        found = plan(graph, replace(LEAST_PEAK, max_segments=most), allowed)
        assert found.peak_ram_bytes == peak


@pytest.mark.parametrize("name", MODELS)
def test_bounds_never_exceed_exact_figures(name: str, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model(name))
    table = SegmentTable(graph, target_rules("m55"), headroom_bytes=64)
    n, step = len(graph.ops), 1 if len(graph.ops) < 40 else 5
    least = table.stock_added_bound()
    for start in range(0, n, step):
        for stop in range(start + 1, n + 1, step):
            at = (start, stop)
            assert table.ram_bound[at] <= table.ram(*at)
            assert least[at] <= table.figures(*at).added_insn
            assert table.boundary.copied[at] == table.figures(*at).copied_bytes
            assert at == (0, n) or table.image_bound[at] <= table.figures(*at).image_bytes


@pytest.mark.parametrize("name", MODELS)
def test_cpsat_on_the_pruned_table_equals_the_dp_on_all_of_it(
    name: str, shared_model: FindModel
) -> None:
    graph = read_tflite(shared_model(name))
    planner = planner_of(graph, headroom_bytes=1024)
    uncut = planner.table.ram(0, len(graph.ops))
    goals = [
        WEIGHTED,
        LEAST_PEAK,
        LEAST_TIME,
        replace(WEIGHTED, max_segments=2),
        replace(LEAST_TIME, capacity=uncut - 16),
        replace(LEAST_PEAK, max_segments=3, capacity=uncut),
        replace(LEAST_PEAK, max_cost=planner.table.stock_added_bound()[0, 1] * 20),
        Goal(ram_weight=1, cost_weight=1, capacity=uncut // 2),
    ]
    for goal in goals:
        request = PlanRequest(goal, every_cut(graph), SolveParams())
        outcome, instance = planner.solve(request)
        assert len(instance.options) <= len(graph.ops) * (len(graph.ops) + 1) // 2
        oracle = dp_outcome(planner, request)
        assert outcome.status == oracle.status, goal
        assert outcome.cost == oracle.cost, goal
        assert_same_ranks(outcome, oracle)


def assert_same_ranks(a: Outcome, b: Outcome) -> None:  # type: ignore[type-arg]
    """Ties are broken alike: by pieces, then by bytes copied."""
    if a.plan is None or b.plan is None:
        assert a.plan is b.plan
        return
    assert len(a.plan.options) == len(b.plan.options)
    copied = [sum(o.copied_bytes for o in x.plan.options) for x in (a, b)]
    assert copied[0] == copied[1]


def test_brute_force_agrees_on_a_model_of_the_repository() -> None:
    """All 2^15 cut sets of 16 ops, judged by their loads."""
    graph = read_tflite(IN_REPOSITORY / "resnet8_digits_int8.tflite")
    n = len(graph.ops)
    assert n <= 16
    planner = planner_of(graph)
    table = planner.table
    ram = {(i, j): table.ram(i, j) for i in range(n) for j in range(i + 1, n + 1)}
    added = {at: table.figures(*at).added_insn for at in ram}
    best = {"weighted": 10**18, "peak": 10**18}
    for cuts in chain.from_iterable(combinations(range(1, n), k) for k in range(n)):
        segments = list(pairwise([0, *cuts, n]))
        peak, time = max(ram[s] for s in segments), sum(added[s] for s in segments)
        best["weighted"] = min(best["weighted"], 1000 * peak + time)
        best["peak"] = min(best["peak"], peak)
    assert plan(graph, WEIGHTED).cost == best["weighted"]
    assert plan(graph, LEAST_PEAK).cost == best["peak"]


def test_a_budget_that_no_cut_reaches_ends_with_the_least_that_one_does(
    shared_model: FindModel,
) -> None:
    graph = read_tflite(shared_model("person_detect_int8"))
    request = PlanRequest(replace(WEIGHTED, capacity=62_895), every_cut(graph), SolveParams())
    answer = planner_of(graph).plan(request)
    assert isinstance(answer, Infeasible)
    assert answer.least is not None
    assert answer.least.peak_ram_bytes == 62_896
    fitting = replace(request, goal=replace(WEIGHTED, capacity=62_896))
    assert isinstance(planner_of(graph).plan(fitting), SplitPlan)


def test_no_plan_at_any_budget_says_so(shared_model: FindModel) -> None:
    graph = read_tflite(shared_model("hello_world_int8"))
    goal = replace(WEIGHTED, capacity=800, max_cost=10)
    answer = planner_of(graph).plan(PlanRequest(goal, every_cut(graph), SolveParams()))
    assert isinstance(answer, Infeasible)
    assert answer.least is not None
    forbidden = np.zeros_like(every_cut(graph))
    answer = planner_of(graph).plan(PlanRequest(goal, forbidden, SolveParams()))
    assert isinstance(answer, Infeasible)
    assert answer.least is None


@pytest.mark.parametrize("name", MODELS)
def test_no_plan_is_below_the_floor(name: str, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model(name))
    bound = single_op_bound(planner_of(graph).table)
    assert bound.live_bytes < bound.least_ram_bytes <= plan(graph, LEAST_PEAK).peak_ram_bytes


def test_the_unsplit_plan_adds_nothing_and_headroom_counts_once(shared_model: FindModel) -> None:
    graph = read_tflite(shared_model("unet_digits_int8"))
    n = len(graph.ops)
    bare, roomy = planner_of(graph), planner_of(graph, headroom_bytes=1024)
    assert bare.table.figures(0, n).added_insn == 0
    assert roomy.table.ram(0, n) == bare.table.ram(0, n) + 1024


def test_zeroing_costs_what_the_arena_is_large(shared_model: FindModel) -> None:
    graph = read_tflite(shared_model("kws_dscnn_int8"))
    rules = target_rules("m55")
    plain, zeroing = SegmentTable(graph, rules), SegmentTable(graph, rules, zero_arena=True)
    extra = zeroing.figures(2, 5).added_insn - plain.figures(2, 5).added_insn
    assert extra == pytest.approx(0.4375 * plain.figures(2, 5).arena_bytes + 35, abs=1)


def test_the_floor_is_set_where_the_tail_is_large(shared_model: FindModel) -> None:
    """ad01: its last op has little live and most to keep."""
    graph = read_tflite(shared_model("ad01_int8"))
    assert single_op_bound(planner_of(graph).table).op == 9
