"""What a plan without a proof says it did not look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from commands import MODEL
from planning_helpers import allowed_everywhere, chain, every_option

from splitopt.arena.rules import target_rules
from splitopt.bundle.left_out import most_better_text
from splitopt.bundle.schema.plan import Objective
from splitopt.config.job import Job
from splitopt.explain.memory.remedies import proof_of
from splitopt.planning.job_table import segment_options
from splitopt.planning.lowest_peak import LowestPeak, lowest_peak, proved_by_wider
from splitopt.planning.planner import Planner
from splitopt.planning.refusals import infeasible
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import Infeasible, SplitPlan
from splitopt.planning.unfinished import unfinished
from splitopt.planning.unsplit import unsplit
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.interrupt import ask_to_stop, go_on
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal


@pytest.fixture
def stopped() -> Iterator[None]:
    ask_to_stop()
    yield
    go_on()


def planner_of(ops: int, techniques: Techniques) -> tuple[Planner, PlanRequest]:
    table = SegmentTable(chain(ops), target_rules("m55"), techniques=techniques)
    return Planner(table), PlanRequest(Goal(1000, 1), allowed_everywhere(ops), SolveParams())


def plan(planner: Planner, request: PlanRequest, limit_s: float) -> SplitPlan:
    found = planner.plan(request, Deadline(limit_s))
    assert isinstance(found, SplitPlan)
    return found


def test_a_proved_plan_left_nothing_out() -> None:
    assert plan(*planner_of(6, Techniques()), 60).unfinished is None


def test_without_time_no_segment_was_searched_for_bands() -> None:
    left = plan(*planner_of(6, Techniques()), 0).unfinished
    assert left is not None
    assert (left.cause, left.segments, left.segments_without_bands) == ("time_limit", 21, 21)


def test_without_time_streams_keep_bounds() -> None:
    planner, request = planner_of(6, Techniques(streams=True))
    left = plan(planner, request, 0).unfinished
    assert left is not None
    assert left.bounded_options > 0
    again = planner.plan(request, Deadline(60))
    assert isinstance(again, SplitPlan)
    assert again.unfinished is None


def test_a_bound_that_allows_any_plan_is_not_told_as_a_figure() -> None:
    """Points of sweeps said "by at most 132.80 % of the objective"."""
    loose = Objective(minimise="weighted", cost=100, bound=-33, gap=1.33)
    assert most_better_text(loose) == "by how much is not known"
    tight = Objective(minimise="weighted", cost=10000, bound=9787, gap=0.0213)
    assert most_better_text(tight) == "by at most 2.13 % of the objective"


def test_options_with_exact_figures_are_told_from_the_others() -> None:
    planner, request = planner_of(6, Techniques(bands=False, two_heights=False, streams=False))
    left = plan(planner, request, 0).unfinished
    assert left is not None
    names = [name for name in every_option(planner, request) if name[2] % 2 == 0]
    priced = sum(planner.table.is_priced(*name) for name in names)
    assert (left.options, left.options - left.bounded_options) == (len(names), priced)
    assert left.segments_without_bands == 0


@pytest.mark.usefixtures("stopped")
def test_every_deadline_is_over_where_solvers_are_asked_to_stop() -> None:
    found = plan(*planner_of(6, Techniques()), 60)
    assert found.status is Status.FEASIBLE
    assert found.unfinished is not None
    assert found.unfinished.cause == "interrupt"
    assert found.bound <= found.cost


def test_a_budget_that_was_not_found_in_time_is_not_said_not_to_exist(tmp_path: Path) -> None:
    """It was said that no budget had a plan."""
    job = Job.of(model=MODEL, board="corstone300_128k", budget_bytes=4096)
    table = SegmentTable(chain(3), target_rules("m55"))
    for is_searched, says in [(False, "was not found in time"), (True, "at any budget")]:
        error = infeasible(job, table, Infeasible(Goal(1, 0), None, is_searched), unsplit(table))
        assert says in str(error)
        assert error.exit_code == 3


@pytest.mark.usefixtures("stopped")
def test_an_interrupt_is_not_called_lack_of_time() -> None:
    job = Job.of(model=MODEL, board="corstone300_128k", budget_bytes=4096)
    planner, request = planner_of(6, Techniques())
    least = plan(planner, request, 60)
    for answer in (Infeasible(request.goal, None, False), Infeasible(request.goal, least)):
        said = str(infeasible(job, planner.table, answer, unsplit(planner.table)))
        assert "found before the interrupt" in said
        assert "in time" not in said
        assert "time_limit" not in said
    peak = lowest_peak(planner, request)
    assert isinstance(peak, LowestPeak)
    assert proof_of(peak) == "the best found before the interrupt, unproved"
    offline = lowest_peak(planner, request, simpler=replace(peak, unfinished=None))
    assert isinstance(offline, LowestPeak)
    assert proof_of(offline) == proof_of(peak), "whose plan a simpler technique found"


def test_a_search_for_the_smallest_budget_that_ends_early_says_so() -> None:
    job = Job.of(model=MODEL, board="corstone300_128k")
    table = segment_options(job, chain(6))
    planner = Planner(table)
    never = Goal(1, 0, capacity=100)
    allowed = allowed_everywhere(6)
    allowed[0, 6] = False  # which is tried without any time
    found = planner.plan(PlanRequest(never, allowed, SolveParams()), Deadline(60))
    assert isinstance(found, Infeasible)
    assert found.least is not None
    assert found.is_searched


def test_what_a_wider_question_proves_is_proved_of_those_before_it() -> None:
    planner, request = planner_of(6, Techniques())
    proved = lowest_peak(planner, request, "bands")
    assert isinstance(proved, LowestPeak)
    assert proved.is_proved
    left = replace(proved, code="offline_plans", unfinished=unfinished(planner.table, None))
    limited = replace(proved, code="bands_within")

    def told(*known: LowestPeak) -> list[bool]:
        return [found.is_proved for found in proved_by_wider(known)]

    assert told(left, left, proved) == [True, True, True]
    assert told(left, limited) == [False, True], "it limits the price"
    assert told(proved, left) == [True, False], "that one allows more"
