"""What explanations share between their questions, against tables of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planning_helpers import allowed_everywhere, chain

from splitopt.arena.rules import target_rules
from splitopt.cost.costs import InvokeEstimate
from splitopt.explain.memory.facts import lowest_peak_lines
from splitopt.planning.lowest_peak import LowestPeak, lowest_peak, lowest_peaks, unanswered
from splitopt.planning.planner import Answer, Planner
from splitopt.planning.priced_options import option_pool
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.outcome import Outcome, Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.solvers.partition.plan import PartitionPlan

OPS = 5
REQUEST = PlanRequest(Goal(1, 0), allowed_everywhere(OPS), SolveParams())
EVERYTHING = Techniques(input_by_rows=True)


def table_of(techniques: Techniques) -> SegmentTable:
    return SegmentTable(chain(OPS), target_rules("m55"), techniques=techniques)


def test_a_shared_table_has_the_prices_of_one_of_its_own() -> None:
    table = table_of(CUTS_ONLY)
    for techniques in (
        replace(EVERYTHING, bands=False, offline_plans=False),
        replace(EVERYTHING, input_by_rows=False, rolled_ends=False),
        replace(EVERYTHING, input_by_rows=False, two_heights=False),
        EVERYTHING,
        replace(EVERYTHING, offline_plans=False),
    ):
        table, own = table.under(techniques), table_of(techniques)
        shared, alone = (option_pool(t, REQUEST.allowed) for t in (table, own))
        assert np.array_equal(shared.ram, alone.ram)
        assert np.array_equal(shared.cost, alone.cost)
        names = alone.names(range(len(alone.keys)))
        assert shared.names(range(len(shared.keys))) == names
        for name in names:
            assert table.option(*name) == own.option(*name)
    bands, streams = table.bands, table.streams
    other = table.under(replace(EVERYTHING, input_by_rows=False))
    assert other.bands is bands
    assert other.streams is streams


def test_bands_go_on_where_time_ran_out() -> None:
    table, whole = table_of(Techniques(streams=False)), table_of(Techniques(streams=False))
    table.begin(Deadline(0))
    assert not len(table.bands.columns.starts)
    assert table.bands.unreached == OPS * (OPS + 1) // 2
    bands = table.bands
    table.is_complete = False
    table.begin(Deadline(60))
    assert table.bands is bands
    assert bands.is_complete
    for found, wanted in zip(bands.columns, whole.bands.columns, strict=True):
        assert np.array_equal(found, wanted)
    assert not bands.unreached


def answers(
    limit_s: float, kind: type[Planner] = Planner, invoke_insn: int = 10**7
) -> tuple[LowestPeak, ...]:
    table = table_of(CUTS_ONLY)
    cuts = lowest_peak(Planner(table), REQUEST)
    assert isinstance(cuts, LowestPeak)
    deadline = Deadline(limit_s)
    return lowest_peaks(cuts, lambda t: kind(table.under(t)), REQUEST, invoke_insn, deadline)


def test_a_peak_that_a_price_reaches_is_the_cheapest_at_any_price() -> None:
    """It was forgotten that a plan is the cheapest where the next question took it over."""
    peaks = {peak.code: peak for peak in answers(60)}
    for kind in ("bands", "streams"):
        within, free = peaks[f"{kind}_within"], peaks[kind]
        assert within.is_cheapest
        assert within.peak_ram_bytes == free.peak_ram_bytes
        assert free.is_cheapest
        assert free.plan is within.plan
        goal = Goal(0, 1, capacity=free.peak_ram_bytes)
        techniques = Techniques(streams=kind == "streams")
        cheapest = Planner(table_of(techniques)).plan(replace(REQUEST, goal=goal))
        assert cheapest.added_insn == free.added_insn  # type: ignore[union-attr]


def test_questions_that_come_too_late_are_named() -> None:
    peaks = answers(0)
    assert [peak.code for peak in peaks] == ["cuts"]
    assert len(unanswered(peaks, 10**7)) == 6
    assert len(unanswered(peaks, None)) == 4
    invoke = InvokeEstimate(10**7, ())
    lines = list(lowest_peak_lines(peaks, peaks[0].peak_ram_bytes, invoke))
    assert [line for line in lines if line.endswith(": not looked at (time ran out)")] == lines[1:]
    assert lines[2].startswith("with bands, at most 10 % of Invoke more than cuts")
    assert not unanswered(answers(60), 10**7)


class Late(Planner):
    """Finds nothing in time."""

    def plan(
        self, request: PlanRequest, deadline: Deadline | None = None
    ) -> Outcome[PartitionPlan]:
        del request, deadline
        return Outcome(Status.UNKNOWN)


def test_no_answer_in_time_leaves_the_simpler_plan() -> None:
    cuts, planner = answers(0)[0], Late(table_of(EVERYTHING))
    assert cuts.is_proved
    assert isinstance(lowest_peak(planner, REQUEST, "streams"), str)
    found = lowest_peak(planner, REQUEST, "streams", simpler=cuts)
    assert isinstance(found, LowestPeak)
    assert found.plan is cuts.plan
    assert not found.is_proved


@pytest.mark.parametrize("invoke_insn", [0, 10**6, 4 * 10**6])
def test_peaks_at_a_price_are_those_of_the_questions_alone(invoke_insn: int) -> None:
    """Asked of fresh tables, the limited question first."""
    cuts, *peaks = answers(60, invoke_insn=invoke_insn)
    most = cuts.added_insn + invoke_insn // 10
    for found in peaks:
        kind = found.code.removesuffix("_within")
        if kind not in ("bands", "streams"):
            continue
        planner = Planner(table_of(Techniques(streams=kind == "streams")))
        limit = None if found.code == kind else most
        least = planner.plan(replace(REQUEST, goal=Goal(1, 0, max_cost=limit)))
        assert isinstance(least, SplitPlan)
        assert found.peak_ram_bytes == least.peak_ram_bytes
        goal = Goal(0, 1, capacity=found.peak_ram_bytes)
        cheapest = planner.plan(replace(REQUEST, goal=goal))
        assert isinstance(cheapest, SplitPlan)
        assert found.added_insn == cheapest.added_insn
        assert found.is_proved
        assert limit is None or found.added_insn <= limit


class LateAtAPrice(Planner):
    """Finds no lowest peak in time where the price is limited."""

    def plan(self, request: PlanRequest, deadline: Deadline | None = None) -> Answer:
        if request.goal.max_cost is not None and request.goal.ram_weight:
            return Outcome(Status.UNKNOWN)
        return super().plan(request, deadline)


def test_a_peak_at_any_price_answers_the_question_at_a_price() -> None:
    late = {peak.code: peak for peak in answers(60, LateAtAPrice)}
    in_time = {peak.code: peak for peak in answers(60)}
    for kind in ("bands", "streams"):
        within, free = late[f"{kind}_within"], late[kind]
        wanted = in_time[f"{kind}_within"]
        assert free.plan is within.plan
        assert within.is_proved
        assert within.is_cheapest
        assert within.code == wanted.code
        assert within.name == wanted.name
        assert within.peak_ram_bytes == wanted.peak_ram_bytes
        assert within.added_insn == wanted.added_insn


class LateAtAnyPrice(Planner):
    """Finds no lowest peak in time where the price is not limited."""

    def plan(self, request: PlanRequest, deadline: Deadline | None = None) -> Answer:
        if request.goal.max_cost is None and request.goal.ram_weight:
            return Outcome(Status.UNKNOWN)
        return super().plan(request, deadline)


def test_a_plan_at_a_price_is_one_at_any_price() -> None:
    late = {peak.code: peak for peak in answers(60, LateAtAnyPrice)}
    for kind in ("bands", "streams"):
        within, free = late[f"{kind}_within"], late[kind]
        assert free.plan is within.plan
        assert within.is_proved
        assert not free.is_proved
        assert within.peak_ram_bytes < late["cuts"].peak_ram_bytes
