"""Documents that reports are tested on: runs of the project's models, and sweeps made of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from once import made_once
from pydantic import BaseModel

from splitopt.bundle.documents import dump, parse_document, row_lines
from splitopt.bundle.front_marks import budget_costs, marks_of
from splitopt.bundle.load import (
    PointPlan,
    RunDocuments,
    SweepDocuments,
    load_run,
    record_of_data,
)
from splitopt.bundle.schema.common import Shape
from splitopt.bundle.schema.manifest import Manifest
from splitopt.bundle.schema.memory import Memory
from splitopt.bundle.schema.outputs import Finding, Outputs, SamplesRun, Severity
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.sweep import PlannedRecord, Record, Sweep
from splitopt.bundle.schema.timing import STEPS, Timing
from splitopt.config.board import Board
from splitopt.config.job import aiming, read_job
from splitopt.workflows.run import run_job

JOBS = Path(__file__).resolve().parents[1] / "configs" / "jobs"
Document = dict[str, Any]
S = TypeVar("S", bound=Shape)

CHECKS = [
    ("outputs", "passed", "pieces in TFLM = unsplit model in TFLM", 8, 0, ""),
    ("boundaries", "failed", "5 boundary tensors = the same inside", 8, 3.0, "piece 02 differs"),
    ("litert", "skipped", "unsplit model in TFLM = LiteRT", 0, 0, "LiteRT is absent"),
]
OUTPUTS = Outputs(
    verdict="1 fault found.",
    samples=SamplesRun(source="random inputs", run=2, total=2, random=True, statistics=None),
    outputs=None,
    pieces=(),
    boundaries=(),
    findings=(
        Finding(
            code="pieces_exchanged",
            severity=Severity.FAULT,
            title="Piece 02 was exchanged",
            where="pieces/02.tflite",
            evidence=("its SHA-256 is another",),
            next_step="run the job again",
        ),
    ),
)


def kept_bundle(name: str, factory: pytest.TempPathFactory) -> Path:
    """What `run_bundle` makes, for tests that do not change it."""
    return made_once(factory, f"bundle_{name}", partial(run_bundle, name))


def run_bundle(name: str, out: Path) -> Path:
    """The bundle of one of the project's jobs, its pieces not run; with checks of every status."""
    job = read_job(JOBS / f"{name}.yaml")
    if not job.spec.objective.model_fields_set:
        job = aiming(job, "weighted")
    folder = run_job(job, out=out, verify=False).folder
    path = folder / "verify.json"
    verify = json.loads(path.read_text("utf-8"))
    keys = ("name", "status", "compared", "inputs", "worst_difference", "detail")
    verify["checks"] = [dict(zip(keys, check, strict=True)) for check in CHECKS]
    verify["status"] = "failed"
    path.write_text(json.dumps(verify), "utf-8")
    return folder


def changed(model: S, change: Callable[[Any], Any]) -> S:
    """The model with an edit of its plain data, checked again."""
    data = dump(model)
    change(data)
    return parse_document(data, type(model), "changed")


def timing_document() -> Timing:
    """Of one piece, each step of its own length."""
    run = {
        "measured_arena_used_bytes": 123_456,
        "predicted_arena_used_bytes": 123_456,
        "executions": 1,
        **{f"simulated_{step}_insn": 1000 + k for k, step in enumerate(STEPS)},
        "estimated_allocate_insn": 1002,
        "estimated_invoke_insn": 1004,
    }
    return parse_document(
        {
            "schema_version": 1,
            "simulator": "qemu",
            "unit": "insn",
            "caveat": "These are not CPU cycles.",
            "inputs": 1,
            "seed": 0,
            "program_sha256": "0",
            "library": "libtflm.a",
            "library_sha256": "0",
            "unsplit": run,
            "pieces": [{"index": 0, "piece": "00.tflite", **run}],
            "simulated_unsplit_inference_insn": 3012,
            "simulated_split_inference_insn": 6015,
            "simulated_added_insn": 3003,
            "estimated_added_insn": 3000,
            "checks": [],
        },
        Timing,
        "timing.json",
    )


def run_documents(folder: Path) -> RunDocuments:
    """With all that is optional."""
    loaded = load_run(folder)
    assert loaded.diagnosis is not None
    diagnosis = loaded.diagnosis.model_copy(update={"outputs": OUTPUTS})
    return replace(loaded, timing=timing_document(), diagnosis=diagnosis)


def synthetic_sweep(run: RunDocuments, points: int, seed: int = 0) -> SweepDocuments:
    """Points around a real plan, no two alike: two boards, infeasible, unknown and failed ones.

    The piece that sets the peak of each is the unsplit model: the most that a map can hold.
    """
    chance = random.Random(seed)
    records, plans = [], {}
    for number in range(points):
        name = f"{number:04d}"
        board = "board_a" if number % 3 else "board_b"
        kind = "planned" if number % 10 else ("infeasible", "unknown", "failed")[number // 10 % 3]
        record = _record(run.plan, name, board, kind, chance)
        records.append(record)
        if kind == "planned":
            plans[name] = _plan(run, record, chance)
    sweep = _sweep_document(records, run.manifest)
    return SweepDocuments(sweep, tuple(records), plans)


def _record(plan: Plan, name: str, board: str, kind: str, chance: random.Random) -> Record:
    planned = kind == "planned"
    pieces = chance.randint(2, 9)
    status = {"planned": "OPTIMAL", "failed": "FAILED"}.get(kind, kind.upper())
    data = {
        "id": name,
        "kind": "budget",
        "job": "job",
        "model": plan.model.path,
        "board": board,
        "budget_bytes": 200_000 + 500 * int(name),
        "objective": {"minimise": "smallest" if int(name) % 2 else "weighted"},
        "max_pieces": None,
        "status": "FEASIBLE" if planned and int(name) % 7 == 0 else status,
        "peak_ram_bytes": 230_000 + 16 * chance.randint(0, 4000) if planned else None,
        "added_insn": chance.randint(2_000_000, 3_000_000) if planned else None,
        "pieces": pieces if planned else None,
        "cuts": sorted(chance.sample(range(1, plan.model.ops), pieces - 1)) if planned else None,
        "exact": int(name) % 5 != 0 if planned else None,
        "largest_arena_bytes": 220_000 if planned else None,
        "unsplit_ram_bytes": plan.baseline.ram_bytes,
        "estimated_invoke_insn": plan.invoke_insn,
        "floor": dump(plan.floor),
        "smallest_feasible_budget_bytes": 238_848 if kind == "infeasible" else None,
        "plan": f"plans/{name}/plan.json" if planned else None,
        "wall_s": chance.random(),
        "solver_s": 0.01,
        "shared_from": None,
        "error": "job.yaml: $.board: no such board" if kind == "failed" else None,
        "dominated": planned and chance.random() < 0.8,
    }
    return record_of_data(data, name)


def _plan(run: RunDocuments, record: Record, chance: random.Random) -> PointPlan:
    """A first piece with nearly all ops, its tail drawn at random; then pieces of one op each."""
    plan, memory = dump(run.plan), dump(run.memory)
    ops, rest = run.plan.model.ops, (record.pieces or 1) - 1
    starts = [0, *range(ops - rest, ops)]
    spans = list(zip(starts, [*starts[1:], ops], strict=True))
    first = {**plan["segments"][0], "stream": None, "rolled": []}
    plan["segments"] = [
        {**first, "index": k, "start": start, "stop": stop, "piece": None, "sha256": None,
         "ram_bytes": record.peak_ram_bytes if k == 0 else 5000}
        for k, (start, stop) in enumerate(spans)
    ]  # fmt: skip
    plan["peak_ram_bytes"] = record.peak_ram_bytes
    whole = memory["unsplit"]
    tail = chance.randint(1000, 60_000)
    arena = {**whole, "tail_bytes": tail, "arena_bytes": whole["head_bytes"] + tail + 1024}
    empty = {**arena, "buffers": []}
    memory["segments"] = [
        {**(empty if start else arena), "ops": list(range(start, stop))} for start, stop in spans
    ]
    memory["region_bytes"] = arena["arena_bytes"]
    return PointPlan(
        parse_document(plan, Plan, "plan.json"), parse_document(memory, Memory, "memory.json")
    )


def _sweep_document(records: list[Record], manifest: Manifest) -> Sweep:
    boards = sorted({record.board for record in records if record.board})
    planned = [record for record in records if record.plan and not record.dominated]
    data = {
        "schema_version": 1,
        "name": "synthetic",
        "path": "synthetic.yaml",
        "settings": {"grid": {"budget_bytes": {"start": 1, "stop": 2, "step": 1}}},
        "wall_s": 12.5,
        "solver_s": 3.25,
        "points": len(records),
        "counts": {"OPTIMAL": sum(record.plan is not None for record in records)},
        "fronts": [
            {
                "model": planned[0].model,
                "board": board,
                "is_complete": board == "board_a",
                "points": [record.id for record in planned if record.board == board],
                **_marks([record for record in planned if record.board == board]),
            }
            for board in boards
        ],
        "versions": manifest.versions,
        "command": ["splitopt", "sweep", "synthetic.yaml"],
        "created_utc": "2026-01-01T00:00:00+00:00",
    }
    return parse_document(data, Sweep, "sweep.json")


def _marks(points: list[Record]) -> Document:
    front = [point for point in points if isinstance(point, PlannedRecord)]
    swept = Board(name="swept", sram_bytes=1 << 20)
    boards = [swept, Board(name="small", sram_bytes=1 << 12)]
    marks = marks_of(front, boards, swept)
    return {"marks": [*map(dump, marks)], "budgets": [*map(dump, budget_costs(front))]}


def write_sweep(documents: SweepDocuments, folder: Path) -> None:
    """The folder that the engine of sweeps would leave."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.json").write_text(json.dumps(dump(documents.sweep)), "utf-8")
    (folder / "records.jsonl").write_text(row_lines(documents.records), "utf-8")
    for name, point in documents.plans.items():
        home = folder / "plans" / name
        home.mkdir(parents=True)
        (home / "plan.json").write_text(json.dumps(dump(point.plan)), "utf-8")
        (home / "memory.json").write_text(json.dumps(dump(point.memory)), "utf-8")


_WORDS = {"OPTIMAL", "FEASIBLE", "INFEASIBLE", "UNKNOWN", "FAILED", "passed", "failed", "skipped"}
_WORDS |= {"tensor", "scratch", "whole", "pieces", "fault", "warning", "note"}


def hostile(value: Any, text: str, key: str = "") -> Any:
    """The same document with `text` for every word that is not one of the format's own; unchecked:
    a reader would refuse some of it."""
    if isinstance(value, BaseModel):
        names = [*type(value).model_fields, *(value.model_extra or {})]
        words = {name: hostile(getattr(value, name), text, name) for name in names}
        return value.model_copy(update=words)
    if isinstance(value, dict):
        free = key in ("tail_by_category", "versions", "inputs", "files", "interpreters")
        return {
            (f"{text}{name}" if free else name): hostile(inner, text, name)
            for name, inner in value.items()
        }
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: hostile(inner, text, name) for name, inner in value})
    if isinstance(value, list | tuple):
        return type(value)(hostile(inner, text, key) for inner in value)
    ours = not isinstance(value, str) or value in _WORDS or key in ("id", "plan", "points", "unit")
    return value if ours else text
