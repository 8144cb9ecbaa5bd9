"""A time limit holds for bands, bounds, prices and search together; what comes out is checked."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from limits import seconds
from planning_helpers import allowed_everywhere, chain

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.switching import Switching
from splitopt.solvers import deadline
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
GOALS = [Goal(1, 0), Goal(0, 1), Goal(1000, 1)]


def planned(graph: ModelGraph, goal: Goal, limit_s: float) -> SplitPlan:
    table = SegmentTable(graph, target_rules("m55"), techniques=Techniques())
    params = SolveParams(time_limit_s=limit_s)
    found = Planner(table).plan(PlanRequest(goal, allowed_everywhere(len(graph.ops)), params))
    assert isinstance(found, SplitPlan)
    return found


@pytest.mark.parametrize("goal", GOALS)
def test_without_any_time_there_is_a_plan_that_is_not_proved(goal: Goal) -> None:
    graph = chain(12)
    hasty, thorough = planned(graph, goal, 0), planned(graph, goal, 60)
    assert hasty.status is Status.FEASIBLE
    assert thorough.status is Status.OPTIMAL
    assert hasty.bound <= thorough.cost <= hasty.cost


def test_some_plan_below_the_unsplit_peak_comes_out_in_no_time() -> None:
    graph = chain(12)
    table = SegmentTable(graph, target_rules("m55"), techniques=Techniques())
    hasty = planned(graph, Goal(1, 0), 0)
    assert hasty.peak_ram_bytes < table.ram(0, len(graph.ops))


def test_a_budget_that_was_not_ruled_out_is_no_proof() -> None:
    """Without time for bands, a budget below what cuts reach stays open."""
    graph = chain(6)
    table = SegmentTable(graph, target_rules("m55"), techniques=Techniques())
    low = planned(graph, Goal(1, 0), 60).peak_ram_bytes
    params = SolveParams(time_limit_s=0)
    goal = Goal(1, 0, capacity=low)
    found = Planner(table).plan(PlanRequest(goal, allowed_everywhere(len(graph.ops)), params))
    assert getattr(found, "status", None) in (Status.UNKNOWN, Status.FEASIBLE)


def test_more_time_later_is_not_spoilt_by_less_before() -> None:
    """Options that were priced too late for an offline plan are priced again."""
    graph = chain(8)
    offline = Techniques(bands=False, two_heights=False)
    allowed = allowed_everywhere(len(graph.ops))
    planner = Planner(SegmentTable(graph, target_rules("m55"), techniques=offline))
    fresh = Planner(SegmentTable(graph, target_rules("m55"), techniques=offline))
    planner.plan(PlanRequest(Goal(1, 0), allowed, SolveParams(time_limit_s=0)))
    request = PlanRequest(Goal(1, 0), allowed, SolveParams())
    again, alone = planner.plan(request), fresh.plan(request)
    assert isinstance(again, SplitPlan)
    assert isinstance(alone, SplitPlan)
    assert (again.status, again.cost) == (alone.status, alone.cost)


def test_a_long_chain_keeps_its_limit() -> None:
    graph = chain(160)
    started = time.monotonic()
    found = planned(graph, Goal(1, 0), 2)
    assert time.monotonic() - started < seconds(20)
    assert found.peak_ram_bytes < 100_000


class Clock:
    """Every look at it takes a second."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_wherever_time_runs_out_nothing_is_taken_for_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """With pieces that may stay: exact figures may rule an option out that the best path has."""
    graph = read_tflite(MODELS / "mbv2_digits_int8.tflite")
    techniques = Techniques(switching=Switching(may_reside=True))
    allowed, goal = allowed_everywhere(len(graph.ops)), Goal(1000, 1, capacity=30_000)
    for limit_s in range(160, 700, 60):
        table = SegmentTable(graph, target_rules("m55"), techniques=techniques)
        monkeypatch.setattr(deadline, "time", Clock())
        found = Planner(table).plan(PlanRequest(goal, allowed, SolveParams(float(limit_s))))
        monkeypatch.undo()
        assert getattr(found, "status", None) is not Status.OPTIMAL
