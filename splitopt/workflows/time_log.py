"""A bundle's pieces as a board ran them, from the log of an export's check.

Bytes that TFLM reported there must be those of the plan; outputs must be those of this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from splitopt.base.progress import Progress
from splitopt.bundle.folder import sha256_of
from splitopt.bundle.host_run import require_as_written, whole_outputs
from splitopt.bundle.open import OpenBundle, open_bundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.schema.board_timing import (
    BoardInference,
    BoardOp,
    BoardPiece,
    BoardTiming,
    BoardUnit,
    Measured,
)
from splitopt.bundle.schema.plan import Plan, Segment
from splitopt.bundle.schema.verify import Check as CheckEntry
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.board_log import BoardLog, read_board_log, require_order
from splitopt.runtime.job_blob import PlannedRun
from splitopt.runtime.kept_tails import word_hash
from splitopt.runtime.measured import STEPS, OpTime, PieceTime, RunTime, measured
from splitopt.verify.check import Check
from splitopt.verify.target_outputs import outputs_check
from splitopt.workflows.export.flash import file_paths
from splitopt.workflows.time import bytes_check, op_positions, planned_run

_CAVEATS = {
    "cycles": "Cycles of the board's own counter, at its clock, caches and wait states; those of "
    "other boards differ.",
    "insn": "Instructions that the board's counter counted, never CPU cycles.",
    "ticks": "Ticks of the board's counter; how long one is, the log does not say.",
}
_UNCOUNTED = (
    "The board has no counter that counts: bytes and outputs were checked, nothing was timed. "
    "SPLITOPT_CHECK_PORT gives the check one (counter.h of the export)."
)
_START_STEPS = "construct", "allocate", "save"
_NAMES = {"construct": "build"}


@dataclass(frozen=True)
class LoggedRun:
    """What a board ran, and the log that says so."""

    bundle: OpenBundle
    run: PlannedRun
    log: BoardLog
    time: RunTime


@dataclass(frozen=True)
class TimedLog:
    """timing.json, and the checks that bytes and outputs passed or did not."""

    document: BoardTiming
    checks: tuple[Check, ...]


def read_logged_run(bundle: OpenBundle, log: BoardLog) -> LoggedRun:
    """Raises UsageError for a log of another plan, or with lines missing, by the line's number."""
    require_own(bundle, log)
    seed = bundle.plan.job.settings.verify.seed
    run = planned_run(bundle, random_inputs(bundle.graph, log.inputs, seed))
    require_order(log, run)
    [time] = measured(log.events, log.counter, [run])
    return LoggedRun(bundle, run, log, time)


def require_own(bundle: OpenBundle, log: BoardLog) -> None:
    """Raises UsageError where the check ran other pieces than the bundle's."""
    own = models_hash(bundle), bundle.plan.layout.region_bytes
    if (log.models_hash, log.region_bytes) != own:
        raise log.refuse(
            0,
            f"{log.plan} with a region of {log.region_bytes:,} B and models_hash "
            f"{log.models_hash}; {bundle.folder} has {own[1]:,} B and {own[0]}: a log of another "
            "run, or of an older export",
        )


def models_hash(bundle: OpenBundle) -> int:
    """As an export has it, of all .tflite files."""
    return word_hash(path.read_bytes() for path in file_paths(bundle))


def time_log(folder: Path, path: Path, progress: Progress = lambda _: None) -> TimedLog:
    """The figures of a log, and bytes and outputs against the bundle's.

    Raises SplitoptError: no bundle, or a piece that was replaced since; no log of it.
    """
    bundle = open_bundle(folder)
    require_as_written(bundle)
    progress(f"reading {path}")
    logged = read_logged_run(bundle, read_board_log(path))
    progress("running the same inputs on this machine")
    where = f"the board of {path.name}"
    checks = (
        bytes_check(where, bundle.plan, None, logged.time),
        outputs_check(
            bundle.graph,
            where,
            whole_outputs(bundle, logged.run.feeds),
            None,
            logged.time.outputs,
            [bundle.tensor_name(tensor) for tensor in bundle.graph.outputs],
        ),
    )
    counter, plan = logged.log.counter, bundle.plan
    document = BoardTiming(
        board_log=path.name,
        board_log_sha256=sha256_of(path.read_bytes()),
        counter=counter.name,
        unit=cast("BoardUnit", counter.unit if counter.counts else "ticks"),
        caveat=_CAVEATS[counter.unit] if counter.counts else _UNCOUNTED,
        inputs=logged.log.inputs,
        seed=plan.job.settings.verify.seed,
        **_figures(logged),
        estimated_inference_insn=_estimated(plan),
        checks=tuple(map(CheckEntry.model_validate, checks)),
    )
    return TimedLog(document, checks)


def _figures(logged: LoggedRun) -> dict[str, Any]:
    """Times are the largest of all inputs, each step by itself; a plan's only piece is built by its
    first inference only."""
    bundle, samples, prepared = logged.bundle, logged.time.samples, logged.time.prepared
    unit = logged.log.counter.unit if logged.log.counter.counts else None
    pieces = tuple(
        _piece(
            unit, piece, own, [sample[k] for sample in samples], prepared[k] if prepared else None
        )
        for k, (piece, own) in enumerate(zip(bundle.pieces, bundle.plan.segments, strict=True))
    )
    starts = [piece.start_up.took for piece in pieces if piece.start_up]
    every = [piece.took for piece in pieces]
    first = sum(took.total for took in (*every, *starts) if took)
    built_once = sum(took.total for took in starts if took)
    if len(every) == 1 and every[0] is not None:
        built_once += every[0].zero + every[0].build + every[0].allocate
    return {
        "pieces": pieces,
        "first": _inference(unit, first),
        "further": _inference(unit, first - built_once),
    }


def _estimated(plan: Plan) -> int | None:
    """Of an inference of the pieces, but the first."""
    return None if plan.invoke_insn is None else max(0, plan.invoke_insn + plan.added_insn)


def _inference(unit: str | None, amount: int) -> BoardInference:
    return BoardInference.model_validate({f"measured_{unit}": amount} if unit else {})


def _piece(
    unit: str | None,
    piece: Piece,
    predicted: Segment,
    times: Sequence[PieceTime],
    start: PieceTime | None,
) -> BoardPiece:
    figures: dict[str, Any] = {}
    if unit is not None:
        figures |= _took(unit, times, STEPS)
        if start is not None:
            figures["start_up"] = Measured.model_validate(_took(unit, [start], _START_STEPS))
        if ops := _ops(unit, piece, times):
            figures["ops"] = ops
    return BoardPiece(
        index=piece.index,
        piece=piece.name,
        measured_arena_used_bytes=max(time.arena_used_bytes for time in times),
        predicted_arena_used_bytes=predicted.arena_used_bytes,
        executions=times[0].executions,
        estimated_allocate_insn=predicted.estimated_allocate_insn,
        estimated_invoke_insn=predicted.estimated_invoke_insn,
        **figures,
    )


def _took(unit: str, times: Sequence[PieceTime], steps: Sequence[str]) -> dict[str, Any]:
    largest = {step: round(max(time.steps[step] for time in times)) for step in steps}
    return {f"measured_{unit}": {_NAMES.get(step, step): n for step, n in largest.items()}}


def _ops(unit: str, piece: Piece, times: Sequence[PieceTime]) -> tuple[BoardOp, ...]:
    """By their place in the piece. None where TFLM told of no ops."""
    found: list[tuple[int, Sequence[OpTime]]] = list(
        enumerate(zip(*(time.ops for time in times), strict=True))
    )
    for g, positions in enumerate(op_positions(piece)):
        of_group = zip(*(time.groups[g].ops for time in times), strict=True)
        found += zip(positions, of_group, strict=False)
    return tuple(
        BoardOp.model_validate(
            {
                "op": position,
                "tag": ops[0].tag,
                f"measured_{unit}": round(max(op.amount for op in ops)),
            }
        )
        for position, ops in sorted(found, key=lambda row: row[0])
    )
