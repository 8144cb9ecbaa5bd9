"""Pieces run one after another in real TFLM equal the unsplit model, bit for bit.

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
    """How a check ended; SKIPPED says that it could not be made."""

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

    @classmethod
    def skipped(cls, name: str, compared: str, why: str) -> Check:
        return cls(name, CheckStatus.SKIPPED, compared, 0, 0, why)


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
    inner = [t for t in boundary_tensors(pieces) if t not in graph.outputs]
    whole = run_whole(graph, model, fed, timeout_s)
    tapped = run_whole(graph, model, fed, timeout_s, inner) if inner else whole
    chained = run_pieces(pieces, [graph] * len(pieces), fed, timeout_s)
    count = len(feeds[0])
    return (
        _output_check(graph, pieces, whole, chained, count),
        _boundary_check(graph, pieces, tapped, chained, inner, count),
        litert_check(graph, model, fed, tapped, inner, timeout_s)
        if litert
        else Check.skipped("litert", "unsplit model in TFLM = LiteRT", "switched off"),
    )


def boundary_tensors(pieces: Sequence[PieceFile]) -> tuple[int, ...]:
    """Every tensor that some piece makes for the outside, in the order they are made."""
    return tuple(dict.fromkeys(t for piece in pieces for t in piece.segment.outputs))


def run_whole(
    graph: ModelGraph,
    model: Path,
    fed: Mapping[int, Array],
    timeout_s: float,
    inner: Sequence[int] = (),
) -> dict[int, Array]:
    """The unsplit model in TFLM: its outputs, and the tensors `inner`, which TFLM then keeps.

    Raises ToolError.
    """
    keep = tuple((str(tensor), tensor) for tensor in inner)
    ends = _names(graph.inputs), _names(graph.outputs)
    return _run([Stage(model, *ends, arena_bytes(graph), keep=keep)], fed, timeout_s)


def run_pieces(
    pieces: Sequence[PieceFile],
    graphs: Sequence[ModelGraph],
    fed: Mapping[int, Array],
    timeout_s: float,
) -> dict[int, Array]:
    """Pieces in TFLM, chained as a runner does it: the bytes that one made are what the next reads.

    `graphs`: for each piece, the graph whose arena is large enough for it. Gives all that pieces
    make for each other, and the outputs. Raises ToolError.
    """
    stages = [
        Stage(
            path=piece.path,
            inputs=_names(piece.segment.inputs),
            outputs=_names(piece.segment.outputs),
            arena_bytes=arena_bytes(graph),
            bands=bands_of(graph, piece),
        )
        for piece, graph in zip(pieces, graphs, strict=True)
    ]
    return _run(stages, fed, timeout_s)


def bands_of(graph: ModelGraph, piece: PieceFile) -> Bands | None:
    """What the host needs to run a banded piece; None for one that runs once, on all rows."""
    if not piece.executions:
        return None
    rows = tuple(graph.tensors[tensor].shape[1] for tensor in piece.segment.outputs)
    return Bands(piece.executions, rows)


def _names(tensors: Sequence[int]) -> tuple[str, ...]:
    return tuple(map(str, tensors))


def _run(stages: Sequence[Stage], fed: Mapping[int, Array], timeout_s: float) -> dict[int, Array]:
    feeds = {str(tensor): array for tensor, array in fed.items()}
    made = run_tflm_chain(stages, feeds, timeout_s=timeout_s)
    return {int(name): array for name, array in made.items()}


def _output_check(
    graph: ModelGraph,
    pieces: Sequence[PieceFile],
    want: Mapping[int, Array],
    got: Mapping[int, Array],
    count: int,
) -> Check:
    banded = [len(piece.executions) for piece in pieces if piece.executions]
    bands = f" ({len(banded)} of them in {plural(sum(banded), 'band')})" if banded else ""
    compared = f"pieces in TFLM{bands} = unsplit model in TFLM"
    worst = max((difference(want[t], got[t]) for t in graph.outputs), default=0.0)
    wrong = [t for t in graph.outputs if not _same_bits(want[t], got[t])]
    if not wrong:
        return Check("outputs", CheckStatus.PASSED, compared, count, worst)
    k = next(k for k, piece in enumerate(pieces) if wrong[0] in piece.segment.outputs)
    detail = f"output {_named(graph, wrong[0])} differs, made by piece {k} ({pieces[k].path.name})"
    return Check("outputs", CheckStatus.FAILED, compared, count, worst, detail)


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
        return Check.skipped("boundaries", compared, "one piece: no boundary")
    for k, piece in enumerate(pieces):
        for tensor in (t for t in piece.segment.outputs if t in inner):
            if not _same_bits(want[tensor], got[tensor]):
                name = _named(graph, tensor)
                detail = f"piece {k} ({piece.path.name}) is the first to differ: {name}"
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
    """Compares the unsplit model in TFLM with LiteRT's reference kernels (BUILTIN_REF).

    A value may differ by 1 LSB for each FULLY_CONNECTED on its path, and by nothing else. `fed`:
    the model's inputs; `tflm`: its outputs and the tensors `inner`, as TFLM made them.
    """
    count = len(next(iter(fed.values())))
    compared = "unsplit model in TFLM = LiteRT BUILTIN_REF (1 LSB per FULLY_CONNECTED passed)"
    keep = {str(tensor): tensor for tensor in (*inner, *graph.outputs)}
    feeds = list(fed.values())
    try:
        run = run_litert(model, feeds, keep=keep, repair_bias_axis=True, timeout_s=timeout_s)
    except ToolError as error:
        return Check.skipped("litert", compared, f"LiteRT cannot run it: {error}")
    repaired = run.repaired_biases
    note = f"LiteRT ran a copy with the axis of {repaired} biases corrected" if repaired else ""
    allowed = fully_connected_depth(graph)
    worst = 0.0
    for name, tensor in keep.items():
        apart = difference(run.arrays[name], tflm[tensor])
        worst = max(worst, apart)
        integer = np.issubdtype(tflm[tensor].dtype, np.integer)
        limit = allowed[tensor] if integer else _FLOAT_TOLERANCE * (1 + _reach(run.arrays[name]))
        if apart > limit:
            detail = (
                f"{_named(graph, tensor)} differs by {apart:g}, "
                f"at most {limit:g} is explained by FULLY_CONNECTED"
            )
            return Check("litert", CheckStatus.FAILED, compared, count, worst, detail)
    return Check("litert", CheckStatus.PASSED, compared, count, worst, note)


def fully_connected_depth(graph: ModelGraph) -> dict[int, int]:
    """Tensor → the most FULLY_CONNECTED ops on any path to it from the model's inputs."""
    depth: dict[int, int] = dict.fromkeys(range(len(graph.tensors)), 0)
    for op in graph.ops:
        most = max((depth[tensor] for tensor in op.given_inputs), default=0)
        for tensor in op.outputs:
            depth[tensor] = most + (op.type == "FULLY_CONNECTED")
    return depth


def _named(graph: ModelGraph, tensor: int) -> str:
    return f"tensor {tensor} {graph.tensors[tensor].name!r}"


def _same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _reach(array: Array) -> float:
    finite = array[np.isfinite(array)]
    return float(np.abs(finite).max()) if finite.size else 0.0
