"""Images of as many rows as a file may claim: planned in little time, and what is left out said."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from images import ImageNet
from limits import seconds
from planning_helpers import allowed_everywhere

from splitopt import InfeasibleError, Job
from splitopt.arena.rules import target_rules
from splitopt.base import limits
from splitopt.bundle.left_out import cause_text
from splitopt.graph.model import ModelGraph
from splitopt.planning import band_options
from splitopt.planning.band_options import BandTable
from splitopt.planning.left_out import left_out
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.tiling.geometry import MOST_BANDS, MOST_HEIGHTS
from splitopt.workflows.plan import plan
from splitopt.workflows.run import run_job


def tall(rows: int) -> ModelGraph:
    net = ImageNet(random.Random(1))
    source = net.image(rows, 2, 2)
    pooled = net.pool(net.conv(source, 3, 3, 1, "same"), "MAX_POOL_2D", 2, 2, "valid")
    return net.graph([source], [net.conv(pooled, 2, 3, 1, "same")])


def job(folder: Path, graph: ModelGraph) -> Job:
    model = folder / "tall.tflite"
    model.write_bytes(graph.source)
    return Job.of(model=str(model), board="corstone300_256k", objective={"minimise": "smallest"})


@pytest.mark.parametrize("rows", [20_000, 10**5, 10**7])
def test_a_model_that_is_too_tall_for_bands(rows: int, tmp_path: Path) -> None:
    graph, started = tall(rows), time.monotonic()
    try:
        notes = list(plan(job(tmp_path, graph)).plan.notes)
    except InfeasibleError as error:
        notes = [str(error)]
    assert time.monotonic() - started < seconds(20)
    assert "not run in bands" in " ".join(notes)


def test_a_tall_model_runs_in_some_of_its_bands(tmp_path: Path) -> None:
    """Equal to the model; the plans that are left out are few enough to be named."""
    made = run_job(job(tmp_path, tall(3000)), out=tmp_path)
    assert made.is_equal
    assert any(segment.is_banded for segment in made.plan.segments)
    assert "not every height" in " ".join(made.document.notes)
    assert "not every height" in (made.folder / "summary.txt").read_text()


def test_heights_and_bands_are_bounded() -> None:
    table = SegmentTable(tall(16_000), target_rules("m55"), techniques=Techniques()).bands
    for segment in table.segments:
        assert len(table.rows(*segment).heights) <= MOST_HEIGHTS
        assert all(2 <= len(p.bands) <= MOST_BANDS for p in table.plans(*segment))


def test_of_usual_images_every_height_is_tried() -> None:
    table = SegmentTable(tall(800), target_rules("m55"), techniques=Techniques())
    assert list(table.bands.rows(0, 3).heights) == list(range(1, 800))
    assert not left_out(table)


def test_tables_stay_within_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands that do not fit are left out, and the plan is not proved."""
    assert band_options.PLANNER_TABLES_BYTES == limits.PLANNER_TABLES_BYTES
    monkeypatch.setattr(band_options, "PLANNER_TABLES_BYTES", 20_000)
    table = SegmentTable(tall(200), target_rules("m55"), techniques=Techniques())
    request = PlanRequest(Goal(1, 0), allowed_everywhere(3), SolveParams())
    found = Planner(table).plan(request)
    bands, pool = table.bands, table.last_pool
    assert isinstance(bands, BandTable)
    assert not bands.is_complete
    assert isinstance(found, SplitPlan)
    assert found.status is Status.FEASIBLE
    assert found.unfinished is not None
    assert (found.unfinished.cause, cause_text(found.unfinished)) == (
        "memory",
        "Tables of bands are full",
    )
    again = Planner(table).plan(replace(request, goal=Goal(1000, 1)))
    assert isinstance(again, SplitPlan)
    assert again.status is Status.FEASIBLE
    assert (table.bands, table.last_pool) == (bands, pool), "they are kept for the next question"
