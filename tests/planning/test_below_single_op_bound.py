"""Plans of cuts, bands and offline plans together: optimal by another algorithm, and low enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from planning_helpers import allowed_everywhere, dp_outcome

from splitopt.arena.check import check_head
from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.lower_bound import single_op_bound
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.unsplit import unsplit
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal

FindModel = Callable[[str], Path]
MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
BIGGER = ("squeeze", "mbv2")


def planner_of(graph: ModelGraph, techniques: Techniques) -> Planner:
    return Planner(SegmentTable(graph, target_rules("m55"), techniques=techniques))


def request_of(graph: ModelGraph, goal: Goal) -> PlanRequest:
    n = len(graph.ops)
    allowed = allowed_everywhere(n) & has_both_ends(graph)
    return PlanRequest(goal, allowed, SolveParams(60.0))


def planned(planner: Planner, goal: Goal) -> SplitPlan:
    plan = planner.plan(request_of(planner.table.graph, goal))
    assert isinstance(plan, SplitPlan)
    assert plan.status is Status.OPTIMAL
    return plan


@pytest.mark.parametrize(
    "name", ["resnet8", "unet", *(pytest.param(n, marks=pytest.mark.slow) for n in BIGGER)]
)
@pytest.mark.parametrize(
    "techniques",
    [Techniques(), Techniques(two_heights=False), Techniques(bands=False, two_heights=False)],
    ids=["all", "one height", "offline plans"],
)
def test_cp_sat_and_the_dynamic_programme_agree(name: str, techniques: Techniques) -> None:
    """CP-SAT on pruned options against the DP on every option there is."""
    graph = read_tflite(MODELS / f"{name}_digits_int8.tflite")
    planner = planner_of(graph, techniques)
    lowest = planned(planner, Goal(1, 0))
    least = lowest.peak_ram_bytes
    whole = unsplit(planner.table)
    middle = (least + whole.ram_bytes) // 2
    goals = [
        Goal(0, 1, capacity=middle),
        Goal(64, 1),
        Goal(1, 0, max_cost=whole.invoke.insn // 5),
        Goal(0, 1, capacity=least),
    ]
    plans = {Goal(1, 0): lowest}
    plans |= {goal: planned(planner, goal) for goal in goals[: 0 if name == "mbv2" else None]}
    for goal, plan in plans.items():
        oracle = dp_outcome(planner, request_of(graph, goal))
        # It judges by loads: their best plan may have no layout of that size, or none that fits.
        assert oracle.bound is not None
        assert oracle.bound <= plan.cost
        assert oracle.cost is None or plan.cost <= oracle.cost
        assert oracle.status is not Status.OPTIMAL or plan.cost == oracle.cost


@pytest.mark.parametrize("name", ["resnet8", "unet"])
def test_each_liberty_can_only_help(name: str) -> None:
    graph = read_tflite(MODELS / f"{name}_digits_int8.tflite")
    peaks = [
        planned(planner_of(graph, techniques), Goal(1, 0)).peak_ram_bytes
        for techniques in (
            CUTS_ONLY,
            Techniques(bands=False, two_heights=False),
            Techniques(two_heights=False),
            Techniques(),
        )
    ]
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[-1] < peaks[0]


def test_without_techniques_plans_are_those_of_cuts_only() -> None:
    graph = read_tflite(MODELS / "resnet8_digits_int8.tflite")
    plan = planned(planner_of(graph, CUTS_ONLY), Goal(1, 0))
    assert not any(s.is_banded or s.figures.has_offline_plan for s in plan.segments)
    assert plan.peak_ram_bytes == 56_448


def test_offline_plans_of_a_plan_overlap_nowhere_and_lower_the_head() -> None:
    graph = read_tflite(MODELS / "resnet8_digits_int8.tflite")
    techniques = Techniques(bands=False, two_heights=False, streams=False)
    planner = planner_of(graph, techniques)
    plan = planned(planner, Goal(1, 0))
    under = [s for s in plan.segments if s.figures.has_offline_plan]
    assert under
    for segment in under:
        check_head(segment.figures.arena)
        stock = planner.table.figures(segment.start, segment.stop)
        assert segment.figures.arena.head_bytes < stock.arena.head_bytes
    assert plan.peak_ram_bytes == 54_912


FIGURES = {  # bytes of RAM, and per cent of the unsplit Invoke for Invoke and copies
    "person_detect_int8": [(46_672, 10.5), (42_064, 17.0)],
    "mbv2_digits_int8": [(97_824, 4.5), (66_496, 19.5)],
    "squeeze_digits_int8": [(34_896, 9.5)],
    "ic_resnet8_int8": [(51_952, 11.5)],
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_single_cuts_and_one_height_are_beaten(
    name: str, shared_model: FindModel
) -> None:
    graph = read_tflite(shared_model(name))
    planner = planner_of(graph, Techniques())
    invoke = unsplit(planner.table).invoke.insn
    bound = single_op_bound(planner.table).least_ram_bytes
    for budget, most in FIGURES[name]:
        plan = planned(planner, Goal(0, 1, capacity=budget))
        more = 100 * (plan.copy_insn + plan.recomputed_insn) / invoke
        rebuilt = 100 * plan.rebuild_insn / invoke
        print(f"{name}: {plan.peak_ram_bytes:,} B +{more:.2f} %, AllocateTensors +{rebuilt:.1f} %")
        assert plan.peak_ram_bytes <= budget < bound
        assert more <= most
        assert plan.added_insn == plan.copy_insn + plan.recomputed_insn + plan.rebuild_insn


@pytest.mark.parametrize(("name", "more_percent"), [("ad01_int8", None), ("kws_dscnn_int8", 1)])
def test_where_nothing_lies_below_the_least_of_cuts(
    name: str, more_percent: int | None, shared_model: FindModel
) -> None:
    """ad01: at no price. kws_dscnn: not for a hundredth of Invoke more than the cuts cost."""
    graph = read_tflite(shared_model(name))
    cuts_only = planner_of(graph, CUTS_ONLY)
    cuts = planned(cuts_only, Goal(1, 0))
    cheap = planned(cuts_only, Goal(0, 1, capacity=cuts.peak_ram_bytes))
    goal = Goal(1, 0)
    if more_percent is not None:
        more = unsplit(cuts_only.table).invoke.insn * more_percent // 100
        goal = replace(goal, max_cost=cheap.added_insn + more)
    planner = planner_of(graph, Techniques())
    assert planned(planner, goal).peak_ram_bytes == cuts.peak_ram_bytes
    assert dp_outcome(planner, request_of(graph, goal)).cost == cuts.peak_ram_bytes
