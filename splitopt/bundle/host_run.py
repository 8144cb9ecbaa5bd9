"""A bundle's model and pieces run on this machine, whole or one after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splitopt.base.errors import UsageError
from splitopt.bundle.open import OpenBundle
from splitopt.runtime.arrays import Array, arena_bytes
from splitopt.runtime.host import Stage, run_tflm_chain
from splitopt.verify.equality import PieceFile, bands_of


def require_own_pieces(bundle: OpenBundle) -> None:
    """Raises UsageError for a piece that is not the one that the run wrote."""
    for piece in bundle.pieces:
        if piece.replaced:
            raise UsageError(f"{piece.path}: is not the piece that the run wrote; run it again")


def whole_outputs(bundle: OpenBundle, feeds: Sequence[Array]) -> list[list[bytes]]:
    """Bytes of the unsplit model's outputs in TFLM: [sample][output]. Raises ToolError."""
    graph = bundle.graph
    ends = _names(graph.inputs), _names(graph.outputs)
    return _outputs(bundle, [Stage(bundle.model_path, *ends, arena_bytes(graph))], feeds)


def chained_outputs(bundle: OpenBundle, feeds: Sequence[Array]) -> list[list[bytes]]:
    """The same of its pieces, each fed with what those before it made."""
    size = arena_bytes(bundle.graph)
    stages = [
        Stage(
            path=piece.path,
            inputs=_names(piece.segment.inputs),
            outputs=_names(piece.segment.outputs),
            arena_bytes=size,
            bands=bands_of(bundle.graph, PieceFile(piece.path, piece.segment, piece.executions)),
        )
        for piece in bundle.pieces
    ]
    return _outputs(bundle, stages, feeds)


def _outputs(
    bundle: OpenBundle, stages: Sequence[Stage], feeds: Sequence[Array]
) -> list[list[bytes]]:
    fed = dict(zip(_names(bundle.graph.inputs), feeds, strict=True))
    timeout_s = bundle.plan.job.settings.verify.time_limit_s
    made = run_tflm_chain(stages, fed, timeout_s=timeout_s)
    return [
        [np.ascontiguousarray(made[name][n]).tobytes() for name in _names(bundle.graph.outputs)]
        for n in range(len(feeds[0]))
    ]


def _names(tensors: Sequence[int]) -> tuple[str, ...]:
    return tuple(map(str, tensors))
