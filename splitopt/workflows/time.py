"""A bundle's pieces, and the unsplit model beside them, run on a simulated Cortex-M55.

Bytes that TFLM reports there must be those of the plan; outputs must be those of the host. Times
are what the simulator counts, which is never CPU cycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from splitopt.arena.m55_kernels import WHERE_BYTES_DIFFER
from splitopt.base.errors import UsageError
from splitopt.base.progress import Progress
from splitopt.base.units import format_bytes
from splitopt.bundle.folder import sha256_of
from splitopt.bundle.host_run import require_as_written, whole_outputs
from splitopt.bundle.open import OpenBundle, open_bundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.runner_links import bundle_links, kept_tails, store_plans
from splitopt.bundle.schema.plan import Baseline, Plan, Segment
from splitopt.bundle.schema.timing import (
    GROUP_STEPS,
    STEPS,
    Counted,
    GroupTiming,
    InferenceTiming,
    OpTiming,
    PieceTiming,
    StartTiming,
    Timing,
    Unit,
)
from splitopt.bundle.schema.verify import Check as CheckEntry
from splitopt.config.target import TargetSpec
from splitopt.convert.cache import default_folder
from splitopt.runtime.arrays import Array, random_inputs
from splitopt.runtime.job_blob import (
    PlannedPiece,
    PlannedRun,
    output_bytes,
    pack,
    unsplit_run,
)
from splitopt.runtime.measured import GroupTime, OpTime, PieceTime, RunTime, measured
from splitopt.runtime.program import build_program
from splitopt.runtime.simulator import SRAM_BYTES, Simulator, simulate, simulator_of
from splitopt.runtime.tflm_library import find_library
from splitopt.verify.check import Check, CheckStatus
from splitopt.verify.target_outputs import outputs_check

_RESIDENT_STEPS = "copy_in", "invoke", "copy_out"
"""What an inference takes of a model that was built before."""
_START_STEPS = "construct", "allocate", "save"
_LEAST_KEPT = 3
"""Inferences, so that what is kept is seen to last."""


@dataclass(frozen=True)
class TimedBundle:
    """timing.json, and the checks that bytes and outputs passed or did not."""

    document: Timing
    checks: tuple[Check, ...]


def time_bundle(folder: Path, spec: TargetSpec, progress: Progress = lambda _: None) -> TimedBundle:
    """Runs unsplit model and pieces on the simulator, on random inputs of the job's seed.

    Raises SplitoptError: no bundle, or a piece that was replaced since; no compiler, no library,
    no simulator; the run failed or took too long.
    """
    bundle = open_bundle(folder)
    plan = bundle.plan
    require_as_written(bundle)
    settings = bundle.plan.job.settings
    simulator = simulator_of(spec)
    _require_room(bundle, plan, simulator)
    library = find_library(spec.tflm or bundle.plan.board.tflm)
    progress("building the simulator's program")
    program = build_program(library, default_folder(), zero_arena=settings.pieces.zero_arena)
    is_kept = any(kept_tails(plan))
    count = max(spec.inputs, _LEAST_KEPT) if is_kept else spec.inputs
    feeds = random_inputs(bundle.graph, count, settings.verify.seed)
    runs = unsplit_run(bundle.graph, plan.baseline.ram_bytes, feeds), planned_run(bundle, feeds)
    op_types = bundle.graph.op_types.union(*(piece.graph.op_types for piece in bundle.pieces))
    blob = pack(runs, op_types, per_op=spec.per_op)
    progress(f"running unsplit model and pieces on {simulator.name}")
    events = simulate(simulator, program, blob, spec.time_limit_s)
    unsplit, split = measured(events, simulator, runs)
    progress("running the same inputs on this machine")
    checks = (
        bytes_check(simulator.name, plan, unsplit, split),
        outputs_check(
            bundle.graph,
            simulator.name,
            whole_outputs(bundle, feeds),
            unsplit.outputs,
            split.outputs,
            [bundle.tensor_name(tensor) for tensor in bundle.graph.outputs],
        ),
    )
    document = Timing(
        simulator=simulator.name,
        unit=cast("Unit", simulator.unit),
        caveat=simulator.caveat,
        inputs=count,
        seed=settings.verify.seed,
        program_sha256=sha256_of(program.read_bytes()),
        library=str(library.library),
        library_sha256=sha256_of(library.library.read_bytes()),
        **_figures(simulator, bundle, unsplit, split),
        **_per_op_note(spec, unsplit),
        checks=tuple(map(CheckEntry.model_validate, checks)),
    )
    return TimedBundle(document, checks)


def _require_room(bundle: OpenBundle, plan: Plan, simulator: Simulator) -> None:
    """Raises UsageError for a plan of another core, or one that the simulated board cannot hold."""
    if bundle.plan.board.abi != "m55":
        raise UsageError(
            f"board {bundle.plan.board.name}: its abi is {bundle.plan.board.abi}, and "
            f"{simulator.name} is a Cortex-M55; plan for a board of abi m55"
        )
    needed = max(plan.baseline.ram_bytes, plan.layout.region_bytes)
    if needed > SRAM_BYTES:
        raise UsageError(
            f"{simulator.name} has {format_bytes(SRAM_BYTES)} of SRAM; unsplit model or pieces "
            f"need {format_bytes(needed)}; use target: host"
        )


def planned_run(bundle: OpenBundle, feeds: Sequence[Array]) -> PlannedRun:
    """The pieces as the runner has them."""
    plan = bundle.plan
    offsets = {entry.tensor: entry.offset for entry in plan.layout.boundary}
    links = bundle_links(bundle, offsets)
    pieces = tuple(
        PlannedPiece(
            b"" if piece.stream else piece.path.read_bytes(),
            segment.arena_bytes,
            link,
            segment.arena_offset,
            groups=tuple(group.path.read_bytes() for group in piece.groups),
            kept=kept,
        )
        for piece, segment, link, kept in zip(
            bundle.pieces, plan.segments, links, kept_tails(plan), strict=True
        )
    )
    region_bytes, outputs = plan.layout.region_bytes, output_bytes(bundle.graph)
    return PlannedRun(pieces, region_bytes, tuple(feeds), outputs, store_plans(plan))


def bytes_check(target: str, plan: Plan, unsplit: RunTime | None, split: RunTime) -> Check:
    """Every interpreter's arena_used_bytes() against the plan's, to the byte. `unsplit`: where that
    model ran, too."""
    wrong, worst = [], 0
    subjects: list[tuple[str, Baseline | Segment, RunTime, int]] = [
        ("the unsplit model", plan.baseline, run, 0) for run in (unsplit,) if run is not None
    ]
    subjects += [(f"piece {k}", own, split, k) for k, own in enumerate(plan.segments)]
    for name, predicted, run, k in subjects:
        for got in {sample[k].arena_used_bytes for sample in run.samples}:
            want = predicted.arena_used_bytes
            if got != want and not (got < want and not predicted.exact):  # estimates are on top
                wrong.append(f"{name} uses {got:,} B, predicted {want:,} B")
                worst = max(worst, abs(got - want))
    what = "every piece" if unsplit is None else "unsplit and every piece"
    return Check(
        name="target_bytes",
        status=CheckStatus.FAILED if wrong else CheckStatus.PASSED,
        compared=f"arena_used_bytes() on {target} = predicted, {what}",
        inputs=len(split.samples),
        worst_difference=worst,
        detail=f"{'; '.join(wrong[:3])}; {WHERE_BYTES_DIFFER}" if wrong else "",
    )


def _figures(
    simulator: Simulator, bundle: OpenBundle, unsplit: RunTime, split: RunTime
) -> dict[str, Any]:
    """Times are the largest of all inputs, each step by itself."""
    unit, plan = simulator.unit, bundle.plan
    whole = _piece(unit, plan.baseline, [sample[0] for sample in unsplit.samples])
    pieces = tuple(
        _piece(
            unit,
            own,
            [sample[k] for sample in split.samples],
            positions=op_positions(piece),
            index=k,
            piece=piece.name,
            start_up=_start_up(unit, split.prepared[k] if split.prepared else None),
        )
        for k, (piece, own) in enumerate(zip(bundle.pieces, plan.segments, strict=True))
    )
    resident, built = (_sum(unit, [whole], steps) for steps in (_RESIDENT_STEPS, STEPS))
    further = _sum(unit, pieces, _RESIDENT_STEPS if len(pieces) == 1 else STEPS)
    starts = [piece.start_up for piece in pieces if piece.start_up]
    first = _sum(unit, pieces, STEPS) + _sum(unit, starts, _START_STEPS)
    return {
        "unsplit": whole,
        "pieces": pieces,
        f"simulated_unsplit_inference_{unit}": resident,
        f"simulated_split_inference_{unit}": further,
        f"simulated_added_{unit}": further - resident,
        "first": _inference(unit, built, first),
        "further": _inference(unit, resident, further),
        "estimated_added_insn": plan.added_insn,
    }


def _sum(unit: str, held: Sequence[Counted], steps: Sequence[str]) -> int:
    return sum(own.simulated(step, unit) for own in held for step in steps)


def _inference(unit: str, unsplit: int, split: int) -> InferenceTiming:
    counted = {"unsplit": unsplit, "split": split, "added": split - unsplit}
    return InferenceTiming.model_validate({f"simulated_{k}_{unit}": n for k, n in counted.items()})


def _start_up(unit: str, time: PieceTime | None) -> StartTiming | None:
    if time is None:
        return None
    counted = {f"simulated_{step}_{unit}": round(time.steps[step]) for step in _START_STEPS}
    return StartTiming.model_validate(counted)


def _per_op_note(spec: TargetSpec, unsplit: RunTime) -> dict[str, Any]:
    """TFLM compiles its profiler's calls away where it strips log texts."""
    if not spec.per_op or unsplit.samples[0][0].ops:
        return {}
    return {
        "per_op": "this TFLM library was built without log texts (BUILD_TYPE=release), which "
        "leaves per-op times out; build it with release_with_logs"
    }


def op_positions(piece: Piece) -> list[tuple[int, ...]]:
    """For each group the places of its ops in the piece; none for what is no stream."""
    groups = () if piece.stream is None else piece.stream.groups
    return [tuple(op - piece.segment.start for op in group.ops) for group in groups]


def _piece(
    unit: str,
    predicted: Baseline | Segment,
    times: Sequence[PieceTime],
    positions: Sequence[Sequence[int]] = (),
    **name: Any,
) -> PieceTiming:
    ops = _ops(unit, range(len(times[0].ops)), [time.ops for time in times])
    for g, own in enumerate(positions):
        ops += _ops(unit, own, [time.groups[g].ops for time in times])
    counted: dict[str, Any] = {
        f"simulated_{step}_{unit}": round(max(time.steps[step] for time in times)) for step in STEPS
    }
    if ops:
        counted["ops"] = tuple(sorted(ops, key=lambda op: op.op))
    if positions:
        counted["groups"] = tuple(
            _group(unit, [time.groups[g] for time in times]) for g in range(len(positions))
        )
    return PieceTiming(
        **name,
        measured_arena_used_bytes=max(time.arena_used_bytes for time in times),
        predicted_arena_used_bytes=predicted.arena_used_bytes,
        executions=times[0].executions,
        **counted,
        estimated_allocate_insn=predicted.estimated_allocate_insn,
        estimated_invoke_insn=predicted.estimated_invoke_insn,
    )


def _ops(
    unit: str, positions: Sequence[int], samples: Sequence[Sequence[OpTime]]
) -> list[OpTiming]:
    """The largest of all samples. None where TFLM told of no ops."""
    return [
        OpTiming.model_validate(
            {
                "op": position,
                "tag": ops[0].tag,
                f"simulated_{unit}": round(max(o.amount for o in ops)),
            }
        )
        for position, ops in zip(positions, zip(*samples, strict=True), strict=False)
    ]


def _group(unit: str, times: Sequence[GroupTime]) -> GroupTiming:
    steps = {step: [getattr(time, step) for time in times] for step in GROUP_STEPS}
    counted = {f"simulated_{step}_{unit}": round(max(found)) for step, found in steps.items()}
    return GroupTiming.model_validate({"executions": times[0].executions, **counted})
