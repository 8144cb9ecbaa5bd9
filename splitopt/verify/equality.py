"""Pieces run one after another in real TFLM equal the unsplit model, bit for bit.

Two comparisons, each on every input: outputs of the chain of pieces against the unsplit model in
TFLM, and every boundary tensor against the same tensor inside the unsplit model, so that the first
piece that differs is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from splitopt.base.units import plural
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.runtime.arrays import Array, arena_bytes, difference
from splitopt.runtime.host import Bands, Stage, run_tflm_chain
from splitopt.tiling.plan import Execution


class CheckStatus(StrEnum):
    """How a check ended. WARNING: something differs, and the pieces are not the cause; SKIPPED: it
    could not be made."""

    PASSED = "passed"
    FAILED = "failed"
    WARNING = "warning"
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
    detail = (
        f"output {named_tensor(graph, wrong[0])} differs, made by piece {k} ({pieces[k].path.name})"
    )
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
                name = named_tensor(graph, tensor)
                detail = f"piece {k} ({piece.path.name}) is the first to differ: {name}"
                worst = difference(want[tensor], got[tensor])
                return Check("boundaries", CheckStatus.FAILED, compared, count, worst, detail)
    return Check("boundaries", CheckStatus.PASSED, compared, count, 0)


def named_tensor(graph: ModelGraph, tensor: int) -> str:
    return f"tensor {tensor} {graph.tensors[tensor].name!r}"


def _same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
