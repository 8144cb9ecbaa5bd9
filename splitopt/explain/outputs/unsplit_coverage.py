"""Does a wrong piece's calibration cover the data, at its ends and inside it?

A range too narrow clips, one many times too wide leaves few levels. Whether that explains the
piece is tried: our own piece of the same ops, its ends squeezed in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.explain.outputs.array_compare import (
    Grid,
    distance,
    grid_of,
    percent,
    real,
    share,
    span,
    stored,
)
from splitopt.explain.outputs.host_runs import Reference, Refused, Trial, run_trials, timeout_s
from splitopt.explain.outputs.isolated_piece import IsolatedRun
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import Array, arena_bytes, numpy_dtype
from splitopt.runtime.host import Stage, run_tflm_chain

LEAST_CLIPPED = 0.005
TOO_WIDE = 6.0
_FIXED_RANGE = frozenset({"SOFTMAX", "LOGISTIC", "TANH", "LOG_SOFTMAX"})


@dataclass(frozen=True)
class End:
    """One end of a piece: what its file can represent there, and what the model has there.

    `clipped`: share of the values that it cannot represent. `too_wide`: its range in ranges of
    the data.
    """

    tensor: int
    is_input: bool
    position: int
    grid: Grid
    low: float
    high: float
    clipped: float

    @property
    def too_wide(self) -> float:
        return self.grid.width / max(self.high - self.low, 1e-30)

    @property
    def is_bad(self) -> bool:
        return self.clipped >= LEAST_CLIPPED or self.is_coarse

    @property
    def is_coarse(self) -> bool:
        return self.too_wide >= TOO_WIDE and self.low < self.high

    def __str__(self) -> str:
        end = f"{'input' if self.is_input else 'output'} {self.position}"
        ranges = (
            f"{end} can hold {span(self.grid.low, self.grid.high)}, the whole model has "
            f"{span(self.low, self.high)} there"
        )
        if self.clipped:
            return f"{ranges}: {percent(self.clipped)} of the values are clipped"
        return f"{ranges}: {self.too_wide:.3g} times as wide"


def ends_of(piece: Piece, reference: Reference) -> list[End]:
    """Every quantised end of the piece beside the whole model's values there."""
    found = []
    sides = ((True, piece.inputs), (False, piece.outputs))
    for is_input, pairs in sides:
        for position, (tensor, own) in enumerate(pairs):
            grid = grid_of(own)
            if grid is None:
                continue
            values = reference.real(tensor)
            found.append(
                End(
                    tensor=tensor,
                    is_input=is_input,
                    position=position,
                    grid=grid,
                    low=float(values.min()),
                    high=float(values.max()),
                    clipped=share(grid.clipped(values)),
                )
            )
    return found


def explained_by_ends(
    bundle: OpenBundle, run: IsolatedRun, reference: Reference, folder: Path
) -> bool:
    """Whether our own piece, its inputs and outputs squeezed into the file's ranges, does alike."""
    ours = _our_piece(bundle, run.piece, folder)
    feeds = []
    for tensor, own in run.piece.inputs:
        values = reference.real(tensor)
        feeds.append(real(stored(values, own), own).reshape(values.shape))
    [made] = run_trials([Trial(ours.graph, ours.path, tuple(feeds))], timeout_s(bundle))
    if isinstance(made, Refused):
        return False
    for position, (_, own) in enumerate(run.piece.outputs):
        exact = ours.graph.tensors[ours.graph.outputs[position]]
        want = real(stored(real(made[position], exact), own), own)
        if distance(want, run.real(position), grid_of(own)).is_wrong:
            return False
    return True


def _our_piece(bundle: OpenBundle, piece: Piece, folder: Path) -> Piece:
    """The piece as splitopt writes it, with ends in the plan's order."""
    path = folder / f"{piece.index}.tflite"
    path.write_bytes(write_piece(bundle.graph, piece.segment))
    return Piece(piece.index, piece.name, path, piece.segment, read_tflite(path))


@dataclass(frozen=True)
class Inside:
    """The inner tensor of a piece that is worst covered: the share of its values at its limits."""

    op: str
    clipped: float
    usual: float

    def __str__(self) -> str:
        return (
            f"inside the piece, {percent(self.clipped)} of what {self.op} makes lies at the limits "
            f"of its range; in the whole model's own ops that is {percent(self.usual)} at most"
        )


def worst_inside(
    bundle: OpenBundle, run: IsolatedRun, reference: Reference, folder: Path
) -> Inside | None:
    """None where nothing inside saturates more than in the whole model."""
    ours = _our_piece(bundle, run.piece, folder)
    theirs, usual = (_saturation(bundle, p, reference) for p in (run.piece, ours))
    most = max(usual.values(), default=0.0)
    worst = max(theirs, key=lambda op: theirs[op], default=None)
    if worst is None or theirs[worst] < max(0.02, 4 * most):
        return None
    return Inside(run.piece.graph.op_name(worst), theirs[worst], most)


def _saturation(bundle: OpenBundle, piece: Piece, reference: Reference) -> dict[int, float]:
    """Op → share of its output at limits that clip; fixed ranges and RELU's zero aside."""
    graph = piece.graph
    ends = {*graph.inputs, *graph.outputs}
    inner = {
        op.index: op.outputs[0]
        for op in graph.ops
        if len(op.outputs) == 1
        and op.outputs[0] not in ends
        and op.type not in _FIXED_RANGE
        and _is_int8(graph.tensors[op.outputs[0]])
    }
    if not inner:
        return {}
    feeds = [stored(reference.real(t), own) for t, own in piece.inputs]
    stage = Stage(
        path=piece.path,
        inputs=tuple(f"i{p}" for p in range(len(feeds))),
        outputs=tuple(f"o{p}" for p in range(len(graph.outputs))),
        arena_bytes=arena_bytes(graph),
        keep=tuple((f"t{t}", t) for t in dict.fromkeys(inner.values())),
    )
    fed = {f"i{p}": feed for p, feed in enumerate(feeds)}
    made = run_tflm_chain([stage], fed, timeout_s=timeout_s(bundle))
    return {op: _at_limits(graph, made[f"t{t}"], t) for op, t in inner.items()}


def _is_int8(tensor: Tensor) -> bool:
    return tensor.quantization is not None and tensor.dtype.name == "INT8"


def _at_limits(graph: ModelGraph, values: Array, tensor: int) -> float:
    """The share at the top, and at the bottom where that is not the zero of a RELU."""
    limits = np.iinfo(numpy_dtype(graph.tensors[tensor]))
    grid = grid_of(graph.tensors[tensor])
    top = share(values == limits.max)
    if grid is None or grid.zero_point <= limits.min:
        return top
    return top + share(values == limits.min)


def coarse_or_clipped(ends: Sequence[End]) -> list[End]:
    """Ends that lose values, the worst first."""
    return sorted((e for e in ends if e.is_bad), key=lambda e: (-e.clipped, -e.too_wide))
