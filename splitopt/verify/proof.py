"""A plan's pieces run against the model: proved equal, or judged where they cannot be equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from splitopt.base.errors import UsageError
from splitopt.base.limits import PROOF_BYTES
from splitopt.base.progress import Progress
from splitopt.config.job import Job
from splitopt.convert.calibration import Preprocess, preprocessed
from splitopt.convert.convert import samples_of
from splitopt.convert.open_model import ModelSource
from splitopt.graph.model import ModelGraph
from splitopt.pieces.onnx_route import OnnxRoute
from splitopt.planning.state import stateful_ops
from splitopt.runtime.arrays import Array, given_inputs, quantise, random_inputs
from splitopt.verify.accuracy import RouteJudgement, judge_pieces
from splitopt.verify.chains import PieceFile, boundary_tensors
from splitopt.verify.check import VARIED, Check, CheckStatus
from splitopt.verify.equality import verify_pieces
from splitopt.verify.integer_io import io_check
from splitopt.verify.litert import COMPARED, litert_check
from splitopt.verify.sequence import sequence_check

_HELD_OUT = 4
"""How many samples that calibration held out a proof runs on, where the job names none."""


@dataclass(frozen=True)
class Proof:
    """What was checked, on how many inputs of which kind.

    `judgement`: the figures of pieces that were converted one by one, None for others.
    """

    checks: tuple[Check, ...] = ()
    random_inputs: int = 0
    given_inputs: int = 0
    held_out_inputs: int = 0
    judgement: RouteJudgement | None = None

    @property
    def own_inputs(self) -> int:
        """Samples of the user's."""
        return self.given_inputs + self.held_out_inputs

    @property
    def status(self) -> CheckStatus:
        if not self.checks:
            return CheckStatus.SKIPPED
        failed = any(check.status is CheckStatus.FAILED for check in self.checks)
        return CheckStatus.FAILED if failed else CheckStatus.PASSED

    @property
    def has_warnings(self) -> bool:
        """Whether something differs, and the pieces are not the cause."""
        warned = [check.name for check in self.checks if check.status is CheckStatus.WARNING]
        return any(name != VARIED for name in warned)


def given_feeds(job: Job, source: ModelSource) -> list[Array]:
    """The user's own samples, float ones prepared as calibration data are; where none are named,
    the first that calibration held out, if there was one.

    Raises UsageError.
    """
    verify, graph = job.spec.verify, source.graph
    if job.data_path is None:
        if verify.key is not None:
            raise UsageError(f"{job.file}: $.verify.key: give verify.data as well")
        return _held_out_feeds(source)
    where = f"{job.file}: $.verify.data"
    preprocess = Preprocess() if source.request is None else source.request.preprocess
    prepare = partial(preprocessed, preprocess=preprocess)
    return given_inputs(graph, job.data_path, verify.key, where, prepare)


def _held_out_feeds(source: ModelSource) -> list[Array]:
    if source.request is None or source.conversion is None:
        return []
    graph, samples = source.graph, samples_of(source.request, source.conversion, source.graph)
    return [
        quantise(values[:_HELD_OUT, np.newaxis], graph.tensors[tensor])
        for values, tensor in zip(samples.held_out, graph.inputs, strict=True)
    ]


def feeds_of(
    job: Job, graph: ModelGraph, given: Sequence[Array], files: Sequence[PieceFile]
) -> list[Array]:
    """Random inputs, then the given ones: made when there are pieces to run on them.

    Raises UsageError where inputs and boundary tensors of all samples exceed PROOF_BYTES; of
    samples that the job does not name, as many are taken as there is room for.
    """
    verify = job.spec.verify
    held = {*graph.inputs, *boundary_tensors(files)}
    each = sum(graph.tensors[tensor].bytes for tensor in held)
    if job.data_path is None:
        room = max(0, PROOF_BYTES // max(1, each) - verify.inputs)
        given = [values[:room] for values in given]
    count = verify.inputs + (len(given[0]) if given else 0)
    if count * each > PROOF_BYTES:
        raise UsageError(
            f"{job.file}: $.verify.inputs: {count} inputs with the tensors that are compared hold "
            f"{count * each:,} bytes, at most {PROOF_BYTES:,} are held; want at most "
            f"{PROOF_BYTES // each} inputs in all"
        )
    feeds = random_inputs(graph, verify.inputs, verify.seed)
    if not given:
        return feeds
    return [np.concatenate([a, b]) for a, b in zip(feeds, given, strict=True)]


def prove_equal(
    job: Job,
    source: ModelSource,
    files: Sequence[PieceFile],
    given: Sequence[Array],
    progress: Progress,
) -> Proof:
    """Pieces of one int8 model against that model, bit for bit, on random inputs and those given;
    and an integer model against the one with float ends.

    Raises UsageError for more inputs than can be held, ToolError.
    """
    verify = job.spec.verify
    feeds = feeds_of(job, source.graph, given, files)
    progress(f"running model and pieces in TFLM on {len(feeds[0])} inputs")
    checks = verify_pieces(
        source.graph,
        source.path,
        files,
        feeds,
        timeout_s=verify.time_limit_s,
    )
    litert = _litert(job, source, feeds, progress)
    sequence = _sequence(job, source, feeds, progress)
    checks = (*checks, litert, *sequence, *_io_checks(job, source, progress))
    own = len(feeds[0]) - verify.inputs
    is_named = job.data_path is not None
    return Proof(checks, verify.inputs, own if is_named else 0, 0 if is_named else own)


def _io_checks(job: Job, source: ModelSource, progress: Progress) -> Iterator[Check]:
    """That integer inputs and outputs mean what the float ones of the model as given mean."""
    if source.io is not None and source.given is not None:
        progress("running the model with float inputs and outputs in TFLM")
        verify, given = job.spec.verify, source.io.given
        held = {*given.inputs, *given.outputs, *(end.given for end in source.io.changed)}
        each = sum(given.tensors[tensor].bytes for tensor in held)
        count = max(1, min(verify.inputs, PROOF_BYTES // each))
        limit_s = verify.time_limit_s
        yield io_check(source.io, source.given, source.path, count, verify.seed, limit_s)


def _sequence(
    job: Job, source: ModelSource, feeds: Sequence[Array], progress: Progress
) -> Iterator[Check]:
    """That a model's state is carried from one inference to the next as LiteRT does it."""
    if stateful_ops(source.graph) and job.spec.verify.litert:
        progress("running the inputs as one sequence in LiteRT")
        fed = dict(zip(source.graph.inputs, feeds, strict=True))
        yield sequence_check(source.graph, source.path, fed, job.spec.verify.time_limit_s)


def _litert(job: Job, source: ModelSource, feeds: Sequence[Array], progress: Progress) -> Check:
    if not job.spec.verify.litert:
        return Check.skipped("litert", COMPARED, "switched off")
    progress("running each op in LiteRT")
    fed = dict(zip(source.graph.inputs, feeds, strict=True))
    return litert_check(source.graph, source.path, fed, job.spec.verify.time_limit_s)


def judge_converted(
    job: Job,
    source: ModelSource,
    route: OnnxRoute,
    files: Sequence[PieceFile],
    progress: Progress,
) -> Proof:
    """Pieces that were converted one by one against the whole, on held-out data.

    Raises ToolError.
    """
    progress("running the float model on held-out samples")
    held_out = route.held_out()
    progress(f"running model and pieces in TFLM on {held_out.count} held-out samples")
    verify = job.spec.verify
    judgement = judge_pieces(
        source.graph, source.path, files, held_out, verify.time_limit_s, litert=verify.litert
    )
    checks = (*judgement.checks, *_unused(job))
    return Proof(checks, held_out_inputs=held_out.count, judgement=judgement)


def _unused(job: Job) -> Iterator[Check]:
    """Inputs that a job names for a proof of equality, which such pieces do not have."""
    if job.data_path is not None:
        yield Check.skipped(
            "verify.data",
            "pieces against the model on verify.data",
            "on route pieces, only what calibration holds out is compared; route: whole proves "
            "equality on any data",
        )
