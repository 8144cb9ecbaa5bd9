"""One job from its file to its bundle; what the command line does, for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solvers.outcome import Outcome
from splitopt.arena.rules import target_rules
from splitopt.baseline import Baseline, HandCuts, unsplit
from splitopt.bridge import CutNames, Planner, request_of
from splitopt.bundle import BundleFolder, manifest, new_bundle
from splitopt.errors import InfeasibleError, ModelError, NotEqualError, ToolError, UsageError
from splitopt.graph.model import ModelGraph
from splitopt.job import Job
from splitopt.limits import floor_of, limiting_sentence
from splitopt.model_source import ModelSource, open_model
from splitopt.onnx_names import add_onnx_names, cut_names, fused_away
from splitopt.pieces.inputs import Array, given_inputs, random_inputs
from splitopt.pieces.verify import Check, CheckStatus, PieceFile, verify_pieces
from splitopt.pieces.writer import write_piece
from splitopt.plan import Infeasible, SplitPlan
from splitopt.plan_json import plan_document
from splitopt.segment_table import SegmentTable
from splitopt.summary import summary_text
from splitopt.target.host import litert_version, tflm_version
from splitopt.units import format_bytes, plural

Progress = Callable[[str], None]


@dataclass(frozen=True)
class RunResult:
    """A finished run: its bundle, and what stands in it."""

    folder: Path
    plan: SplitPlan
    document: dict[str, Any]
    baseline: Baseline
    by_hand: tuple[HandCuts, ...]
    checks: tuple[Check, ...]
    limit: str

    @property
    def is_equal(self) -> bool:
        return all(check.status is not CheckStatus.FAILED for check in self.checks)


@dataclass(frozen=True)
class _Planned:
    """Everything that is known before pieces are written."""

    graph: ModelGraph
    table: SegmentTable
    plan: SplitPlan
    baseline: Baseline
    by_hand: tuple[HandCuts, ...]
    limit: str


def run_job(
    job: Job, *, out: Path | None = None, verify: bool = True, progress: Progress = lambda _: None
) -> RunResult:
    """Plans, writes and proves the pieces; the bundle appears under `out` (or the job's `out`).

    Raises SplitoptError: UsageError and ModelError for wrong input, InfeasibleError where no plan
    fits, ToolError where a tool failed. Pieces that are not equal are no exception: the bundle is
    kept as evidence, and `RunResult.is_equal` is false.
    """
    source = open_model(job, progress)
    graph = source.graph
    feeds = _feeds(job, graph) if verify else []
    with new_bundle(out or Path(job.spec.out), job.name) as bundle:
        planned = plan_job(job, source, progress)
        progress("writing pieces")
        files, document = _write_plan(bundle, job, planned, source)
        checks: tuple[Check, ...] = ()
        if verify:
            progress(f"running model and pieces in TFLM on {len(feeds[0])} inputs")
            checks = verify_pieces(
                graph,
                source.path,
                files,
                feeds,
                timeout_s=job.spec.verify.time_limit_s,
                litert=job.spec.verify.litert,
            )
        bundle.write_json("verify.json", _verify_document(job, checks, feeds))
        bundle.write_text("summary.txt", summary_text(job, document, checks, planned.limit))
        bundle.write_json("manifest.json", _manifest(job, bundle.folder))
    assert bundle.final is not None, "a bundle that was left has its name"
    return RunResult(
        folder=bundle.final,
        plan=planned.plan,
        document=document,
        baseline=planned.baseline,
        by_hand=planned.by_hand,
        checks=checks,
        limit=planned.limit,
    )


def plan_job(job: Job, source: ModelSource, progress: Progress = lambda _: None) -> _Planned:
    """Chooses the cuts of the job's model. Raises SplitoptError."""
    graph, names = source.graph, source.names
    rules = target_rules(job.board.abi)
    table = SegmentTable(
        graph,
        rules,
        headroom_bytes=job.board.headroom_bytes,
        zero_arena=job.spec.pieces.zero_arena,
    )
    baseline = unsplit(table)
    _refuse_stateful(job, graph, baseline)
    planner = Planner(table, progress)
    answer = planner.plan(
        request_of(graph, job, CutNames(cut_names(graph, names), fused_away(names)))
    )
    if isinstance(answer, Infeasible):
        raise _infeasible(job, table, answer)
    if isinstance(answer, Outcome):
        raise ToolError(
            f"{job.file}: no plan was found within {job.spec.solve.time_limit_s:g} s, and none was "
            "ruled out; raise solve.time_limit_s"
        )
    by_hand = planner.by_hand(len(answer.segments))
    limit = limiting_sentence(graph, table, answer)
    return _Planned(graph, table, answer, baseline, by_hand, limit)


def _refuse_stateful(job: Job, graph: ModelGraph, baseline: Baseline) -> None:
    """A piece is rebuilt at each inference, and AllocateTensors zeroes variables."""
    stateful = [f"tensor {t.index} {t.name!r}" for t in graph.variables]
    stateful += [graph.op_name(op.index) for op in graph.ops if op.type in _STATEFUL_OPS]
    if stateful:
        raise ModelError(
            f"{job.model_path}: keeps state between inferences ({stateful[0]}"
            f"{', ...' if len(stateful) > 1 else ''}), which rebuilding a piece would erase; "
            f"run it unsplit (arena {format_bytes(baseline.ram_bytes)})"
        )


_STATEFUL_OPS = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})


def _infeasible(job: Job, table: SegmentTable, answer: Infeasible) -> InfeasibleError:
    floor = floor_of(table)
    op = table.graph.op_name(floor.op)
    if answer.least is None:
        return InfeasibleError(
            f"{job.file}: no plan keeps the limits on cuts, pieces and added time at any budget; "
            "loosen pieces.max, cut or objective.max_added_insn"
        )
    least, pieces = answer.least.peak_ram_bytes, plural(len(answer.least.segments), "piece")
    sure = "" if answer.least.status.name == "OPTIMAL" else " found in time"
    error = InfeasibleError(
        f"{job.file}: no set of cuts{_limits(job)} fits {format_bytes(job.budget_bytes)}; "
        f"the smallest feasible budget{sure} is {format_bytes(least)} ({pieces}); {op} sets "
        f"the floor: a piece with it needs at least {format_bytes(floor.least_ram_bytes)}"
        f"{_rests_on(answer.least)}"
    )
    error.facts = {
        "status": "INFEASIBLE",
        "budget_bytes": job.budget_bytes,
        "smallest_feasible_budget_bytes": least,
        "smallest_is_proved": answer.least.status.name == "OPTIMAL",
        "exact": answer.least.exact,
        "pieces": len(answer.least.segments),
        "floor": {
            "op": floor.op,
            "type": table.graph.ops[floor.op].type,
            "live_bytes": floor.live_bytes,
            "least_ram_bytes": floor.least_ram_bytes,
        },
    }
    return error


def _limits(job: Job) -> str:
    """The job's own limits that narrow the choice of cuts, as words; empty where there are none."""
    spec = job.spec
    found = {
        "pieces.max": spec.pieces.max is not None,
        "cut.allow": spec.cut.allow is not None,
        "cut.forbid": bool(spec.cut.forbid),
        "objective.max_added_insn": spec.objective.max_added_insn is not None,
    }
    named = [name for name, is_set in found.items() if is_set]
    return f" under the job's {', '.join(named)}" if named else ""


def _rests_on(plan: SplitPlan) -> str:
    """A warning where bytes are estimates; nothing where they are exact."""
    if plan.exact:
        return ""
    reasons = dict.fromkeys(r for s in plan.segments for r in s.figures.arena.estimates)
    return f" (estimates on the safe side: {next(iter(reasons))})"


def _feeds(job: Job, graph: ModelGraph) -> list[Array]:
    """Random inputs, then the user's own samples."""
    verify = job.spec.verify
    feeds = random_inputs(graph, verify.inputs, verify.seed)
    if job.data_path is None:
        if verify.key is not None:
            raise UsageError(f"{job.file}: $.verify.key: there is no verify.data to take it from")
        return feeds
    given = given_inputs(graph, job.data_path, verify.key, f"{job.file}: $.verify.data")
    return [np.concatenate([a, b]) for a, b in zip(feeds, given, strict=True)]


def _write_plan(
    bundle: BundleFolder, job: Job, planned: _Planned, source: ModelSource
) -> tuple[list[PieceFile], dict[str, Any]]:
    data = [write_piece(planned.graph, s.figures.segment) for s in planned.plan.segments]
    files = []
    for segment, piece in zip(planned.plan.segments, data, strict=True):
        path = bundle.pieces / segment.piece_name
        path.write_bytes(piece)
        files.append(PieceFile(path, segment.figures.segment))
    document = plan_document(
        planned.graph,
        job,
        planned.plan,
        planned.baseline,
        planned.by_hand,
        floor_of(planned.table),
        data,
    )
    if source.conversion is not None:
        document["conversion"] = source.conversion.record
        (bundle.folder / "model.tflite").write_bytes(planned.graph.source)
        bundle.write_text("convert.log", source.conversion.log.read_text("utf-8"))
    if source.names is not None:
        document = add_onnx_names(document, planned.plan.segments, source.names)
        bundle.write_json("correspondence.json", source.names.to_dict())
    bundle.write_json("plan.json", document)
    return files, document


def _verify_document(job: Job, checks: Sequence[Check], feeds: Sequence[Array]) -> dict[str, Any]:
    verify = job.spec.verify
    return {
        "schema_version": 1,
        "status": _verdict(checks).value,
        "seed": verify.seed,
        "random_inputs": verify.inputs if feeds else 0,
        "given_inputs": len(feeds[0]) - verify.inputs if feeds else 0,
        "interpreters": {"tflite-micro": tflm_version(), "ai-edge-litert": litert_version()},
        "checks": [
            {
                "name": check.name,
                "status": check.status.value,
                "compared": check.compared,
                "inputs": check.inputs,
                "worst_difference": check.worst_difference,
                "detail": check.detail,
            }
            for check in checks
        ],
    }


def _verdict(checks: Sequence[Check]) -> CheckStatus:
    if not checks:
        return CheckStatus.SKIPPED
    failed = any(check.status is CheckStatus.FAILED for check in checks)
    return CheckStatus.FAILED if failed else CheckStatus.PASSED


def _manifest(job: Job, folder: Path) -> dict[str, Any]:
    inputs = {"job": job.file, "model": job.model_path}
    if job.data_path is not None:
        inputs["data"] = job.data_path
    calibration = job.spec.calibration
    if calibration is not None and (job.file.parent / calibration.path).is_file():
        inputs["calibration"] = job.file.parent / calibration.path
    return manifest(folder, job.spec.verify.seed, inputs)


def not_equal(result: RunResult) -> NotEqualError:
    """The error that says which check failed, and where the evidence is."""
    failed = next(check for check in result.checks if check.status is CheckStatus.FAILED)
    cause = (
        "TFLM's own kernels disagree with LiteRT's, the pieces are not the cause "
        "(verify.litert: false leaves LiteRT out)"
        if failed.name == "litert"
        else "do not use these pieces"
    )
    return NotEqualError(
        f"{result.folder}: check {failed.name!r} failed ({failed.compared}): {failed.detail}; "
        f"{cause}"
    )
