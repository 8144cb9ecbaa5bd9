"""Necks of detectors: inputs at several heights, two upsamplings, constants that broadcast."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from band_oracle import plans_of
from images import ImageNet, chance_neck
from planning_helpers import allowed_everywhere, every_option
from samples import seeds
from test_bands import Found, banded, pieces_of, require_equal

from splitopt.arena.rules import target_rules
from splitopt.config.job import Job
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.planning.job_table import segment_options
from splitopt.planning.pareto_front import plan_front
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest, request_of
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition import dp
from splitopt.solvers.partition.instance import Goal
from splitopt.tiling.check import check_bands
from splitopt.workflows.run import run_job

GOALS = [Goal(1, 0), Goal(0, 1), Goal(1000, 1)]


def whole_ends(graph: ModelGraph) -> Iterator[Found]:
    """Segments whose inputs are all read: the whole model may have others."""
    for start, stop, rows in banded(graph):
        if all(tensor in rows.tensors for tensor in segment_of(graph, start, stop).inputs):
            yield start, stop, rows


def test_an_input_at_a_quarter_of_the_rows_aligns_the_bands() -> None:
    """4 → 8 → 16 rows, and a skip of 16: no band starts between two rows of the lowest input."""
    net = ImageNet()
    low, skip = net.image(4, 3, 2), net.image(16, 12, 2)
    made = net.add(net.enlarge(net.conv(net.enlarge(low, 2), 2, 3, 1, "same"), 2), skip)
    graph = net.graph([low, skip], [made])
    rows = next(rows for start, stop, rows in banded(graph) if (start, stop) == (0, 4))
    assert rows.tensors[low].scale == Fraction(1, 4)
    found = list(plans_of(rows))
    assert found
    for plan in found:
        assert all(band.start % 4 == 0 for band in plan.bands)
        check_bands(graph, 0, 4, pieces_of(graph, 0, 4, rows, plan))


@pytest.mark.parametrize("block", seeds(1, 3))
def test_every_plan_of_necks_passes_the_checker(block: int) -> None:
    seen = quarters = 0
    for seed in range(24 * block, 24 * block + 24):
        graph = chance_neck(seed)
        for start, stop, rows in whole_ends(graph):
            scales = {rows.tensors[t].scale for t in segment_of(graph, start, stop).inputs}
            for plan in plans_of(rows):
                check_bands(graph, start, stop, pieces_of(graph, start, stop, rows, plan))
                seen += 1
                quarters += Fraction(1, 4) in scales
    assert seen > 165
    assert quarters > 15


@pytest.mark.parametrize("block", seeds(1, 2))
def test_banded_pieces_of_necks_are_equal(block: int, tmp_path: Path) -> None:
    rng = random.Random(block)
    for seed in range(block * 10, block * 10 + 10):
        graph = chance_neck(seed)
        possible = [found for found in whole_ends(graph) if any(plans_of(found[2]))]
        chosen = [(found, rng.choice(list(plans_of(found[2])))) for found in possible[:30]]
        folder = tmp_path / str(seed)
        folder.mkdir()
        if chosen:
            require_equal(graph, chosen, folder)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("block", seeds(1, 2))
def test_plans_of_necks_are_those_of_the_dynamic_programme(goal: Goal, block: int) -> None:
    """Over every option, unpruned."""
    for seed in range(4 * block, 4 * block + 4):
        graph = chance_neck(seed)
        planner = Planner(SegmentTable(graph, target_rules("m55"), techniques=Techniques()))
        request = PlanRequest(goal, allowed_everywhere(len(graph.ops)), SolveParams())
        everything = planner.instance(every_option(planner, request), goal)
        found, oracle = planner.plan(request), dp.solve(everything)
        assert isinstance(found, SplitPlan), seed
        assert found.status.name == "OPTIMAL", seed
        assert (oracle.bound or 0) <= found.cost <= (oracle.cost or 0), seed


def test_a_plan_that_saves_instructions(tmp_path: Path) -> None:
    """A constant of one row has the shape of a band of one row: TFLM then adds without
    broadcasting, which is quicker. The front holds such plans, too, above the unsplit model."""
    net = ImageNet()
    source = net.image(8, 32, 16)
    graph = net.graph([source], [net.shift(net.conv(source, 16, 1, 1, "same"), [1, 1, 32, 16])])
    model = tmp_path / "model.tflite"
    model.write_bytes(graph.source)
    job = Job.of(
        model=str(model),
        board="corstone300_64k",
        objective={"minimise": "weighted", "ram_weight": 0},  # `fit` cuts nothing that fits
        pieces={"streams": False, "rolled_ends": False, "switching": ["rebuild"]},
    )
    made = run_job(job, out=tmp_path)
    assert made.is_equal
    assert made.plan.status.name == "OPTIMAL"
    assert made.plan.added_insn < 0
    assert made.document.added_insn == made.plan.added_insn
    front = plan_front(Planner(segment_options(job, graph)), request_of(graph, job))
    assert front.plans[0].added_insn == made.plan.added_insn
    assert front.plans[0].peak_ram_bytes > made.baseline.ram_bytes
