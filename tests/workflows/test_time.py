"""timing.json from what a simulator counted; the simulator itself is a stand-in here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from splitopt.bundle.documents import dump, parse_document
from splitopt.bundle.host_run import whole_outputs
from splitopt.bundle.open import open_bundle
from splitopt.bundle.schema.timing import STEPS, Timing
from splitopt.config.target import TargetSpec, read_target
from splitopt.report.text.timing import op_rows, timing_columns, timing_lines, timing_rows
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.measured import OpTime, PieceTime, RunTime
from splitopt.runtime.simulator import Fvp, Qemu
from splitopt.workflows import time as timing_workflow
from splitopt.workflows.time import time_bundle

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "bundle_v1"


@pytest.mark.parametrize(("simulator", "unit"), [(Qemu(), "insn"), (Fvp(), "ticks")])
@pytest.mark.parametrize(("per_op", "restores"), [(False, False), (True, False), (False, True)])
def test_figures_are_the_largest_of_all_inputs_in_the_simulators_unit(
    simulator: Any,
    unit: str,
    per_op: bool,
    restores: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec: TargetSpec = read_target("qemu", tmp_path).model_copy(update={"inputs": 2})
    bundle = open_bundle(GOLDEN)
    feeds = random_inputs(bundle.graph, 2, bundle.plan.job.settings.verify.seed)
    outputs = tuple(tuple(sample) for sample in whole_outputs(bundle, feeds))

    def piece(used: int, amount: float) -> PieceTime:
        ops = (OpTime("RELU", amount),) if per_op else ()
        return PieceTime(used, 1, {step: amount + k for k, step in enumerate(STEPS)}, ops)

    def run(figures: tuple[Any, ...]) -> RunTime:
        one, two = (
            tuple(piece(own.arena_used_bytes, amount) for own in figures)
            for amount in (1000.0, 1500.4)
        )
        return RunTime((one, two), outputs)

    runs = run((bundle.plan.baseline,)), run(bundle.plan.segments)
    if restores:
        start = PieceTime(0, 0, {"construct": 11, "allocate": 12, "save": 13}, ())
        runs = runs[0], replace(runs[1], prepared=(start,) * len(bundle.pieces))
    program = tmp_path / "program.elf"
    program.write_bytes(b"elf")
    monkeypatch.setattr(timing_workflow, "simulator_of", lambda _: simulator)
    monkeypatch.setattr(timing_workflow, "find_library", lambda _: SimpleNamespace(library=program))
    monkeypatch.setattr(timing_workflow, "build_program", lambda *_, **__: program)
    monkeypatch.setattr(timing_workflow, "simulate", lambda *_: ())
    monkeypatch.setattr(timing_workflow, "measured", lambda *_: runs)
    found = time_bundle(GOLDEN, spec.model_copy(update={"per_op": per_op}))

    assert [check.status.value for check in found.checks] == ["passed", "passed"]
    timing, pieces = found.document, len(bundle.pieces)
    assert timing.unit == unit
    steps = [timing.pieces[0].simulated(step, unit) for step in STEPS]
    assert steps == [1500, 1501, 1502, 1503, 1504, 1505, 1506]
    assert timing.simulated("unsplit_inference", unit) == 1504 + 1505 + 1506
    assert timing.simulated("split_inference", unit) == pieces * sum(steps)
    assert timing.first is not None
    assert timing.first.simulated("unsplit", unit) == sum(steps)
    start = 11 + 12 + 13 if restores else 0
    assert timing.first.simulated("split", unit) == pieces * (sum(steps) + start)
    assert {len(row) for row in timing_rows(timing)} == {len(timing_columns(timing))}
    assert any("first inference" in line for line in timing_lines(timing)) == restores
    assert len(timing_rows(timing)) == pieces + 1
    assert len(op_rows(timing)) == (pieces + 1 if per_op else 0)
    assert any("Simulated on" in line for line in timing_lines(timing))
    data = json.loads(json.dumps(dump(timing)))
    assert parse_document(data, Timing, "timing.json") == parse_document(
        dump(timing), Timing, "again"
    )
    other = {"insn": "ticks", "ticks": "insn"}[unit]
    assert not [key for key in data["pieces"][0] if key.endswith(f"_{other}") and "simul" in key]
    assert list(data)[-1] == "checks"
    assert ("per_op" in data) is False
