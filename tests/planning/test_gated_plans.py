"""Plans of nets with gates of channels: a cut behind the gate lets bands and streams go on."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from gated_nets import GatedNet, mobile_net_v3_like
from planning_helpers import allowed_everywhere, dp_outcome

from splitopt.arena.rules import target_rules
from splitopt.config.job import Job
from splitopt.graph.model import ModelGraph
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.solvers.outcome import Status
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.tiling import rows
from splitopt.tiling.rows import gates_read
from splitopt.verify.check import CheckStatus
from splitopt.workflows.run import run_job

LEAST = Goal(ram_weight=1, cost_weight=0)


def block() -> ModelGraph:
    """One of MobileNetV3's on 24 rows: its MUL and what follows are the heaviest."""
    net = GatedNet(random.Random(0))
    source = net.image(24, 12, 4)
    wide = net.conv(source, 12, 3, 1, "same")
    gated = net.gated(wide, net.squeezed(wide, 4))
    return net.graph([source], [net.conv(net.conv(gated, 24, 1, 1, "same"), 4, 3, 2, "same")])


def planned(graph: ModelGraph, techniques: Techniques) -> tuple[SplitPlan, Planner, PlanRequest]:
    planner = Planner(SegmentTable(graph, target_rules("m55"), techniques=techniques))
    request = PlanRequest(LEAST, allowed_everywhere(len(graph.ops)), SolveParams(time_limit_s=60))
    plan = planner.plan(request)
    assert isinstance(plan, SplitPlan)
    return plan, planner, request


def in_rows(graph: ModelGraph, plan: SplitPlan) -> list[int]:
    """Gated ops that run in bands or in a stream."""
    segments = [s.figures.segment for s in plan.segments if s.is_banded or s.figures.stream]
    return [
        op.index
        for segment in segments
        for op in graph.ops[segment.start : segment.stop]
        if gates_read(graph, op)
    ]


@pytest.mark.parametrize("way", [Techniques(streams=False), Techniques(bands=False)])
def test_the_least_peak_is_that_of_all_options_and_lower_than_with_the_gate_whole(
    way: Techniques, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dynamic programme over every option, without pruning, is the oracle of the peak."""
    graph = block()
    plan, planner, request = planned(graph, way)
    assert plan.status is Status.OPTIMAL
    assert plan.peak_ram_bytes == dp_outcome(planner, request).cost
    assert in_rows(graph, plan)
    monkeypatch.setattr(rows, "_REPEATING", frozenset())
    before, _, _ = planned(graph, way)
    assert in_rows(graph, before) == []
    assert plan.peak_ram_bytes < before.peak_ram_bytes


def test_a_net_with_squeeze_and_excite_is_split_and_proved(tmp_path: Path) -> None:
    """Its pieces in bands and streams make what it makes, bit for bit, in TFLM. What sets the peak
    is an image that waits while MEAN makes its gate of all rows, and that is said."""
    graph = mobile_net_v3_like(48)
    (tmp_path / "net.tflite").write_bytes(graph.source)
    job = Job.of(
        model=tmp_path / "net.tflite",
        board="corstone300_64k",
        objective={"minimise": "smallest"},
        verify={"inputs": 2},
    )
    done = run_job(job, out=tmp_path / "out")
    assert in_rows(graph, done.plan)
    checks = {check.name: check.status for check in done.checks}
    waiting = next(op for op in graph.ops if gates_read(graph, op))
    assert done.diagnosis is not None
    [said] = [remedy for remedy in done.diagnosis.memory.remedies if remedy.code == "boundary"]
    assert f"9,216 B of it wait for {graph.op_name(waiting.index)} until all rows" in said.next_step
    assert checks["outputs"] is checks["boundaries"] is CheckStatus.PASSED
