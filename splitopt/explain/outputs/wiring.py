"""Would a wrong piece be right with other tensors at its ends, or with their axes turned?

Every trial is an order of the inputs and a reading of the outputs; all run in one process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations

import numpy as np

from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.schema.outputs import Difference, Finding, Severity
from splitopt.explain.outputs.array_compare import distance, real
from splitopt.explain.outputs.host_runs import (
    Outputs,
    Reference,
    Refused,
    Trial,
    run_trials,
    timeout_s,
)
from splitopt.explain.outputs.isolated_piece import IsolatedRun
from splitopt.runtime.arrays import Array

_MOST_TRIALS = 64
_MOST_SWAPS = 24
_MOST_AXES = 5
_TRIAL_SAMPLES = 4
_CLEARLY_BETTER_DB = 10.0
Axes = tuple[int, ...]


@dataclass(frozen=True)
class Wire:
    """One end of a piece: the tensor of the whole model at it, and how its axes are turned.

    `axes` is numpy's: position in the piece's form → axis of the whole model's shape; () for as
    they are.
    """

    tensor: int
    axes: Axes = ()


@dataclass(frozen=True)
class Rewiring:
    """Tensors and axes at the ends of the piece with which it is right."""

    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]
    worst: Difference

    @property
    def changes(self) -> int:
        return sum(bool(wire.axes) for wire in (*self.inputs, *self.outputs))


def find_rewiring(bundle: OpenBundle, run: IsolatedRun, reference: Reference) -> Rewiring | None:
    """The connection that makes the piece right, the plainest of those that do; or None."""
    piece, some = run.piece, _informative(reference)
    tries = list(islice(_inputs_to_try(bundle, piece), _MOST_TRIALS))
    trials = [
        Trial(piece.graph, piece.path, tuple(_turned(some, reference, wire) for wire in wires))
        for wires in tries
    ]
    made = run_trials(trials, timeout_s(bundle))
    before = run.worst.sqnr_db if run.worst else 0.0
    found = [
        Rewiring(wires, *best)
        for wires, outputs in zip(tries, made, strict=True)
        if not isinstance(outputs, Refused)
        and (best := _best_reading(bundle, piece, outputs, reference, some)) is not None
    ]
    better = [r for r in found if r.worst.is_right and r.worst.sqnr_db > before]
    clear = [r for r in better if r.worst.sqnr_db >= before + _CLEARLY_BETTER_DB]
    return min(clear, key=lambda r: (-round(r.worst.sqnr_db), r.changes), default=None)


def _informative(reference: Reference) -> Array:
    """A few samples from the end: random ones start with extremes, in which all axes are alike."""
    return np.arange(max(0, reference.count - _TRIAL_SAMPLES), reference.count)


def _turned(some: Array, reference: Reference, wire: Wire) -> Array:
    values = reference.real(wire.tensor)[some]
    return values.transpose(0, *(1 + axis for axis in wire.axes)) if wire.axes else values


def _inputs_to_try(bundle: OpenBundle, piece: Piece) -> Iterator[tuple[Wire, ...]]:
    """As planned (for other outputs), inputs exchanged, one replaced, axes turned."""
    own = piece.segment.inputs
    elements = [bundle.graph.tensors[t].elements for t in own]
    yield tuple(map(Wire, own))
    for order in islice(permutations(own), 1, _MOST_SWAPS):
        if [bundle.graph.tensors[t].elements for t in order] == elements:
            yield tuple(map(Wire, order))
    for position in range(len(own)):
        for axes in _axes_to_try(bundle, piece, position):
            yield _with(own, {position: Wire(own[position], axes)})
    if len(own) > 1:
        for axes in _axes_to_try(bundle, piece, 0):
            yield _with(
                own, {p: Wire(t, axes) for p, t in enumerate(own) if _fits(bundle, t, axes)}
            )
    for position, size in enumerate(elements):
        for other in _made_before(bundle, piece):
            if bundle.graph.tensors[other].elements == size and other not in own:
                yield _with(own, {position: Wire(other)})


def _with(own: Sequence[int], changed: dict[int, Wire]) -> tuple[Wire, ...]:
    return tuple(changed.get(p, Wire(t)) for p, t in enumerate(own))


def _fits(bundle: OpenBundle, tensor: int, axes: Axes) -> bool:
    return len(bundle.graph.tensors[tensor].shape) == len(axes)


def _made_before(bundle: OpenBundle, piece: Piece) -> Iterator[int]:
    for tensor in bundle.handed_over:
        maker = bundle.makers.get(tensor)
        if maker is None or maker.index < piece.index:
            yield tensor


def _axes_to_try(bundle: OpenBundle, piece: Piece, position: int) -> Iterator[Axes]:
    tensor, own = piece.inputs[position]
    yield from turns(bundle.graph.tensors[tensor].shape, own.shape)


def turns(whole: tuple[int, ...], own: tuple[int, ...]) -> Iterator[Axes]:
    """Orders of the axes of `whole` that move more than axes of 1; those that give `own` first.

    The others stand for a file whose last op is a Reshape that hides the layout.
    """
    if not 2 <= len(whole) <= _MOST_AXES:
        return
    plain = tuple(axis for axis, extent in enumerate(whole) if extent > 1)
    orders = permutations(range(len(whole)))
    ranked = sorted(orders, key=lambda axes: tuple(whole[axis] for axis in axes) != own)
    seen = {plain}
    for axes in ranked:
        moved = tuple(axis for axis in axes if whole[axis] > 1)
        if moved not in seen:
            seen.add(moved)
            yield axes


def _best_reading(
    bundle: OpenBundle, piece: Piece, made: Outputs, reference: Reference, some: Array
) -> tuple[tuple[Wire, ...], Difference] | None:
    """Each output as the tensor, and in the order of axes, that it comes closest to."""
    wires, distances = [], []
    wanted = piece.segment.outputs
    others = [t for t in bundle.handed_over if t in bundle.makers and t not in wanted]
    for position, (tensor, own) in enumerate(piece.outputs):
        values = real(made[position], own)
        candidates = [Wire(tensor)]
        candidates += [
            Wire(tensor, a) for a in turns(bundle.graph.tensors[tensor].shape, own.shape)
        ]
        candidates += [Wire(t) for t in (*wanted, *others) if t != tensor]
        sized = [w for w in candidates if bundle.graph.tensors[w.tensor].elements == own.elements]
        judged = [
            (w, distance(_turned(some, reference, w), values, reference.grid(w.tensor)))
            for w in sized
        ]
        if not judged:
            return None
        wire, apart = max(judged, key=lambda pair: pair[1].sqnr_db)
        wires.append(wire)
        distances.append(apart)
    if len({wire.tensor for wire in wires}) < len(wires):
        return None
    return tuple(wires), min(distances, key=lambda d: d.sqnr_db)


def rewiring_findings(bundle: OpenBundle, run: IsolatedRun, found: Rewiring) -> Iterator[Finding]:
    """What has to be connected otherwise, and how."""
    piece = run.piece
    proof = f"by itself and as planned: {run.worst}; connected like this: {found.worst}"
    planned = (*piece.segment.inputs, *piece.segment.outputs)
    wires = (*found.inputs, *found.outputs)
    for k, (tensor, wire) in enumerate(zip(planned, wires, strict=True)):
        is_input = k < len(found.inputs)
        position = k if is_input else k - len(found.inputs)
        if wire.tensor != tensor:
            yield wrong_tensor(bundle, piece, position, wire.tensor, proof, is_input=is_input)
        if wire.axes:
            yield _wrong_layout(bundle, piece, position, wire, proof, is_input=is_input)


def _end(piece: Piece, position: int, *, is_input: bool) -> str:
    return f"{'input' if is_input else 'output'} {position} of {piece.label}"


def wrong_tensor(
    bundle: OpenBundle, piece: Piece, position: int, right: int, proof: str, *, is_input: bool
) -> Finding:
    """A piece at one of whose ends the plan has another tensor than the file."""
    ends = piece.segment.inputs if is_input else piece.segment.outputs
    planned, end = ends[position], _end(piece, position, is_input=is_input)
    verb, other = ("is fed", "wants") if is_input else ("is taken for", "is")
    names = bundle.tensor_name(planned), bundle.tensor_name(right)
    return Finding(
        code="wrong_tensor",
        severity=Severity.FAULT,
        title=f"{end} {verb} tensor {planned}, but {other} tensor {right}",
        where=end,
        evidence=(f"planned there: {names[0]}; right there: {names[1]}", proof),
        next_step=f"exchange the order of the piece's {'inputs' if is_input else 'outputs'} when "
        "you export it, or hand the tensors over by name, not by position",
        figures={"planned": planned, "right": right},
        tensors=(planned, right),
        pieces=(piece.index,),
    )


def _wrong_layout(
    bundle: OpenBundle, piece: Piece, position: int, wire: Wire, proof: str, *, is_input: bool
) -> Finding:
    axes, tensor = wire.axes, wire.tensor
    end = _end(piece, position, is_input=is_input)
    shape = bundle.graph.tensors[tensor].shape
    turned = tuple(shape[axis] for axis in axes)
    back = tuple(int(axis) for axis in np.argsort(axes))
    fix = axes if is_input else back
    name = _layout_name(axes)
    return Finding(
        code="wrong_layout",
        severity=Severity.FAULT,
        title=f"{end} has its axes turned: {name} where the whole model has {list(shape)}",
        where=f"{end}, {bundle.tensor_name(tensor)}",
        evidence=(
            f"axes {list(axes)} of {list(shape)} make {list(turned)}, which is what the file has",
            proof,
        ),
        next_step=f"insert Transpose(perm={list(fix)}) {'before' if is_input else 'behind'} it "
        "(in the ONNX piece, so that the two cancel out)",
        figures={"axes": tuple(axes), "transpose": tuple(fix), "shape": tuple(shape)},
        tensors=(tensor,),
        pieces=(piece.index,),
    )


def _layout_name(axes: Axes) -> str:
    """NCHW for channels moved to the front; else the axes as they are."""
    letters = {3: "NWC", 4: "NHWC", 5: "NDHWC"}.get(len(axes))
    if letters is None or axes[0] != 0:
        return f"axes {list(axes)}"
    return "".join(letters[axis] for axis in axes)
