"""What logs of boards say about costs: estimates of the built-in fits beside what was measured.

A piece counts once, however many logs and inputs it is in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean

from splitopt.bundle.folder import sha256_of
from splitopt.bundle.piece import Piece
from splitopt.cost.copying import CONSTRUCT_INSN, copy_insn
from splitopt.cost.costs import built_in, estimate_invoke
from splitopt.cost.invoke import insn_of, kernel_of
from splitopt.graph.model import ModelGraph
from splitopt.planning.job_table import Pricing, priced_segments
from splitopt.planning.unsplit import unsplit
from splitopt.runtime.links import PieceLinks
from splitopt.runtime.measured import OpTime, PieceTime
from splitopt.runtime.stream_tables import NOWHERE
from splitopt.workflows.calibrate.fit import Point
from splitopt.workflows.time_log import LoggedRun

_RUNNER_STEPS = ("construct", "copy_in", "copy_out")


@dataclass
class LoggedPoints:
    """`ops`: by kernel, where the logs have times of ops. `invoke`: of one Invoke of a file;
    `allocate`: of AllocateTensors; `runner`: of building an interpreter and copying to and from it.
    Without pieces of which nothing can be said: `left_out` names them."""

    ops: dict[str, list[Point]] = field(default_factory=dict)
    invoke: list[Point] = field(default_factory=list)
    allocate: list[Point] = field(default_factory=list)
    runner: list[Point] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def points_of(logged: Sequence[LoggedRun]) -> LoggedPoints:
    """Of all pieces of the logs' runs."""
    points, seen = LoggedPoints(), set[str]()
    for own in logged:
        starts = own.time.prepared or (None,) * len(own.run.pieces)
        for k, (piece, planned) in enumerate(zip(own.bundle.pieces, own.run.pieces, strict=True)):
            digest = sha256_of(b"".join((planned.data, *planned.groups)))
            if digest in seen:
                continue
            seen.add(digest)
            times = [sample[k] for sample in own.time.samples]
            for graph, executions, invoke, ops in _files(piece, times):
                _add_invoke(points, piece, graph, invoke / executions)
                _add_ops(points, graph, executions, ops)
            if piece.stream is None:
                _add_allocate(points, piece, [*times, *filter(None, [starts[k]])])
            if not (planned.links.slices or planned.kept or piece.stream):
                _add_runner(points, planned.links, times)
    return points


_File = tuple[ModelGraph, int, float, Sequence[Sequence[OpTime]]]


def _files(piece: Piece, times: Sequence[PieceTime]) -> Iterator[_File]:
    """Each .tflite file with its executions, the mean of its Invokes and its ops in each input."""
    if piece.stream is None:
        invoke = mean(time.steps["invoke"] for time in times)
        yield piece.graph, times[0].executions, invoke, [time.ops for time in times]
    for g, group in enumerate(piece.groups):
        own = [time.groups[g] for time in times]
        invoke = mean(time.invoke for time in own)
        yield group.graph, own[0].executions, invoke, [time.ops for time in own]


def _add_invoke(points: LoggedPoints, piece: Piece, graph: ModelGraph, measured: float) -> None:
    estimate = estimate_invoke(built_in(), graph, 0, len(graph.ops))
    if estimate.whole is None:
        points.left_out.append(f"{piece.label}: no estimate of {', '.join(estimate.unmeasured)}")
    elif measured > 0:
        points.invoke.append(Point(estimate.whole, measured))


def _add_ops(
    points: LoggedPoints, graph: ModelGraph, executions: int, samples: Sequence[Sequence[OpTime]]
) -> None:
    for op, times in zip(graph.ops, zip(*samples, strict=True), strict=False):
        kernel, measured = kernel_of(graph, op), mean(time.amount for time in times) / executions
        insn = None if kernel is None else insn_of(kernel)
        if kernel is not None and insn and measured > 0:
            points.ops.setdefault(kernel.name, []).append(Point(insn, measured))


def _add_allocate(points: LoggedPoints, piece: Piece, times: Sequence[PieceTime]) -> None:
    """Where it was built: at start-up, or in the first inference or in each."""
    estimated = unsplit(priced_segments(piece.graph, Pricing(abi="m55"))).allocate_insn
    measured = max(time.steps["allocate"] for time in times)
    if measured > 0:
        points.allocate.append(Point(estimated, measured))


def _add_runner(points: LoggedPoints, links: PieceLinks, times: Sequence[PieceTime]) -> None:
    """Each end is copied once, and once more where it is both the model's and a boundary tensor."""
    sizes = [
        link.size_bytes
        for link in (*links.inputs, *links.outputs)
        for _ in range(1 + (NOWHERE not in (link.model_index, link.offset)))
    ]
    measured = max(
        sum(time.steps[s] for s in ("construct", "copy_in", "copy_out")) for time in times
    )
    if measured > 0:
        points.runner.append(Point(CONSTRUCT_INSN + sum(map(copy_insn, sizes)), measured))
