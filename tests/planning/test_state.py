"""Models that keep state between inferences: planned as one piece, nothing refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from models import add_chain
from stateful_models import svdf_net

from splitopt.base.errors import InfeasibleError
from splitopt.config.job import Job
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.planning.state import segments_without_loss, state_note, stateful_ops
from splitopt.workflows.plan import plan

SVDFS = (1, 3)


def job_of(home: Path, model: bytes, **settings: object) -> Job:
    path = home / "state.tflite"
    path.write_bytes(model)
    return Job.of(model=str(path), board="corstone300_64k", **settings)


def test_a_segment_may_have_state_only_where_it_is_the_whole_model() -> None:
    graph = parse_tflite(svdf_net(), name="net")
    assert stateful_ops(graph) == SVDFS
    may, n = segments_without_loss(graph), len(graph.ops)
    for start in range(n):
        for stop in range(start + 1, n + 1):
            has_state = any(start <= op < stop for op in SVDFS)
            assert may[start, stop] == (not has_state or (start, stop) == (0, n))


def test_models_without_state_lose_none() -> None:
    graph = parse_tflite(add_chain([[1, 2, 3, 4]] * 3), name="net")
    assert segments_without_loss(graph).all()
    assert not stateful_ops(graph)
    assert not state_note(graph)


@pytest.mark.parametrize("minimise", ["peak_ram", "added_time"])
def test_it_stays_in_one_piece_and_the_plan_says_why(minimise: str, tmp_path: Path) -> None:
    """Two pieces would need less; state that is lost is no plan."""
    found = plan(job_of(tmp_path, svdf_net(), objective={"minimise": minimise}))
    assert (found.plan.status.name, found.cuts, found.added_insn) == ("OPTIMAL", (), 0)
    assert found.peak_ram_bytes <= found.unsplit_ram_bytes
    [note] = [note for note in found.plan.notes if "state" in note]
    assert "op 1 SVDF, op 3 SVDF keep state between inferences" in note
    assert [cuts.cuts for cuts in found.by_hand] == [()]
    assert found.limit.startswith("The unsplit model sets the peak (head ")
    assert "no cut" not in found.limit


def test_a_budget_that_is_too_small_is_told_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match=r"\(1 piece\).*keep state between inferences"):
        plan(job_of(tmp_path, svdf_net(), budget_bytes=2000))
