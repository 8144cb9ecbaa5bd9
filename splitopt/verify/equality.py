"""Pieces run one after another in real TFLM equal the unsplit model, bit for bit.

Two comparisons, each on every input: outputs of the chain of pieces against the unsplit model in
TFLM, and every boundary tensor against the same tensor inside the unsplit model, so that the first
piece that differs is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from splitopt.base.units import plural
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.runtime.arrays import Array, arena_bytes, difference
from splitopt.runtime.host import Bands, Places, Stage, StreamFiles, run_tflm_chain
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
    """A segment on disk: its piece, with its executions if it is banded; or the groups of its
    stream, of which `path` is the first. `places`: of its ends in the region, tensor → offset,
    where they may share bytes."""

    path: Path
    segment: Segment
    executions: tuple[Execution, ...] = ()
    stream: StreamFiles | None = None
    places: Mapping[int, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        if self.stream is None:
            return self.path.name
        return f"{self.path.name} to {self.stream.paths[-1].name}"


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
    stages = [stage_of(piece, graph) for piece, graph in zip(pieces, graphs, strict=True)]
    return _run(stages, fed, timeout_s)


def stage_of(piece: PieceFile, graph: ModelGraph) -> Stage:
    """What the host runs, with tensors named by their numbers."""
    inputs, outputs = piece.segment.inputs, piece.segment.outputs
    if piece.stream is not None:
        stream = piece.stream.stream
        inputs, outputs = tuple(source.tensor for source in stream.sources), stream.outputs
    return Stage(
        path=piece.path,
        inputs=_names(inputs),
        outputs=_names(outputs),
        arena_bytes=arena_bytes(graph),
        bands=bands_of(graph, piece),
        stream=piece.stream,
        places=_places(graph, piece),
    )


def _places(graph: ModelGraph, piece: PieceFile) -> Places | None:
    if not piece.places:
        return None
    size = max(offset + graph.tensors[t].bytes for t, offset in piece.places.items())
    return Places(size, {str(tensor): offset for tensor, offset in piece.places.items()})


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
    compared = f"pieces in TFLM{_by_rows(pieces)} = unsplit model in TFLM"
    worst = max((difference(want[t], got[t]) for t in graph.outputs), default=0.0)
    wrong = [t for t in graph.outputs if not _same_bits(want[t], got[t])]
    if not wrong:
        return Check("outputs", CheckStatus.PASSED, compared, count, worst)
    k = next(k for k, piece in enumerate(pieces) if wrong[0] in piece.segment.outputs)
    detail = (
        f"output {named_tensor(graph, wrong[0])} differs, made by piece {k} ({pieces[k].name}"
        f"{first_wrong_row(pieces[k], wrong[0], want, got)})"
    )
    return Check("outputs", CheckStatus.FAILED, compared, count, worst, detail)


def _by_rows(pieces: Sequence[PieceFile]) -> str:
    """How many run in bands and as streams, in brackets."""
    banded = [len(piece.executions) for piece in pieces if piece.executions]
    streams = [piece.stream.stream for piece in pieces if piece.stream is not None]
    said = []
    if banded:
        said.append(f"{len(banded)} of them in {plural(sum(banded), 'band')}")
    if streams:
        groups = plural(sum(len(stream.groups) for stream in streams), "group")
        invokes = sum(stream.invokes for stream in streams)
        said.append(f"{len(streams)} of them streamed, by {groups} and {invokes} Invokes")
    return f" ({', '.join(said)})" if said else ""


def first_wrong_row(
    piece: PieceFile, tensor: int, want: Mapping[int, Array], got: Mapping[int, Array]
) -> str:
    """Of what a stream makes, the first row that differs in some sample, and whose it is."""
    if piece.stream is None or want[tensor].shape != got[tensor].shape:
        return ""
    differs = (want[tensor] != got[tensor]).any(axis=(0, 1, *range(3, want[tensor].ndim)))
    maker = next(
        group
        for group, own in enumerate(piece.stream.stream.groups)
        if any(made.tensor == tensor and made.is_output for made in own.outputs)
    )
    row, path = int(np.argmax(differs)), piece.stream.paths[maker]
    return f", from row {row} on, by group {maker} ({path.name})"


def _boundary_check(
    graph: ModelGraph,
    pieces: Sequence[PieceFile],
    want: Mapping[int, Array],
    got: Mapping[int, Array],
    inner: Sequence[int],
    count: int,
) -> Check:
    """The first boundary tensor that differs names the piece that made it."""
    if not inner:
        return Check.skipped("boundaries", "no boundary tensors", "one piece")
    compared = (
        f"{plural(len(inner), 'boundary tensor')} = the same inside the unsplit model in TFLM"
    )
    for k, piece in enumerate(pieces):
        for tensor in (t for t in piece.segment.outputs if t in inner):
            if not _same_bits(want[tensor], got[tensor]):
                name = named_tensor(graph, tensor)
                row = first_wrong_row(piece, tensor, want, got)
                detail = f"piece {k} ({piece.name}) is the first to differ: {name}{row}"
                worst = difference(want[tensor], got[tensor])
                return Check("boundaries", CheckStatus.FAILED, compared, count, worst, detail)
    return Check("boundaries", CheckStatus.PASSED, compared, count, 0)


def named_tensor(graph: ModelGraph, tensor: int) -> str:
    return f"tensor {tensor} {graph.tensors[tensor].name!r}"


def _same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
