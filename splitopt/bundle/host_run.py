"""A bundle's model and pieces run on this machine, whole or one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from splitopt.base.errors import UsageError
from splitopt.bundle.open import OpenBundle
from splitopt.runtime.arrays import Array
from splitopt.verify.equality import PieceFile, run_pieces, run_whole


def require_own_pieces(bundle: OpenBundle) -> None:
    """Raises UsageError for a piece that is not the one that the run wrote."""
    for piece in bundle.pieces:
        if piece.replaced:
            raise UsageError(f"{piece.path}: is not the piece that the run wrote; run it again")


def whole_outputs(bundle: OpenBundle, feeds: Sequence[Array]) -> list[list[bytes]]:
    """Bytes of the unsplit model's outputs in TFLM: [sample][output]. Raises ToolError."""
    fed, timeout_s = _fed(bundle, feeds), _timeout_s(bundle)
    return _by_sample(bundle, run_whole(bundle.graph, bundle.model_path, fed, timeout_s))


def chained_outputs(bundle: OpenBundle, feeds: Sequence[Array]) -> list[list[bytes]]:
    """Bytes of the outputs of the pieces in TFLM: [sample][output]. Each piece is fed with what
    those before it made. Raises ToolError."""
    pieces = [PieceFile(piece.path, piece.segment, piece.executions) for piece in bundle.pieces]
    graphs = [bundle.graph] * len(pieces)
    return _by_sample(bundle, run_pieces(pieces, graphs, _fed(bundle, feeds), _timeout_s(bundle)))


def _fed(bundle: OpenBundle, feeds: Sequence[Array]) -> dict[int, Array]:
    return dict(zip(bundle.graph.inputs, feeds, strict=True))


def _timeout_s(bundle: OpenBundle) -> float:
    return bundle.plan.job.settings.verify.time_limit_s


def _by_sample(bundle: OpenBundle, made: Mapping[int, Array]) -> list[list[bytes]]:
    outputs = [made[tensor] for tensor in bundle.graph.outputs]
    return [[array.tobytes() for array in sample] for sample in zip(*outputs, strict=True)]
