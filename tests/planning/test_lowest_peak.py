"""The lowest peak by technique, each against the dynamic programme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from limits import seconds
from planning_helpers import allowed_everywhere, dp_outcome

from splitopt.arena.rules import target_rules
from splitopt.config.given import Given
from splitopt.config.job_keys import SolveSpec
from splitopt.convert.open_model import open_model
from splitopt.explain.model import explain_model
from splitopt.explain.subject import subject_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import Switching
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal

MODELS = Path(__file__).resolve().parents[2] / "configs" / "models"
FindModel = Callable[[str], Path]


@pytest.mark.parametrize(
    "name",
    [pytest.param("person_detect_int8", marks=pytest.mark.slow), "kws_dscnn_int8", "ad01_int8"],
)
def test_they_are_what_runs_reach(name: str, shared_model: FindModel, tmp_path: Path) -> None:
    """Jobs with the same techniques, each by the dynamic programme over all of its options."""
    model = shared_model(name)
    board = tmp_path / "bare.yaml"
    board.write_text("name: bare\nsram_bytes: 65536\nheadroom_bytes: 0\n")
    job = subject_of(model, Given(board=str(board)))
    patient = job.spec.model_copy(update={"solve": SolveSpec(time_limit_s=seconds(300))})
    found = explain_model(replace(job, spec=patient), open_model(job))
    graph = read_tflite(model)
    assert [peak.code for peak in found.lowest_peaks] == [
        "cuts",
        "offline_plans",
        "bands_within",
        "bands",
        "streams_within",
        "streams",
        "stays",
        "input_by_rows",
    ]
    assert all(peak.is_proved for peak in found.lowest_peaks)
    assert found.least is not None
    cuts, offline, bands_within, bands, streams_within, streams, stays, by_rows = found.lowest_peaks
    assert (cuts.peak_ram_bytes, cuts.added_insn) == (
        found.least.peak_ram_bytes,
        found.least.added_insn,
    )
    most = cuts.added_insn + found.invoke_insn // 10
    in_bands = Techniques(streams=False, rolled_ends=True)
    everything = replace(in_bands, streams=True)
    staying = replace(everything, switching=Switching(may_reside=True))
    planners: dict[Techniques, Planner] = {}
    for peak, techniques, limit in (
        (offline, replace(in_bands, bands=False, two_heights=False, rolled_ends=False), None),
        (bands_within, in_bands, most),
        (bands, in_bands, None),
        (streams_within, everything, most),
        (streams, everything, None),
        (stays, staying, None),
        (by_rows, replace(staying, input_by_rows=True), None),
    ):
        if techniques not in planners:
            table = SegmentTable(graph, target_rules("m55"), techniques=techniques)
            planners[techniques] = Planner(table)
        n = len(graph.ops)
        allowed = allowed_everywhere(n) & has_both_ends(graph)
        request = PlanRequest(Goal(1, 0, max_cost=limit), allowed, SolveParams(60.0))
        # The bound of the programme holds for loads, before a layout.
        best = dp_outcome(planners[techniques], request)
        assert (best.bound or 0) <= peak.peak_ram_bytes <= (best.cost or 0)
        assert best.status is not Status.OPTIMAL or best.cost == peak.peak_ram_bytes
    lines = found.lowest_peak_lines
    assert lines[0].startswith(f"cuts only: {cuts.peak_ram_bytes:,} B (proved); Invoke and copies")
    for k, (peak, line) in enumerate(zip(found.lowest_peaks[1:], lines[1:], strict=True), 1):
        simpler = found.lowest_peaks[:k]
        is_known = any(
            p.peak_ram_bytes <= peak.peak_ram_bytes and p.added_insn <= peak.added_insn
            for p in simpler
        )
        assert (f"{peak.name}: nothing below" in line) == is_known
    assert found.lowest_bytes == stays.peak_ram_bytes, "what a plan does by itself"
    worth = {remedy.code for remedy in found.remedies if remedy.worth_bytes}
    assert ("input_by_rows" in worth) == (by_rows.peak_ram_bytes < stays.peak_ram_bytes)
    assert worth >= {"bands", "streams"} or name == "ad01_int8"


def test_streams_get_lower_than_bands_for_less(tmp_path: Path) -> None:
    """Bands compute rows twice."""
    board = tmp_path / "bare.yaml"
    board.write_text("name: bare\nsram_bytes: 65536\nheadroom_bytes: 0\n")
    job = subject_of(MODELS / "unet_digits_int8.tflite", Given(board=str(board)))
    found = explain_model(job, open_model(job))
    peaks = {peak.code: peak for peak in found.lowest_peaks}
    assert peaks["streams"].peak_ram_bytes < peaks["bands"].peak_ram_bytes == 25_680
    assert peaks["streams"].streams > 0
    assert peaks["streams"].added_insn < peaks["bands"].added_insn
    assert "nothing below" not in found.lowest_peak_lines[5]
