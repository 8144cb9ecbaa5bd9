"""Every run of a diagnosis, in child processes: the whole model, each piece by itself, the chain.

Arrays are kept as they are stored; `values.real` gives what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splitopt.base.errors import ToolError
from splitopt.base.progress import Progress
from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.explain.outputs.array_compare import Grid, grid_of, real, sound, stored
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.runtime.arrays import Array, arena_bytes, numpy_dtype
from splitopt.runtime.host import Stage, run_tflm_chain

_LEAST_TIMEOUT_S = 120.0
Outputs = tuple[Array, ...]


@dataclass(frozen=True)
class Reference:
    """What the unsplit model holds at every boundary, as it stores it."""

    graph: ModelGraph
    arrays: Mapping[int, Array]

    @property
    def count(self) -> int:
        return len(next(iter(self.arrays.values())))

    def real(self, tensor: int) -> Array:
        return real(self.arrays[tensor], self.graph.tensors[tensor])

    def grid(self, tensor: int) -> Grid | None:
        return grid_of(self.graph.tensors[tensor])


@dataclass(frozen=True)
class Trial:
    """One run of a piece: what is fed to each of its inputs, as real values in its own shape."""

    graph: ModelGraph
    path: Path
    feeds: tuple[Array, ...]


@dataclass(frozen=True)
class Refused:
    """A piece that TFLM did not run, and what it said."""

    reason: str


def timeout_s(bundle: OpenBundle) -> float:
    return max(_LEAST_TIMEOUT_S, bundle.plan.job.settings.verify.time_limit_s)


def run_reference(bundle: OpenBundle, feeds: Sequence[Array]) -> Reference:
    """Raises ToolError where TFLM cannot run the whole model."""
    graph = bundle.graph
    fed = dict(zip(graph.inputs, feeds, strict=True))
    inner = [t for t in bundle.handed_over if t not in fed and t not in graph.outputs]
    stage = Stage(
        path=bundle.model_path,
        inputs=tuple(f"t{t}" for t in graph.inputs),
        outputs=tuple(f"o{k}" for k in range(len(graph.outputs))),
        arena_bytes=arena_bytes(graph),
        keep=tuple((f"t{t}", t) for t in inner),
    )
    made = run_tflm_chain(
        [stage], {f"t{t}": array for t, array in fed.items()}, timeout_s=timeout_s(bundle)
    )
    arrays = {t: made[f"t{t}"] for t in inner}
    arrays |= {t: made[f"o{k}"] for k, t in enumerate(graph.outputs)}
    return Reference(graph, {**fed, **arrays})


def run_trials(trials: Sequence[Trial], limit_s: float) -> list[Outputs | Refused]:
    """Each trial by itself, all in one child process; one by one where that process fails."""
    if not trials:
        return []
    try:
        return list(_run_together(trials, limit_s))
    except ToolError as error:
        if len(trials) == 1:
            return [Refused(str(error))]
    return [found for trial in trials for found in run_trials([trial], limit_s)]


def _run_together(trials: Sequence[Trial], limit_s: float) -> list[Outputs]:
    stages, feeds = [], {}
    for k, trial in enumerate(trials):
        tensors = [trial.graph.tensors[t] for t in trial.graph.inputs]
        names = tuple(f"{k}/i{p}" for p in range(len(tensors)))
        for name, tensor, values in zip(names, tensors, trial.feeds, strict=True):
            feeds[name] = stored(values, tensor)
        stages.append(
            Stage(
                path=trial.path,
                inputs=names,
                outputs=tuple(f"{k}/o{p}" for p in range(len(trial.graph.outputs))),
                arena_bytes=arena_bytes(trial.graph),
            )
        )
    made = run_tflm_chain(stages, feeds, timeout_s=limit_s)
    return [tuple(made[name] for name in stage.outputs) for stage in stages]


def can_be_fed(piece: Piece, graph: ModelGraph) -> bool:
    """Whether the whole model's boundary values fit its inputs and its outputs, by number."""
    if not piece.has_all_ends:
        return False
    ends = (*piece.inputs, *piece.outputs)
    return all(sound(t) and t.elements == graph.tensors[own].elements for own, t in ends)


def isolated(piece: Piece, reference: Reference) -> Trial:
    """The piece fed with the whole model's own values, in the order the plan gives."""
    return Trial(piece.graph, piece.path, tuple(reference.real(t) for t, _ in piece.inputs))


@dataclass(frozen=True)
class Chain:
    """What the pieces make of one another's bytes, by tensor of the whole model.

    `stopped`: why it ended early, empty where it did not. `makers`: the tensor, as its maker's
    file describes it.
    """

    arrays: Mapping[int, Array]
    makers: Mapping[int, Tensor]
    stopped: str = ""

    def real(self, tensor: int) -> Array:
        return real(self.arrays[tensor], self.makers[tensor])


def run_chain(bundle: OpenBundle, feeds: Sequence[Array], progress: Progress) -> Chain:
    """The pieces as a runner runs them: bytes are copied across each boundary as they are."""
    graph = bundle.graph
    arrays = dict(zip(graph.inputs, feeds, strict=True))
    makers = {t: graph.tensors[t] for t in graph.inputs}
    if bundle.plan.route == "pieces":
        _feed_as_first_read(bundle, arrays, makers)
    pending: list[Piece] = []
    for piece in bundle.pieces:
        if not piece.has_all_ends or not all(sound(t) for _, t in (*piece.inputs, *piece.outputs)):
            return Chain(arrays, makers, f"{piece.label} can not take part in the chain")
        made = {t: tensor for p in pending for t, tensor in p.outputs}
        known = {**makers, **made}
        if all(_form(known[t]) == _form(tensor) for t, tensor in piece.inputs):
            pending.append(piece)
            continue
        for group in (pending, [piece]):
            stopped = _advance(bundle, group, arrays, makers)
            if stopped:
                return Chain(arrays, makers, stopped)
        pending = []
    progress("running the chain of pieces in TFLM")
    return Chain(arrays, makers, _advance(bundle, pending, arrays, makers))


def _feed_as_first_read(
    bundle: OpenBundle, arrays: dict[int, Array], makers: dict[int, Tensor]
) -> None:
    """Pieces converted one by one want the model's inputs in their own quantisation."""
    for piece in bundle.pieces:
        for tensor, own in piece.inputs:
            whole = bundle.graph.tensors[tensor]
            first = bundle.readers[tensor][0] is piece
            if makers.get(tensor) is whole and first and sound(own) and _form(own) == _form(whole):
                arrays[tensor] = stored(real(arrays[tensor], whole), own)
                makers[tensor] = own


def _form(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return tensor.dtype.name, tensor.shape


def _advance(
    bundle: OpenBundle,
    pieces: Sequence[Piece],
    arrays: dict[int, Array],
    makers: dict[int, Tensor],
) -> str:
    """Runs pieces whose inputs agree in form, or a single one; why it can't, or nothing."""
    if not pieces:
        return ""
    feeds = {}
    made_here: set[int] = set()
    for piece in pieces:
        for tensor, own in piece.inputs:
            if tensor in made_here:
                continue
            read = _reread(arrays[tensor], own)
            if read is None:
                return f"{piece.label} reads another number of bytes of tensor {tensor}"
            feeds[f"t{tensor}"] = read
        made_here |= {t for t, _ in piece.outputs}
    stages = [
        Stage(
            path=piece.path,
            inputs=tuple(f"t{t}" for t, _ in piece.inputs),
            outputs=tuple(f"t{t}" for t, _ in piece.outputs),
            arena_bytes=arena_bytes(piece.graph),
        )
        for piece in pieces
    ]
    try:
        made = run_tflm_chain(stages, feeds, timeout_s=timeout_s(bundle))
    except ToolError as error:
        return str(error)
    arrays |= {t: made[f"t{t}"] for t in made_here}
    makers |= {t: tensor for piece in pieces for t, tensor in piece.outputs}
    return ""


def _reread(array: Array, tensor: Tensor) -> Array | None:
    """The same bytes in the form that a reader wants; None where their number differs."""
    dtype, shape = numpy_dtype(tensor), (len(array), *tensor.shape)
    if array.dtype == dtype and array.shape == shape:
        return array
    flat = np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)
    if flat.shape[1] != tensor.elements * dtype.itemsize:
        return None
    return np.ascontiguousarray(flat).view(dtype).reshape(shape)
