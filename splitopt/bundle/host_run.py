"""A bundle's model and pieces run on this machine, whole or one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from splitopt.base.errors import UsageError
from splitopt.bundle.folder import sha256_of
from splitopt.bundle.load import optional
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.schema.manifest import Manifest
from splitopt.runtime.arrays import Array
from splitopt.verify.chains import PieceFile, run_pieces, run_whole


def require_as_written(bundle: OpenBundle) -> None:
    """Raises UsageError for a plan or a piece that is not the one that the run wrote.

    A plan's arenas and boundary tensors were proved not to overlap when it was written. While a run
    is under way there is no manifest yet.
    """
    plan = bundle.folder / "plan.json"
    manifest = optional(bundle.folder / "manifest.json", Manifest)
    written = None if manifest is None else manifest.files.get(plan.name)
    if written not in (None, sha256_of(plan.read_bytes())):
        raise UsageError(f"{plan}: changed since the run wrote it; run the job again")
    for piece in bundle.pieces:
        for path in piece.replaced_paths:
            raise UsageError(f"{path}: is not the piece that the run wrote; run it again")


def whole_outputs(bundle: OpenBundle, feeds: Sequence[Array]) -> list[list[bytes]]:
    """Bytes of the unsplit model's outputs in TFLM: [sample][output]. Raises ToolError."""
    fed, timeout_s = _fed(bundle, feeds), _timeout_s(bundle)
    return _by_sample(bundle, run_whole(bundle.graph, bundle.model_path, fed, timeout_s))


def chained_outputs(bundle: OpenBundle, feeds: Sequence[Array]) -> list[list[bytes]]:
    """Bytes of the outputs of the pieces in TFLM: [sample][output]. Each piece is fed with what
    those before it made. Raises ToolError."""
    pieces = [
        PieceFile(
            piece.path,
            piece.segment,
            piece.executions,
            piece.stream_files,
            _rolled_places(bundle, piece),
        )
        for piece in bundle.pieces
    ]
    graphs = [bundle.graph] * len(pieces)
    return _by_sample(bundle, run_pieces(pieces, graphs, _fed(bundle, feeds), _timeout_s(bundle)))


def _rolled_places(bundle: OpenBundle, piece: Piece) -> dict[int, int]:
    """Where the piece's ends lie, if some may share bytes."""
    plan, ends = bundle.plan, {*piece.segment.inputs, *piece.segment.outputs}
    entries = [e for e in plan.layout.boundary if e.first_segment <= piece.index <= e.last_segment]
    is_rolled = bool(plan.segments[piece.index].rolled)
    found = {e.tensor: e.offset for e in entries if e.tensor in ends and e.memory is None}
    return found if is_rolled else {}


def _fed(bundle: OpenBundle, feeds: Sequence[Array]) -> dict[int, Array]:
    return dict(zip(bundle.graph.inputs, feeds, strict=True))


def _timeout_s(bundle: OpenBundle) -> float:
    return bundle.plan.job.settings.verify.time_limit_s


def _by_sample(bundle: OpenBundle, made: Mapping[int, Array]) -> list[list[bytes]]:
    outputs = [made[tensor] for tensor in bundle.graph.outputs]
    return [[array.tobytes() for array in sample] for sample in zip(*outputs, strict=True)]
