"""What explain says on a board whose second memory may hold boundary tensors and inputs: against
brute force over places, and the plan that a run makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from model_facts import facts, small

from splitopt.arena.rules import target_rules
from splitopt.bundle.schema.explain import ModelExplanation
from splitopt.config.job import Job
from splitopt.explain.fit import answer_text
from splitopt.explain.text import model_text
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.job_table import switching_of
from splitopt.planning.outside import Outside
from splitopt.planning.segment import CUTS_ONLY
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unfinished import Cause
from splitopt.workflows.plan import plan

INSIDE = "with boundary tensors in the main SRAM"
BOARD = """
name: far
sram_bytes: %d
headroom_bytes: 0
memories:
  - {name: far-ram, bytes: 65536, holds: [boundary, model_input], written: always,
     read_cost: 2.0, write_cost: 2.0}
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelExplanation, Path]:
    """Less than any plan takes that keeps boundary tensors in the main SRAM."""
    home = tmp_path_factory.mktemp("far")
    model, board = small(home), home / "far.yaml"
    board.write_text(BOARD % 65536)
    lows = facts(model, board)
    board.write_text(BOARD % (min(peak.peak_ram_bytes for peak in lows.lowest_peaks) - 16))
    return facts(model, board), home


def test_the_bound_is_the_least_over_all_places(found: tuple[ModelExplanation, Path]) -> None:
    explained, home = found
    job = Job.of(model=home / "small.tflite", board=home / "far.yaml")
    memories = plan_table(job)
    n = explained.ops
    every = [(a, b) for a in range(n) for b in range(a + 1, n + 1)]
    ram = [
        {segment: table.ram(*segment) for segment in every}
        for table in (memories.placed(Outside(a, b)) for a in (None, 0) for b in (None, 0))
    ]
    least = [min(own[a, b] for own in ram for a, b in every if a <= op < b) for op in range(n)]
    assert explained.floor.least_ram_bytes == max(least)
    assert explained.least is not None
    assert explained.floor.least_ram_bytes < explained.least.peak_ram_bytes
    text = model_text(explained)
    assert f"{INSIDE} (proved)" in explained.verdict
    assert f"Lowest peak RAM by technique {INSIDE}:" in text
    assert "wherever you cut and wherever boundary tensors lie" in text


def test_the_plan_says_what_it_has_in_the_memory(found: tuple[ModelExplanation, Path]) -> None:
    explained, home = found
    job = Job.of(
        model=home / "small.tflite", board=home / "far.yaml", objective={"minimise": "fit"}
    )
    own = plan(job).plan
    inputs = read_tflite(home / "small.tflite").inputs
    [held] = explained.fit_outside
    far = [placed for placed in own.placements if placed.memory == "far-ram"]
    assert held.size_bytes == own.memories[0].boundary_bytes
    assert held.input_bytes == sum(p.size_bytes for p in far if p.tensor in inputs)
    of = f", of it {held.input_bytes:,} B model input" if held.input_bytes else ""
    line = f"Boundary tensors beside the main SRAM: far-ram ({held.size_bytes:,} B{of})."
    lines = answer_text(explained).split("\n")
    assert line in lines
    assert lines[-2].startswith("Next: splitopt run ")
    assert "when it is split and uses memories beside" in explained.verdict


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("time_limit", "time ran out; a longer --time-limit may find a cheaper one."),
        ("interrupt", "planning was interrupted; a cheaper one may exist."),
    ],
)
def test_what_is_not_proved_is_said(
    found: tuple[ModelExplanation, Path], cause: Cause, says: str
) -> None:
    explained, _ = found
    assert explained.fit is not None
    left = {"cause": cause, "segments": 1, "segments_without_bands": 0, "options": 0}
    left |= {"bounded_options": 0, "unproved_bytes": 0}
    fit = explained.fit.model_dump() | {"is_cheapest": False, "unfinished": left}
    late = ModelExplanation.model_validate(
        explained.model_dump() | {"fit": fit, "lowest_peaks": explained.lowest_peaks[:2]}
    )
    text = answer_text(late)
    assert f"not proved: {says}" in text
    assert "\ncheapest that fits (unproved) " in text
    assert "\nThe other kinds were not looked at in time." in text
    none = late.model_copy(update={"fit": None, "is_fit_open": True})
    assert answer_text(none).startswith("MAY FIT far: no plan within ")


def plan_table(job: Job) -> SegmentTable:
    switching = switching_of(job.board, ())
    graph = read_tflite(job.model_path)
    return SegmentTable(
        graph, target_rules("m55"), techniques=replace(CUTS_ONLY, switching=switching)
    )
