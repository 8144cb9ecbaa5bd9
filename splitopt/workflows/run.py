"""One job from its file to its bundle; what the command line does, for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from splitopt.base.errors import NotEqualError
from splitopt.bundle.folder import BundleFolder, manifest, new_bundle
from splitopt.bundle.load import load_run
from splitopt.bundle.memory_json import graph_document, memory_document
from splitopt.bundle.open import COST_TABLE
from splitopt.bundle.plan_json import plan_document
from splitopt.bundle.schema_explain import RunExplanation
from splitopt.bundle.zz_onnx_names import add_onnx_names
from splitopt.bundle.zz_routes_json import contract, routes
from splitopt.config.job import Job
from splitopt.convert.open_model import ModelSource, open_model
from splitopt.explain.run import diagnose_run
from splitopt.pieces.offline_fit import check_written
from splitopt.pieces.onnx_route import OnnxRoute
from splitopt.pieces.piece_set import PieceSet, cut_flatbuffer
from splitopt.planning.lower_bound import floor_of
from splitopt.planning.refusals import refuse_outgrown
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.unsplit import Baseline, HandCuts
from splitopt.report.pages.run import render_run
from splitopt.report.text.summary import summary_text
from splitopt.verify.equality import Check, CheckStatus, PieceFile
from splitopt.verify.proof import Proof, feeds_of, judge_converted, prove_equal, verify_document
from splitopt.workflows.plan import Planned, plan_job
from splitopt.workflows.time import time_bundle

Progress = Callable[[str], None]

__all__ = ["RunResult", "not_equal", "plan_job", "require_equal", "run_job"]


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
    diagnosis: RunExplanation | None
    timing: dict[str, Any] | None = None

    @property
    def is_equal(self) -> bool:
        return all(check.status is not CheckStatus.FAILED for check in self.checks)


def run_job(
    job: Job, *, out: Path | None = None, verify: bool = True, progress: Progress = lambda _: None
) -> RunResult:
    """Plans, writes and proves the pieces; the bundle appears under `out` (or the job's `out`).

    Raises SplitoptError: UsageError and ModelError for wrong input, InfeasibleError where no plan
    fits, ToolError where a tool failed. Pieces that are not equal are no exception: the bundle is
    kept as evidence, and `RunResult.is_equal` is false.
    """
    source = open_model(job, progress)
    feeds = feeds_of(job, source) if verify else []
    route = OnnxRoute(job, source, progress) if job.spec.route == "pieces" else None
    with new_bundle(out or Path(job.spec.out), job.name) as bundle:
        planned = plan_job(job, source, progress, None if route is None else route.allowed)
        made = _make(job, route, planned)
        progress("writing pieces")
        files = _write_pieces(bundle, made)
        proof = Proof()
        if verify and made.route == "pieces" and route is not None:
            proof = judge_converted(job, source, route, files, progress)
        elif verify:
            proof = prove_equal(job, source, files, feeds, progress)
        document = _document(job, source, planned, made, proof, route)
        _write_documents(bundle, source, made, document)
        if job.spec.cost_table is not None:
            bundle.write_text(COST_TABLE, job.cost_table_text)
        bundle.write_json("memory.json", memory_document(planned.graph, planned.baseline, made))
        bundle.write_json("graph.json", graph_document(planned.graph, source.names))
        timing = None
        if job.target is not None and verify:
            timing = time_bundle(bundle.folder, job.target, progress)
            bundle.write_json("timing.json", timing.document)
        diagnosis = diagnose_run(
            bundle.folder, is_suspect=_is_suspect(document, proof), progress=progress
        )
        if diagnosis is not None:
            bundle.write_json("diagnosis.json", diagnosis.model_dump(mode="json"))
        if timing is not None:
            proof = replace(proof, checks=(*proof.checks, *timing.checks))
        bundle.write_json("verify.json", verify_document(job, proof))
        shown = None if timing is None else timing.document
        summary = summary_text(job, document, proof.checks, planned.limit, diagnosis, shown)
        bundle.write_text("summary.txt", summary)
        progress("writing the report")
        bundle.write_json("manifest.json", _manifest(job, bundle.folder))
        bundle.write_text("report.html", render_run(load_run(bundle.folder)))
        bundle.write_json("manifest.json", _manifest(job, bundle.folder))
    assert bundle.final is not None, "a bundle that was left has its name"
    return RunResult(
        folder=bundle.final,
        plan=made.plan,
        document=document,
        baseline=planned.baseline,
        by_hand=planned.by_hand,
        checks=proof.checks,
        limit=planned.limit,
        diagnosis=diagnosis,
        timing=shown,
    )


def _is_suspect(document: dict[str, Any], proof: Proof) -> bool:
    """Whether its outputs are worth a diagnosis."""
    warned = bool((document.get("conversion") or {}).get("warnings"))
    return proof.status is CheckStatus.FAILED or (warned and bool(proof.checks))


def _make(job: Job, route: OnnxRoute | None, planned: Planned) -> PieceSet:
    """A model that stays whole is not converted again."""
    if route is None or len(planned.plan.segments) == 1:
        made = cut_flatbuffer(planned.graph, planned.plan)
        for segment, piece in zip(made.plan.segments, made.data, strict=True):
            if segment.figures.has_offline_plan:
                check_written(piece, segment.figures.arena, planned.table.rules)
        return made
    made = route.convert(planned.planner, planned.plan)
    refuse_outgrown(job, planned.plan, made.plan)
    return made


def _write_pieces(bundle: BundleFolder, made: PieceSet) -> list[PieceFile]:
    files = []
    for segment, piece in zip(made.plan.segments, made.data, strict=True):
        path = bundle.pieces / segment.piece_name
        path.write_bytes(piece)
        files.append(PieceFile(path, segment.figures.segment, segment.figures.executions))
    return files


def _document(
    job: Job,
    source: ModelSource,
    planned: Planned,
    made: PieceSet,
    proof: Proof,
    route: OnnxRoute | None,
) -> dict[str, Any]:
    """plan.json."""
    document = plan_document(
        planned.graph,
        job,
        made,
        planned.baseline,
        planned.by_hand,
        floor_of(planned.table),
    )
    conversion = source.conversion
    if conversion is not None:
        document["conversion"] = conversion.record
    if route is not None and conversion is not None and made.route == "pieces":
        whole_s = conversion.record["conversion_s"]
        document["contract"] = contract(made, route.onnx_tensor_of)
        document["routes"] = routes(planned.plan, whole_s, made, proof.judgement)
    if source.names is not None:
        document = add_onnx_names(document, made.plan.segments, source.names)
    return document


def _write_documents(
    bundle: BundleFolder,
    source: ModelSource,
    made: PieceSet,
    document: dict[str, Any],
) -> None:
    if source.conversion is not None:
        (bundle.folder / "model.tflite").write_bytes(source.graph.source)
        log = source.conversion.log.read_text("utf-8")
        bundle.write_text("convert.log", log + made.log)
    if source.names is not None:
        bundle.write_json("correspondence.json", source.names.to_dict())
    bundle.write_json("plan.json", document)


def _manifest(job: Job, folder: Path) -> dict[str, Any]:
    inputs = {"job": job.file, "model": job.model_path}
    if job.data_path is not None:
        inputs["data"] = job.data_path
    calibration = job.spec.calibration
    if calibration is not None and (job.file.parent / calibration.path).is_file():
        inputs["calibration"] = job.file.parent / calibration.path
    if job.spec.cost_table is not None:
        inputs["cost_table"] = job.file.parent / job.spec.cost_table
    return manifest(folder, job.spec.verify.seed, inputs)


def not_equal(result: RunResult) -> NotEqualError:
    """The error that says which check failed, and where the evidence is."""
    failed = next(check for check in result.checks if check.status is CheckStatus.FAILED)
    return _failed(result.folder, failed)


def require_equal(folder: Path, checks: Sequence[Check]) -> None:
    """Raises NotEqualError for the first check that failed."""
    for check in checks:
        if check.status is CheckStatus.FAILED:
            raise _failed(folder, check)


_CAUSES = {
    "litert": "TFLM's own kernels disagree with LiteRT's, the pieces are not the cause "
    "(verify.litert: false leaves LiteRT out)",
    "target_bytes": "this TFLM library allocates otherwise than the one that the rules were "
    "measured on: do not rely on the plan's bytes with it",
    "target_outputs": "this TFLM library computes otherwise than the host's",
}


def _failed(folder: Path, check: Check) -> NotEqualError:
    cause = _CAUSES.get(check.name, "do not use these pieces")
    return NotEqualError(
        f"{folder}: check {check.name!r} failed ({check.compared}): {check.detail}; {cause}"
    )
