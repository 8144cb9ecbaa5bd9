"""The proof: pieces run one after another in real TFLM equal the unsplit model, bit for bit.

Three comparisons, each on every input. Outputs of the chain of pieces against the unsplit model
in TFLM; every boundary tensor against the same tensor inside the unsplit model, so that the first
piece that differs is named; and the unsplit model in TFLM against LiteRT's reference kernels, an
implementation of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.base.units import plural
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.runtime.arrays import Array, arena_bytes, difference
from splitopt.runtime.host import Bands, Stage, run_litert, run_tflm_chain
from splitopt.tiling.plan import Execution

_FLOAT_TOLERANCE = 1e-5


class CheckStatus(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: what with what, on how many inputs, and how far apart at worst.

    `worst_difference` is in LSB of integers, in absolute value for floats.
    """

    name: str
    status: CheckStatus
    compared: str
    inputs: int
    worst_difference: float
    detail: str = ""


@dataclass(frozen=True)
class PieceFile:
    """A piece on disk with the segment it was written from, and its executions if it is banded."""

    path: Path
    segment: Segment
    executions: tuple[Execution, ...] = ()


def verify_pieces(
    graph: ModelGraph,
    model: Path,
    pieces: Sequence[PieceFile],
    feeds: Sequence[Array],
    *,
    timeout_s: float,
    litert: bool = True,
) -> tuple[Check, ...]:
    """Runs model and pieces on the feeds (one array [N, *shape] per model input).

    Raises ToolError where an interpreter cannot run a file at all.
    """
    fed = dict(zip(graph.inputs, feeds, strict=True))
    boundary = boundary_tensors(pieces, graph.outputs)
    inner = tuple(t for t in boundary if t not in graph.outputs)
    whole = _run_whole(graph, model, fed, (), timeout_s)
    tapped = _run_whole(graph, model, fed, inner, timeout_s) if inner else whole
    chained = _run_pieces(graph, pieces, fed, timeout_s)
    count = len(feeds[0])
    checks = [
        _output_check(graph, pieces, whole, chained, count),
        _boundary_check(graph, pieces, tapped, chained, inner, count),
    ]
    if litert:
        checks.append(litert_check(graph, model, fed, tapped, inner, timeout_s))
    else:
        checks.append(
            Check(
                "litert",
                CheckStatus.SKIPPED,
                "unsplit model in TFLM = LiteRT",
                0,
                0,
                "switched off",
            )
        )
    return tuple(checks)


def boundary_tensors(pieces: Sequence[PieceFile], outputs: Sequence[int]) -> tuple[int, ...]:
    """Every tensor that some piece makes for the outside, in the order they are made."""
    return tuple(dict.fromkeys(t for piece in pieces for t in piece.segment.outputs))


def _name(tensor: int) -> str:
    return f"t{tensor}"


def _run_whole(
    graph: ModelGraph,
    model: Path,
    fed: Mapping[int, Array],
    inner: Sequence[int],
    timeout_s: float,
) -> dict[int, Array]:
    """Outputs of the unsplit model, and inner tensors, which TFLM then keeps apart."""
    stage = Stage(
        path=model,
        inputs=tuple(map(_name, graph.inputs)),
        outputs=tuple(map(_name, graph.outputs)),
        arena_bytes=arena_bytes(graph),
        keep=tuple((_name(tensor), tensor) for tensor in inner),
    )
    return _run([stage], fed, timeout_s)


def _run_pieces(
    graph: ModelGraph, pieces: Sequence[PieceFile], fed: Mapping[int, Array], timeout_s: float
) -> dict[int, Array]:
    stages = [
        Stage(
            path=piece.path,
            inputs=tuple(map(_name, piece.segment.inputs)),
            outputs=tuple(map(_name, piece.segment.outputs)),
            arena_bytes=arena_bytes(graph),
            bands=bands_of(graph, piece),
        )
        for piece in pieces
    ]
    return _run(stages, fed, timeout_s)


def bands_of(graph: ModelGraph, piece: PieceFile) -> Bands | None:
    """What the host needs to run a banded piece; None for one that runs once, on all rows."""
    if not piece.executions:
        return None
    rows = tuple(graph.tensors[tensor].shape[1] for tensor in piece.segment.outputs)
    return Bands(piece.executions, rows)


def _run(stages: Sequence[Stage], fed: Mapping[int, Array], timeout_s: float) -> dict[int, Array]:
    feeds = {_name(tensor): array for tensor, array in fed.items()}
    made = run_tflm_chain(stages, feeds, timeout_s=timeout_s)
    return {int(name[1:]): array for name, array in made.items()}


def _output_check(
    graph: ModelGraph,
    pieces: Sequence[PieceFile],
    want: Mapping[int, Array],
    got: Mapping[int, Array],
    count: int,
) -> Check:
    compared = f"pieces in TFLM{_in_bands(pieces)} = unsplit model in TFLM"
    worst = max((difference(want[t], got[t]) for t in graph.outputs), default=0.0)
    wrong = [t for t in graph.outputs if not _same_bits(want[t], got[t])]
    if not wrong:
        return Check("outputs", CheckStatus.PASSED, compared, count, worst)
    k = next(k for k, piece in enumerate(pieces) if wrong[0] in piece.segment.outputs)
    detail = (
        f"output tensor {wrong[0]} {graph.tensors[wrong[0]].name!r} differs, "
        f"made by piece {k} ({pieces[k].path.name})"
    )
    return Check("outputs", CheckStatus.FAILED, compared, count, worst, detail)


def _in_bands(pieces: Sequence[PieceFile]) -> str:
    banded = [len(piece.executions) for piece in pieces if piece.executions]
    return f" ({len(banded)} of them in {plural(sum(banded), 'band')})" if banded else ""


def _boundary_check(
    graph: ModelGraph,
    pieces: Sequence[PieceFile],
    want: Mapping[int, Array],
    got: Mapping[int, Array],
    inner: Sequence[int],
    count: int,
) -> Check:
    """The first boundary tensor that differs names the piece that made it."""
    compared = (
        f"{plural(len(inner), 'boundary tensor')} = the same inside the unsplit model in TFLM"
    )
    if not inner:
        return Check("boundaries", CheckStatus.SKIPPED, compared, 0, 0, "one piece: no boundary")
    for k, piece in enumerate(pieces):
        for tensor in (t for t in piece.segment.outputs if t in inner):
            if not _same_bits(want[tensor], got[tensor]):
                detail = (
                    f"piece {k} ({piece.path.name}) is the first to differ: tensor {tensor} "
                    f"{graph.tensors[tensor].name!r}"
                )
                worst = difference(want[tensor], got[tensor])
                return Check("boundaries", CheckStatus.FAILED, compared, count, worst, detail)
    return Check("boundaries", CheckStatus.PASSED, compared, count, 0)


def litert_check(
    graph: ModelGraph,
    model: Path,
    fed: Mapping[int, Array],
    tflm: Mapping[int, Array],
    inner: Sequence[int],
    timeout_s: float,
) -> Check:
    """LiteRT's BUILTIN_REF may differ by 1 LSB per FULLY_CONNECTED on the way, by nothing else.

    `fed`: what goes into the model; `tflm`: its outputs, and `inner`, as TFLM made them.
    """
    count = len(next(iter(fed.values())))
    compared = "unsplit model in TFLM = LiteRT BUILTIN_REF (1 LSB per FULLY_CONNECTED passed)"
    names = {_name(tensor): tensor for tensor in (*inner, *graph.outputs)}
    try:
        run = run_litert(
            model, list(fed.values()), keep=names, repair_bias_axis=True, timeout_s=timeout_s
        )
    except ToolError as error:
        return Check(
            "litert", CheckStatus.SKIPPED, compared, 0, 0, f"LiteRT cannot run it: {error}"
        )
    repaired = run.repaired_biases
    note = f"LiteRT ran a copy with the axis of {repaired} biases corrected" if repaired else ""
    allowed = fully_connected_depth(graph)
    worst = 0.0
    for name, tensor in names.items():
        apart = difference(run.arrays[name], tflm[tensor])
        worst = max(worst, apart)
        integer = np.issubdtype(tflm[tensor].dtype, np.integer)
        limit = allowed[tensor] if integer else _FLOAT_TOLERANCE * (1 + _reach(run.arrays[name]))
        if apart > limit:
            detail = (
                f"tensor {tensor} {graph.tensors[tensor].name!r} differs by {apart:g}, "
                f"at most {limit:g} is explained by FULLY_CONNECTED"
            )
            return Check("litert", CheckStatus.FAILED, compared, count, worst, detail)
    return Check("litert", CheckStatus.PASSED, compared, count, worst, note)


def fully_connected_depth(graph: ModelGraph) -> dict[int, int]:
    """Tensor → the most FULLY_CONNECTED ops on any way to it from the model's inputs."""
    depth: dict[int, int] = dict.fromkeys(range(len(graph.tensors)), 0)
    for op in graph.ops:
        most = max((depth[tensor] for tensor in op.given_inputs), default=0)
        for tensor in op.outputs:
            depth[tensor] = most + (op.type == "FULLY_CONNECTED")
    return depth


def _same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _reach(array: Array) -> float:
    finite = array[np.isfinite(array)]
    return float(np.abs(finite).max()) if finite.size else 0.0
