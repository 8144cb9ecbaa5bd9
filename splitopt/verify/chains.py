"""The unsplit model and the chain of its pieces, run in TFLM on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment
from splitopt.runtime.arrays import Array, arena_bytes
from splitopt.runtime.host import Bands, Places, Stage, StreamFiles, run_tflm_chain
from splitopt.tiling.plan import Execution


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
    ends = names_of(graph.inputs), names_of(graph.outputs)
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
        inputs=names_of(inputs),
        outputs=names_of(outputs),
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


def names_of(tensors: Sequence[int]) -> tuple[str, ...]:
    """Tensors as stages name them: by number."""
    return tuple(map(str, tensors))


def _run(stages: Sequence[Stage], fed: Mapping[int, Array], timeout_s: float) -> dict[int, Array]:
    feeds = {str(tensor): array for tensor, array in fed.items()}
    made = run_tflm_chain(stages, feeds, timeout_s=timeout_s)
    return {int(name): array for name, array in made.items()}
