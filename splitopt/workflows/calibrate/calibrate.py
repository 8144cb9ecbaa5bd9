"""Measures generated models on a simulator, fits a cost table, and tests it on other models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from splitopt.arena.kernel import OpView
from splitopt.base.errors import ToolError
from splitopt.base.progress import Progress
from splitopt.base.units import align_up
from splitopt.bundle.folder import sha256_of
from splitopt.config.target import TargetSpec
from splitopt.convert.cache import default_folder
from splitopt.cost.allocate import summed_weights
from splitopt.cost.costs import Preparation, built_in, estimate_invoke, parse_costs
from splitopt.cost.invoke import insn_of, kernel_of
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.planning.job_table import Pricing, priced_segments
from splitopt.planning.unsplit import unsplit
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.job_blob import PlannedRun, pack, unsplit_run
from splitopt.runtime.measured import measured
from splitopt.runtime.program import build_program
from splitopt.runtime.simulator import Simulator, simulate, simulator_of
from splitopt.runtime.tflm_library import TflmLibrary, find_library
from splitopt.workflows.calibrate.fit import Point, estimate_errors, fit, fit_prepare
from splitopt.workflows.calibrate.models import Sample, generated, quantize_chain

_SLACK_BYTES = 4096
_RUNS_AT_ONCE = 64


@dataclass(frozen=True)
class _Counted:
    """One model on the target: bytes, and instructions of AllocateTensors and of Invoke."""

    graph: ModelGraph
    arena_used_bytes: int
    predicted_bytes: int
    allocate: Point
    invoke: float


def calibrate(
    spec: TargetSpec, held_out: Sequence[Path], progress: Progress = lambda _: None
) -> dict[str, Any]:
    """The document of a cost table, with its errors on the `held_out` models.

    Raises SplitoptError; ToolError for a simulator that does not count instructions.
    """
    simulator = simulator_of(spec)
    if simulator.unit != "insn":
        raise ToolError(
            f"{simulator.name}: it counts {simulator.unit}, and a cost table is in instructions; "
            "use --target qemu"
        )
    library = find_library(spec.tflm)
    progress("building the simulator's program")
    program = build_program(library, default_folder())
    samples = generated()
    graphs = [parse_tflite(s.data, name=s.op_type, where=s.label) for s in samples]
    progress(f"measuring {len(samples)} generated models on {simulator.name}")
    counted = list(_count(simulator, program, graphs, spec.time_limit_s))
    chains = [parse_tflite(quantize_chain(n), name="chain", where="a chain") for n in (1, 2)]
    one, two = _count(simulator, program, chains, spec.time_limit_s)
    # An Invoke of one op takes a + b, of two equal ops a + 2b: a = 2 (a + b) - (a + 2b).
    document = _table(simulator, library, samples, counted, 2 * one.invoke - two.invoke)
    judged = [read_tflite(path) for path in held_out]
    if judged:
        progress(f"measuring {len(judged)} models that the table was not fitted on")
    real = list(_count(simulator, program, judged, spec.time_limit_s))
    document["held_out"] = [
        _judged(path, c, document) for path, c in zip(held_out, real, strict=True)
    ]
    return document


def _count(
    simulator: Simulator, program: Path, graphs: Sequence[ModelGraph], timeout_s: float
) -> Iterator[_Counted]:
    for at in range(0, len(graphs), _RUNS_AT_ONCE):
        some = graphs[at : at + _RUNS_AT_ONCE]
        planned = [_planned(graph) for graph in some]
        runs = [run for run, _, _ in planned]
        blob = pack(runs, {op.type for graph in some for op in graph.ops})
        times = measured(simulate(simulator, program, blob, timeout_s), simulator, runs)
        for graph, (_, used, estimate), time in zip(some, planned, times, strict=True):
            [[piece]] = time.samples
            allocate = Point(estimate, piece.steps["allocate"])
            yield _Counted(graph, piece.arena_used_bytes, used, allocate, piece.steps["invoke"])


def _planned(graph: ModelGraph) -> tuple[PlannedRun, int, int]:
    """(the model as one piece with spare arena, predicted bytes, estimated AllocateTensors)."""
    baseline = unsplit(priced_segments(graph, Pricing(abi="m55")))
    size = align_up(baseline.arena.size_bytes + _SLACK_BYTES, 16)
    run = unsplit_run(graph, size, random_inputs(graph, 1, 0))
    return run, baseline.arena.used_bytes, baseline.allocate_insn


def _table(
    simulator: Simulator,
    library: TflmLibrary,
    samples: Sequence[Sample],
    counted: Sequence[_Counted],
    per_invoke: float,
) -> dict[str, Any]:
    by_type: dict[str, list[_Counted]] = {}
    for sample, count in zip(samples, counted, strict=True):
        if not _is_float(count.graph):  # prepares less: no scales are converted
            by_type.setdefault(sample.op_type, []).append(count)
    invoke = _by_kernel(counted, per_invoke)
    prepare = {name: _prepare(name, found) for name, found in sorted(by_type.items())}
    weight = built_in().allocate.fully_connected_weight + prepare["FULLY_CONNECTED"][1]
    off = [
        f"{s.op_type} {s.label}: {c.arena_used_bytes:,} B, predicted {c.predicted_bytes:,} B"
        for s, c in zip(samples, counted, strict=True)
        if c.arena_used_bytes != c.predicted_bytes
    ]
    return {
        "schema_version": 2,
        "about": f"Instructions counted on {simulator.name}. {simulator.caveat}",
        "simulator": simulator.name,
        "library_sha256": sha256_of(library.library.read_bytes()),
        "models": len(samples),
        "models_of_other_bytes": off,
        "per_invoke_insn": round(per_invoke, 2),
        "invoke": {name: fit(points).model_dump() for name, points in invoke.items()},
        "prepare": {name: entry.model_dump() for name, (entry, _) in prepare.items()},
        "fully_connected_weight": round(max(0.0, weight), 6),
        "built_in_errors": {
            "invoke": {name: estimate_errors(points) for name, points in invoke.items()},
            "allocate": {
                name: estimate_errors([count.allocate for count in found])
                for name, found in sorted(by_type.items())
            },
        },
    }


def _is_float(graph: ModelGraph) -> bool:
    return graph.tensors[graph.outputs[0]].dtype.name == "FLOAT32"


def _by_kernel(counted: Sequence[_Counted], per_invoke: float) -> dict[str, list[Point]]:
    """Invoke estimated and counted, by the kernel's name; kernels without an estimate, or with one
    model only, are not there."""
    found: dict[str, list[Point]] = {}
    for count in counted:
        kernel = kernel_of(count.graph, count.graph.ops[0])
        insn = None if kernel is None else insn_of(kernel)
        if kernel is not None and insn is not None:
            found.setdefault(kernel.name, []).append(Point(insn, count.invoke - per_invoke))
    return {name: points for name, points in sorted(found.items()) if len(points) > 1}


def _prepare(op_type: str, counted: Sequence[_Counted]) -> tuple[Preparation, float]:
    table = built_in().allocate
    known = table.per_op.get(op_type, table.per_other_op)
    weights = None
    if op_type == "FULLY_CONNECTED":
        weights = [summed_weights(OpView(c.graph, c.graph.ops[0])) for c in counted]
    return fit_prepare([count.allocate for count in counted], known, weights)


def _judged(path: Path, count: _Counted, document: Mapping[str, Any]) -> dict[str, Any]:
    """A real model under the new table and under the built-in one: signed relative errors."""
    table = json.dumps(document)
    new = parse_costs(table, "the table")
    ops = len(count.graph.ops)
    before = estimate_invoke(built_in(), count.graph, 0, ops)
    after = estimate_invoke(new, count.graph, 0, ops)
    pricing = Pricing(abi="m55", cost_table=table)
    allocate = unsplit(priced_segments(count.graph, pricing)).allocate_insn
    return {
        "model": path.name,
        "simulated_invoke_insn": round(count.invoke),
        "invoke_error": round(after.insn / count.invoke - 1, 6),
        "built_in_invoke_error": round(before.insn / count.invoke - 1, 6),
        "unmeasured": list(after.unmeasured),
        "simulated_allocate_insn": round(count.allocate.measured),
        "allocate_error": round(allocate / count.allocate.measured - 1, 6),
        "built_in_allocate_error": round(count.allocate.estimated / count.allocate.measured - 1, 6),
        "bytes_equal": count.arena_used_bytes == count.predicted_bytes,
    }
