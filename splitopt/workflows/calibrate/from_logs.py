"""Logs of boards → a cost table in the unit of their counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from splitopt.base.errors import UsageError
from splitopt.base.progress import Progress
from splitopt.base.units import plural
from splitopt.bundle.folder import sha256_of
from splitopt.bundle.host_run import require_as_written
from splitopt.bundle.open import OpenBundle, open_bundle
from splitopt.cost.costs import Correction, Scale
from splitopt.runtime.board_log import BoardLog, read_board_log
from splitopt.workflows.calibrate.fit import Point, fit, fit_scale
from splitopt.workflows.calibrate.logged_points import LoggedPoints, points_of
from splitopt.workflows.time_log import LoggedRun, models_hash, read_logged_run

_LEAST_SAMPLES = 3
_LEAST_OF_KERNEL = 4
"""A line has two coefficients, and is judged on samples left out of it."""
_LEAST_FACTOR, _MOST_FACTOR = 1e-3, 1e3


def calibrate_from_logs(
    logs: Sequence[Path], runs: Sequence[Path], progress: Progress = lambda _: None
) -> dict[str, Any]:
    """The document of a cost table. `runs`: the bundles whose exports made the logs, in any order.

    Raises UsageError: a log of none of the runs, of another counter than the others, or too few
    pieces to fit; SplitoptError for broken logs and bundles.
    """
    if not runs:
        raise UsageError("--log: name the bundles that the logs are of with --run, once for each")
    bundles = [open_bundle(folder) for folder in runs]
    for bundle in bundles:
        require_as_written(bundle)
    logged = []
    for path in logs:
        progress(f"reading {path}")
        logged.append(_logged(read_board_log(path), bundles))
    counter = logged[0].log.counter
    for own in logged:
        if (own.log.counter.name, own.log.counter.unit) != (counter.name, counter.unit):
            raise own.log.refuse(
                0, f"counted by {_of(own.log)}, the others by {_of(logged[0].log)}"
            )
    if not counter.counts:
        raise logged[0].log.refuse(0, "nothing counts on this board, so that nothing was timed")
    return _table(logged, points_of(logged))


def _logged(log: BoardLog, bundles: Sequence[OpenBundle]) -> LoggedRun:
    for bundle in bundles:
        own = models_hash(bundle), bundle.plan.layout.region_bytes
        if own == (log.models_hash, log.region_bytes):
            return read_logged_run(bundle, log)
    raise log.refuse(0, f"{log.plan}: of none of the runs that --run names")


def _of(log: BoardLog) -> str:
    return f"{log.counter.name} in {log.counter.unit}"


def _table(logged: Sequence[LoggedRun], points: LoggedPoints) -> dict[str, Any]:
    counter, ops = logged[0].log.counter, [p for own in points.ops.values() for p in own]
    scales = {
        "other_kernels": _scale("Invoke", ops or points.invoke),
        "allocate": _scale("AllocateTensors", points.allocate),
        "runner": _scale("copies and building interpreters", points.runner),
    }
    invoke = {
        name: fit(own)
        for name, own in sorted(points.ops.items())
        if len({point.estimated for point in own}) >= _LEAST_OF_KERNEL
    }
    pieces = sum(len(own.run.pieces) for own in logged)
    return {
        "schema_version": 3,
        "about": f"Fitted on {plural(pieces, 'piece')} in {plural(len(logged), 'log')} of a board, "
        f"in {counter.unit} of its counter {counter.name}. Factors are {counter.unit} for an "
        "instruction of the built-in estimates.",
        "unit": counter.unit,
        "counter": counter.name,
        "logs": [_log_entry(own) for own in logged],
        "invoke": {name: entry.model_dump() for name, entry in invoke.items()},
        **{name: entry.model_dump() for name, entry in scales.items()},
        "too_few": {
            name: len(own) for name, own in sorted(points.ops.items()) if name not in invoke
        },
        "has_ops": bool(ops),
        "left_out": points.left_out,
        "fitted": [_fitted(own, invoke, scales) for own in logged],
    }


def _scale(what: str, points: Sequence[Point]) -> Scale:
    found = len({(point.estimated, point.measured) for point in points})
    if found < _LEAST_SAMPLES:
        raise UsageError(
            f"{what}: {plural(found, 'sample')} in all logs, want {_LEAST_SAMPLES} or more; add "
            "logs of other plans with --log and --run, of more pieces, say"
        )
    scale = fit_scale(points)
    if not _LEAST_FACTOR < scale.factor < _MOST_FACTOR:
        raise UsageError(
            f"{what}: {scale.factor:.3g} for an estimated instruction: that is no counter of cycles"
        )
    return scale


def _log_entry(own: LoggedRun) -> dict[str, Any]:
    return {
        "log": own.log.path.name,
        "sha256": sha256_of(own.log.path.read_bytes()),
        "run": own.bundle.plan.job.name,
        "pieces": len(own.run.pieces),
    }


def _fitted(
    own: LoggedRun, invoke: Mapping[str, Correction], scales: Mapping[str, Scale]
) -> dict[str, Any]:
    """Of one log: the sum of what is fitted, measured and by the table. It was fitted on it."""
    points = points_of([own])
    measured = estimated = 0.0
    parts = [(points.allocate, "allocate"), (points.runner, "runner")]
    if points.ops:
        for name, found in points.ops.items():
            line = invoke.get(name)
            factor = scales["other_kernels"].factor
            measured += sum(point.measured for point in found)
            estimated += sum(
                factor * point.estimated
                if line is None
                else line.constant_insn + line.factor * point.estimated
                for point in found
            )
    else:
        parts.append((points.invoke, "other_kernels"))
    for found, name in parts:
        measured += sum(point.measured for point in found)
        estimated += scales[name].factor * sum(point.estimated for point in found)
    return {
        "log": own.log.path.name,
        "measured": round(measured),
        "error": round(estimated / max(1.0, measured) - 1, 6),
    }
