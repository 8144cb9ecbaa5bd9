"""One job from its file to its bundle; what the command line does, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from splitopt.base.errors import NotEqualError
from splitopt.base.progress import Progress
from splitopt.base.text import plain_text
from splitopt.base.units import plural
from splitopt.bundle.documents import dump
from splitopt.bundle.folder import BundleFolder, new_bundle
from splitopt.bundle.load import load_run
from splitopt.bundle.plan_json import plan_document, with_conversion, with_routes
from splitopt.bundle.run_record import record_of
from splitopt.bundle.schema.explain import RunExplanation
from splitopt.bundle.schema.plan import Plan
from splitopt.bundle.schema.timing import Timing
from splitopt.bundle.thresholds import Threshold, broken, require_none_broken
from splitopt.bundle.verify_json import verify_document
from splitopt.config.job import Job, job_from
from splitopt.config.own import results_folder
from splitopt.convert.open_model import ModelSource, open_model
from splitopt.explain.run import diagnose_run
from splitopt.pieces.offline_fit import check_written
from splitopt.pieces.onnx_route import OnnxRoute
from splitopt.pieces.piece_set import PieceSet, cut_flatbuffer
from splitopt.planning.lower_bound import single_op_bound
from splitopt.planning.refusals import refuse_outgrown
from splitopt.planning.split_plan import PlannedSegment, SplitPlan
from splitopt.planning.unsplit import Baseline, HandCuts
from splitopt.report.charts.drawing import Drawing, drawing_of
from splitopt.report.charts.memory_map import LEGEND
from splitopt.report.pages.run import memory_maps, render_run
from splitopt.report.text.answer import answer_text
from splitopt.report.text.summary import run_text
from splitopt.runtime.arrays import Array
from splitopt.runtime.host import StreamFiles
from splitopt.verify.chains import PieceFile
from splitopt.verify.check import Check, CheckStatus
from splitopt.verify.probe import require_runnable
from splitopt.verify.proof import Proof, given_feeds, judge_converted, prove_equal
from splitopt.workflows.plan import Planned, plan_html, plan_job, plan_line
from splitopt.workflows.run_files import choice_entries, manifest_of, write_documents
from splitopt.workflows.time import TimedBundle, time_bundle


@dataclass(frozen=True, repr=False)
class RunResult:
    """A finished run: the folder of its bundle, and what stands in it.

    `plan`: the plan that was written, bytes and estimated instructions. `document`: plan.json.
    `checks`: each comparison of pieces and model, none where they were not run. `limit`: a sentence
    on what sets the peak. `diagnosis`, `timing`: as in the bundle, where they are.
    `is_interrupted`: Ctrl-C ended its planning. `own_inputs`: how many inputs of the checks are
    the user's samples.
    """

    folder: Path
    plan: SplitPlan
    document: Plan
    baseline: Baseline
    by_hand: tuple[HandCuts, ...]
    checks: tuple[Check, ...]
    limit: str
    diagnosis: RunExplanation | None
    timing: Timing | None = None
    is_interrupted: bool = False
    own_inputs: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether no check failed."""
        return all(check.status is not CheckStatus.FAILED for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """plan.json, with the folder and the outcome of each check."""
        checks = [{"name": c.name, "status": c.status.value} for c in self.checks]
        return {**dump(self.document), "run_dir": str(self.folder), "checks": checks}

    def broken(self, limits: Sequence[Threshold]) -> tuple[str, ...]:
        """A line for each limit that the run's figures break."""
        record = record_of(self.document, [(c.name, c.status.value) for c in self.checks])
        return broken(limits, record.figures, record.unsplit)

    def require(self, lines: Sequence[str] = ()) -> None:
        """Raises NotEqualError where a check failed, ThresholdError for `lines` of `broken`."""
        require_equal(self.folder, self.checks)
        require_none_broken(lines, self.to_dict() if lines else None)

    def memory_maps(self) -> tuple[Drawing, ...]:
        """The memory map of each piece's arena to scale; notebooks show them as SVG."""
        documents = load_run(self.folder)
        charts = memory_maps(documents.plan, documents.memory)
        return tuple(drawing_of([chart], LEGEND) for _, chart in charts)

    def __repr__(self) -> str:
        return f"<RunResult {self._line}; {self.folder}>"

    def _repr_html_(self) -> str:
        return plan_html(self._line, self.plan)

    @property
    def _line(self) -> str:
        passed = sum(check.status is CheckStatus.PASSED for check in self.checks)
        checks = f"{passed} of {plural(len(self.checks), 'check')} passed"
        return f"{plan_line(self.baseline, self.plan)}, {checks if self.checks else 'not run'}"


def run_job(
    job: Job | str | Path,
    *,
    out: str | Path | None = None,
    verify: bool = True,
    allow_commands: bool = False,
    keep_interrupted: bool = False,
    progress: Progress = lambda _: None,
) -> RunResult:
    """Plans, writes and proves the pieces; the bundle appears under `out` (or the job's `out`).

    `job`: a job, or the path of a job file, whose programs run only with `allow_commands`.
    The bundle is a new folder `out/<job>/<date and time>`, whole or not at all. `verify=False`
    leaves the pieces unproved, and the bundle says so. `keep_interrupted`: the first Ctrl-C while
    it plans ends the planning only, and the bundle has the best plan so far, if there is one.

    Raises SplitoptError: UsageError and ModelError for wrong input, InfeasibleError where no plan
    fits, ToolError where a tool failed. Pieces that are not equal are no exception: the bundle is
    kept as evidence, and `RunResult.is_equal` is false.

    >>> from tempfile import TemporaryDirectory
    >>> from splitopt import load_bundle, read_job
    >>> with TemporaryDirectory() as out:
    ...     result = run_job(read_job("configs/jobs/squeeze_digits.yaml"), out=out)
    ...     documents = load_bundle(result.folder)
    >>> result.is_equal, result.plan.peak_ram_bytes, type(documents).__name__
    (True, 12320, 'RunDocuments')
    """
    job = job_from(job, allow_commands=allow_commands)
    home = results_folder(job.spec.out, out, str(job.file))
    source = open_model(job, progress)
    given = given_feeds(job, source) if verify else []
    if verify:
        require_runnable(job, source, progress)
    route = OnnxRoute(job, source, progress) if job.spec.route == "pieces" else None
    with new_bundle(home, job.name) as bundle:
        allowed = None if route is None else route.allowed
        planned = plan_job(
            job, source, progress, allowed, keep_interrupted=keep_interrupted, with_choices=True
        )
        made = _make(job, route, planned)
        progress("writing pieces")
        files = _write_pieces(bundle, made)
        proof = _prove(job, source, made, route, files, given, progress) if verify else Proof()
        document = _document(job, source, planned, made, proof, route)
        write_documents(bundle, job, source, planned, made, document)
        timed = _time(bundle, job, progress) if verify else None
        diagnosis = None
        if not planned.is_interrupted:  # it would plan again
            is_suspect = _is_suspect(document, proof)
            diagnosis = _diagnose(bundle, is_suspect=is_suspect, progress=progress)
        if timed is not None:
            proof = replace(proof, checks=(*proof.checks, *timed.checks))
        timing = None if timed is None else timed.document
        details = tuple(run_text(document, proof.checks, planned.limit, diagnosis, timing))
        bundle.write_json("verify.json", verify_document(job, proof))

        def finish(final: Path) -> None:
            answer = answer_text(document, proof.checks, str(final), proof.own_inputs)
            _finish(bundle, job, plain_text((*answer, *details)), progress)

        bundle.last = finish
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
        timing=timing,
        is_interrupted=planned.is_interrupted,
        own_inputs=proof.own_inputs,
    )


def _prove(
    job: Job,
    source: ModelSource,
    made: PieceSet,
    route: OnnxRoute | None,
    files: Sequence[PieceFile],
    given: Sequence[Array],
    progress: Progress,
) -> Proof:
    """Pieces of the int8 model must equal it; pieces that were converted are judged by accuracy."""
    if route is not None and made.route == "pieces":
        return judge_converted(job, source, route, files, progress)
    return prove_equal(job, source, files, given, progress)


def _time(bundle: BundleFolder, job: Job, progress: Progress) -> TimedBundle | None:
    """timing.json, where the job names a target to run on."""
    if job.target is None:
        return None
    timed = time_bundle(bundle.folder, job.target, progress)
    bundle.write_json("timing.json", timed.document)
    return timed


def _diagnose(
    bundle: BundleFolder, *, is_suspect: bool, progress: Progress
) -> RunExplanation | None:
    """diagnosis.json, where explaining it does not take long."""
    found = diagnose_run(bundle.folder, is_suspect=is_suspect, progress=progress)
    if found is not None:
        bundle.write_json("diagnosis.json", found)
    return found


def _finish(bundle: BundleFolder, job: Job, summary: str, progress: Progress) -> None:
    """summary.txt, report.html; the manifest last, as it names every file."""
    bundle.write_text("summary.txt", summary)
    progress("writing the report")
    bundle.write_json("manifest.json", manifest_of(job, bundle.folder))  # which the report shows
    bundle.write_text("report.html", render_run(load_run(bundle.folder)))
    bundle.write_json("manifest.json", manifest_of(job, bundle.folder))


def _is_suspect(document: Plan, proof: Proof) -> bool:
    """Whether outputs may be wrong: a check failed or warns, or the conversion has warnings."""
    warned = document.conversion is not None and bool(document.conversion.warnings)
    failed = proof.status is CheckStatus.FAILED
    return failed or proof.has_warnings or (warned and bool(proof.checks))


def _make(job: Job, route: OnnxRoute | None, planned: Planned) -> PieceSet:
    """A model that stays whole is not converted again."""
    if route is None or len(planned.plan.segments) == 1:
        made = cut_flatbuffer(planned.graph, planned.plan)
        for segment, own in zip(made.plan.segments, made.files, strict=True):
            if segment.figures.has_offline_plan or segment.figures.stream is not None:
                check_written(own, segment.figures, planned.table.rules)
        return made
    made = route.convert(planned.planner, planned.plan)
    refuse_outgrown(job, planned.plan, made.plan)
    return made


def _write_pieces(bundle: BundleFolder, made: PieceSet) -> list[PieceFile]:
    files = []
    for segment, own in zip(made.plan.segments, made.files, strict=True):
        figures, paths = segment.figures, [bundle.pieces / name for name in segment.piece_names]
        for path, data in zip(paths, own, strict=True):
            path.write_bytes(data)
        placed = figures.stream
        stream = None if placed is None else StreamFiles(placed.stream, tuple(paths))
        places = _rolled_places(made.plan, segment)
        files.append(PieceFile(paths[0], figures.segment, figures.executions, stream, places))
    return files


def _rolled_places(plan: SplitPlan, segment: PlannedSegment) -> dict[int, int]:
    """Where the segment's ends lie, if some may share bytes."""
    ends = {*segment.figures.segment.inputs, *segment.figures.segment.outputs}
    found = [p for p in plan.placements if p.first_segment <= segment.index <= p.last_segment]
    places = {p.tensor: p.offset for p in found if p.tensor in ends and p.memory is None}
    return places if segment.rolled else {}


def _document(
    job: Job,
    source: ModelSource,
    planned: Planned,
    made: PieceSet,
    proof: Proof,
    route: OnnxRoute | None,
) -> Plan:
    """plan.json."""
    document = plan_document(
        planned.graph,
        job,
        made,
        planned.baseline,
        planned.by_hand,
        single_op_bound(planned.table),
        source.names,
        source.io,
    )
    more = {"proof": proof.status.value, "choices": choice_entries(planned, made)}
    document = document.model_copy(update=more)
    conversion = source.conversion
    if conversion is not None:
        document = with_conversion(document, conversion.record)
    if route is not None and made.route == "pieces":
        document = with_routes(document, planned.plan, made, proof.judgement, route.onnx_tensor_of)
    return document


def require_equal(folder: Path, checks: Sequence[Check]) -> None:
    """Raises NotEqualError for the first check that failed; `folder` holds the evidence."""
    for check in checks:
        if check.status is CheckStatus.FAILED:
            cause = _CAUSES.get(check.name, "do not use these pieces")
            raise NotEqualError(
                f"{folder}: check {check.name!r} failed ({check.compared}): {check.detail}; {cause}"
            )


_CAUSES = {
    "target_bytes": "this TFLM library allocates otherwise than the one that the rules were "
    "measured on: do not rely on the plan's bytes with it",
    "target_outputs": "this TFLM library computes otherwise than the host's",
}
