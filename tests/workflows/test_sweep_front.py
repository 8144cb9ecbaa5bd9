"""Exact fronts of sweeps, point by point against the dynamic programme and CP-SAT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from planning_helpers import every_option
from sweep_files import Ask, asking, points_of

from splitopt.arena.rules import target_rules
from splitopt.config.job import Job, read_job
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.allowed_cuts import allowed_segments
from splitopt.planning.job_table import techniques_of
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import dp
from splitopt.solvers.partition.instance import Goal
from splitopt.workflows.sweep.run import run_sweep

NO_RESIDENTS = "pieces: {switching: [rebuild, restore]}\n"


@pytest.fixture
def write(tmp_path: Path) -> Ask:
    return asking(tmp_path)


def dp_front(planner: Planner, request: PlanRequest) -> set[tuple[int, int, int]]:
    """By the DP alone: least added cost under every peak and every number of segments."""
    instance = planner.instance(every_option(planner, request), Goal(1, 0))
    peaks = sorted({instance.ram(option) for option in instance.options})
    found = set()
    for most in range(1, instance.n + 1):
        for peak in peaks:
            goal = Goal(0, 1, capacity=peak, max_segments=most)
            bound = replace(instance, goal=goal)
            outcome = dp.solve(bound, request.params)
            if outcome.status is Status.OPTIMAL:
                plan = outcome.found
                cost = sum(option.cost for option in plan.options)
                found.add((plan.layout.region_bytes, cost, len(plan.options)))
    return {
        p
        for p in found
        if not any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in found)
    }


@pytest.mark.parametrize(
    "cuts",
    [pytest.param([3, 6, 7, 9, 10], marks=pytest.mark.slow), [3, 6, 9, 10], [2, 6, 11]],
)
def test_the_front_is_what_an_exhaustive_dp_finds(
    cuts: list[int], write: Ask, tmp_path: Path
) -> None:
    """unet_digits, 13 ops, limited to few cuts so that the oracle ends: point by point."""
    job_lines = f"cut: {{allow: {cuts}}}\n{NO_RESIDENTS}"
    counted = len(cuts) > 3
    more = "measures: [peak_ram, added_time, pieces]\n" if counted else ""
    sweep = write("{budget_bytes: auto}", name="unet", job=job_lines, more=more)
    result = run_sweep(sweep, out=tmp_path / "out")
    job = read_job(tmp_path / "job.yaml")
    graph = read_tflite(job.model_path)
    planner = planner_of(graph, job)
    request = PlanRequest(Goal(1, 0), allowed_segments(graph, job), SolveParams(60.0))
    wanted = dp_front(planner, request)
    if counted:
        assert set(points_of(result.rows)) == wanted
    else:
        assert {point[:2] for point in points_of(result.rows)} == undominated_in_two(wanted)
    assert {row.status for row in result.rows} == {"OPTIMAL"}
    assert result.document.fronts[0].is_complete
    assert not any(row.dominated for row in result.rows)


def undominated_in_two(points: set[tuple[int, int, int]]) -> set[tuple[int, int]]:
    """In peak and added instructions."""
    found = {(peak, cost) for peak, cost, _ in points}
    return {
        (peak, cost)
        for peak, cost in found
        if not any((p, c) != (peak, cost) and p <= peak and c <= cost for p, c in found)
    }


def planner_of(graph: ModelGraph, job: Job) -> Planner:
    rules, headroom_bytes = target_rules("m55"), job.board.headroom_bytes
    return Planner(
        SegmentTable(graph, rules, headroom_bytes=headroom_bytes, techniques=techniques_of(job))
    )


@pytest.mark.parametrize("name", ["resnet8", "squeeze"])
def test_points_of_a_front_are_optima_of_their_budgets(
    name: str, write: Ask, tmp_path: Path
) -> None:
    """CP-SAT at a point's own budget, and just below: nothing as cheap. Every fifth point, and both
    ends."""
    sweep = write("{budget_bytes: auto}", name=name, job=NO_RESIDENTS)
    rows = run_sweep(sweep, out=tmp_path / "out").rows
    job = read_job(tmp_path / "job.yaml")
    graph = read_tflite(job.model_path)
    planner = planner_of(graph, job)
    allowed = allowed_segments(graph, job)
    assert len(rows) > 1
    points = points_of(rows)
    for peak, added, _ in [*points[::5], points[-1]]:
        goal = Goal(0, 1, capacity=peak)
        plan = planner.plan(PlanRequest(goal, allowed, SolveParams(60.0)))
        assert isinstance(plan, SplitPlan)
        assert plan.added_insn == added
        tighter = planner.plan(
            PlanRequest(replace(goal, capacity=peak - 1), allowed, SolveParams(60.0))
        )
        assert not isinstance(tighter, SplitPlan) or tighter.added_insn > added


@pytest.mark.parametrize("more", [pytest.param("", marks=pytest.mark.slow), NO_RESIDENTS])
def test_person_detect_and_its_golden_peaks(
    more: str, shared_model: Callable[[str], Path], write: Ask, tmp_path: Path
) -> None:
    sweep = write("{budget_bytes: auto}", job=more)
    (tmp_path / "board.yaml").write_text(
        "name: bare\nsram_bytes: 262144\nreserved_bytes: 0\nheadroom_bytes: 0\nclock_hz: 1\n"
    )
    text = sweep.read_text().replace(
        "auto}", f"auto, board: board.yaml, model: {shared_model('person_detect_int8')}}}"
    )
    sweep.write_text(text)
    rows = run_sweep(sweep, out=tmp_path / "out").rows
    assert (rows[0].peak_ram_bytes, rows[-1].peak_ram_bytes) == (82368, 22128)
    job = tmp_path / "job.yaml"
    cuts_only = "pieces: {bands: false, streams: false, offline_plans: false}\n"
    job.write_text(job.read_text("utf-8").replace(more, "") + cuts_only)
    alone = run_sweep(sweep, out=tmp_path / "out").rows
    assert (alone[0].peak_ram_bytes, alone[-1].peak_ram_bytes) == (82368, 62896)
    assert {row.added_insn for row in rows} - {row.added_insn for row in alone}
