"""The boundary contract, read from the piece files: does each reader read what its maker writes?

Scale, zero point, element type and shape on both sides of every boundary tensor. Runs nothing;
the reference's values only tell how much a difference matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from splitopt.bundle.open import OpenBundle
from splitopt.bundle.piece import Piece
from splitopt.bundle.schema.outputs import Difference, Figure, Finding, Severity
from splitopt.explain.outputs.array_compare import (
    Grid,
    distance,
    grid_of,
    percent,
    real,
    share,
    sound,
    stored,
)
from splitopt.explain.outputs.host_runs import Reference
from splitopt.explain.outputs.wiring import wrong_tensor
from splitopt.graph.model import Tensor
from splitopt.runtime.arrays import numpy_dtype

_HALF_STEP = 0.5
_MOST_EXCHANGED = 5


@dataclass(frozen=True)
class Side:
    """One end of a boundary: a piece's tensor, or (piece None) the model's own input."""

    piece: Piece | None
    tensor: Tensor

    @property
    def label(self) -> str:
        return "the model's input" if self.piece is None else self.piece.label

    @property
    def pieces(self) -> tuple[int, ...]:
        return () if self.piece is None else (self.piece.index,)


def contract_findings(bundle: OpenBundle, reference: Reference) -> list[Finding]:
    """Every difference between what is written and what is read, in the order of the pieces."""
    findings = [f for piece in bundle.pieces for f in _end_findings(bundle, piece)]
    odd = {index for finding in findings for index in finding.pieces}
    written: dict[int, Side] = {t: Side(None, bundle.graph.tensors[t]) for t in bundle.graph.inputs}
    for piece in bundle.pieces:
        if piece.index in odd:
            continue
        exchanged = list(_exchanged(bundle, piece, written))
        findings += exchanged
        for tensor, own in () if exchanged else piece.inputs:
            if (maker := written.get(tensor)) is None:
                continue
            findings += _differences(_Meeting(bundle, reference, tensor, maker, Side(piece, own)))
            if maker.piece is None and _is_fed_as_read(bundle, tensor, piece):
                written[tensor] = Side(None, own)
        written |= {t: Side(piece, own) for t, own in piece.outputs}
    return findings


def _exchanged(bundle: OpenBundle, piece: Piece, written: Mapping[int, Side]) -> Iterator[Finding]:
    """Inputs whose quantisation is that of one another's tensors: their order is wrong.

    What an op does with them may hide it from the values: an ADD takes its inputs in any order.
    """
    own = [tensor for _, tensor in piece.inputs]
    planned = piece.segment.inputs
    if not 2 <= len(own) <= _MOST_EXCHANGED or any(t not in written for t in planned):
        return
    makers = {t: written[t].tensor for t in planned}
    if all(_agree(makers[t], o) for t, o in zip(planned, own, strict=True)):
        return
    for order in permutations(planned):
        if all(_agree(makers[t], o) for t, o in zip(order, own, strict=True)):
            for position, right in enumerate(order):
                if right != planned[position]:
                    proof = (
                        f"its {grid_of(own[position])} is that of tensor {right}; tensor "
                        f"{planned[position]} has {grid_of(makers[planned[position]])}"
                    )
                    yield wrong_tensor(bundle, piece, position, right, proof, is_input=True)
            return


def _agree(wrote: Tensor, read: Tensor) -> bool:
    """Whether a copy of bytes keeps every value."""
    if wrote.dtype != read.dtype or wrote.elements != read.elements:
        return False
    a, b = grid_of(wrote), grid_of(read)
    if a is None or b is None:
        return a is b
    return sound(wrote) and sound(read) and _worst_step(wrote, a, b) <= _HALF_STEP


def _is_fed_as_read(bundle: OpenBundle, tensor: int, piece: Piece) -> bool:
    """Pieces that were converted one by one: the model's input is what its first reader wants. All
    were calibrated on the same samples, so that is the whole model's, too, unless it was edited."""
    return bundle.plan.route == "pieces" and bundle.readers[tensor][0] is piece


def _end_findings(bundle: OpenBundle, piece: Piece) -> Iterator[Finding]:
    """Ends that are missing, of another size than the model's, or that hold no numbers at all."""
    segment, graph = piece.segment, piece.graph
    if not piece.has_all_ends:
        got = f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
        want = f"{len(segment.inputs)} and {len(segment.outputs)}"
        yield _other_ends(piece, f"the file has {got}, the plan gives it {want}", ())
        return
    for tensor, own in (*piece.inputs, *piece.outputs):
        whole = bundle.graph.tensors[tensor]
        if own.elements != whole.elements:
            evidence = f"{bundle.tensor_name(tensor)} is {_kind(whole)}, the file has {_kind(own)}"
            yield _other_ends(piece, evidence, (tensor,))
        elif not sound(own):
            yield Finding(
                code="unusable_form",
                severity=Severity.FAULT,
                title=f"{piece.label} holds tensor {tensor} in a form that no value fits",
                where=piece.label,
                evidence=(f"type {own.dtype.name}, quantisation {own.quantization}"[:200],),
                next_step="convert this piece again to int8 with a scale above 0",
                tensors=(tensor,),
                pieces=(piece.index,),
            )


def _other_ends(piece: Piece, evidence: str, tensors: tuple[int, ...]) -> Finding:
    return Finding(
        code="piece_ends",
        severity=Severity.FAULT,
        title=f"{piece.label} has other inputs or outputs than its place in the plan",
        where=piece.label,
        evidence=(evidence,),
        next_step="put the piece of this place there: this may be one of another model, or of "
        "other cuts",
        tensors=tensors,
        pieces=(piece.index,),
    )


@dataclass(frozen=True)
class _Meeting:
    """A tensor that one side writes and another reads."""

    bundle: OpenBundle
    reference: Reference
    tensor: int
    maker: Side
    reader: Side

    def finding(
        self,
        code: str,
        severity: Severity,
        title: str,
        evidence: Sequence[str],
        next_step: str,
        figures: dict[str, Figure],
    ) -> Finding:
        maker, reader = self.maker.label, self.reader.label
        return Finding(
            code=code,
            severity=severity,
            title=title,
            where=f"{self.bundle.tensor_name(self.tensor)}, from {maker} to {reader}",
            evidence=tuple(evidence),
            next_step=next_step,
            figures=figures,
            tensors=(self.tensor,),
            pieces=(*self.maker.pieces, *self.reader.pieces),
        )


def _differences(at: _Meeting) -> Iterator[Finding]:
    """Type and number of elements first: where they differ, scales say nothing."""
    a, b = at.maker.tensor, at.reader.tensor
    if a.dtype != b.dtype or a.elements != b.elements:
        yield _another_form(at)
        return
    if a.shape != b.shape:
        yield _another_shape(at)
    if not (sound(a) and sound(b)):
        return
    wrote, read = grid_of(a), grid_of(b)
    if wrote is not None and read is not None:
        if _worst_step(a, wrote, read) > _HALF_STEP:
            yield _another_scale(at, wrote, read)
    elif (wrote, read) != (None, None):
        yield _another_form(at)


def _worst_step(tensor: Tensor, wrote: Grid, read: Grid) -> float:
    """By how many of the maker's steps an integer changes its meaning, at worst.

    Both meanings are linear in the integer, so that the worst is at one end of its type.
    """
    limits = np.iinfo(numpy_dtype(tensor))
    apart = [
        abs((q - read.zero_point) * read.scale - (q - wrote.zero_point) * wrote.scale)
        for q in (float(limits.min), float(limits.max))
    ]
    return max(apart) / wrote.scale


def _another_form(at: _Meeting) -> Finding:
    a, b = at.maker, at.reader
    return at.finding(
        "boundary_form",
        Severity.FAULT,
        f"{b.label} reads another kind of tensor than {a.label} writes",
        [f"{side.label}: {_kind(side.tensor)}, {side.tensor.bytes:,} B" for side in (a, b)],
        "cut at the same tensor on both sides and export both with the same element type: check "
        "that the pieces belong to one model",
        {"written_bytes": a.tensor.bytes, "read_bytes": b.tensor.bytes},
    )


def _kind(tensor: Tensor) -> str:
    quantised = "" if tensor.quantization is None else " quantised"
    return f"{tensor.dtype.name}{list(tensor.shape)}{quantised}"


def _another_shape(at: _Meeting) -> Finding:
    """The same bytes in another shape: harmless, unless axes were turned, which values tell."""
    wrote, read = at.maker.tensor.shape, at.reader.tensor.shape
    bare = [[extent for extent in shape if extent != 1] for shape in (wrote, read)]
    turned = bare[0] != bare[1] and sorted(bare[0]) == sorted(bare[1])
    return at.finding(
        "boundary_shape",
        Severity.WARNING if turned else Severity.NOTE,
        f"{at.maker.label} writes the shape {list(wrote)}, {at.reader.label} reads {list(read)}",
        ["the number of elements is the same; bytes are copied as they lie"],
        "insert a Transpose between the two, or export both with the same layout"
        if turned
        else "nothing, where one is a Reshape of the other",
        {"written_shape": wrote, "read_shape": read},
    )


def _another_scale(at: _Meeting, wrote: Grid, read: Grid) -> Finding:
    """What the difference does to the model's own values decides how grave it is."""
    maker, reader = at.maker.label, at.reader.label
    effect, off = _effect(at, wrote)
    whole = at.reference.grid(at.tensor)
    sides = (maker, wrote), (reader, read)
    odd = [label for label, grid in sides if whole and not _alike(grid, whole)]
    title = f"{reader} {_change(wrote, read)}"
    evidence = [
        f"{maker} writes {wrote}; {reader} reads {read}",
        f"{title}: {effect} of what was written; {percent(off)} of the values are off by more than "
        "one step",
    ]
    if odd == [maker]:
        title += f", because {maker} writes in another quantisation than the whole model"
    if len(odd) == 1:
        evidence.append(f"the whole model has {whole}: {odd[0]} is the one that differs")
    requantise = f"requantise between the two: insert a QUANTIZE op from ({wrote}) to ({read})"
    if at.maker.piece is None:
        requantise = f"quantise the input as this piece wants it ({read})"
    return at.finding(
        "boundary_quantisation",
        Severity.WARNING if effect.is_right else Severity.FAULT,
        title,
        evidence,
        f"{requantise}, or convert both sides with the same calibration",
        {
            "written_scale": wrote.scale,
            "written_zero_point": wrote.zero_point,
            "read_scale": read.scale,
            "read_zero_point": read.zero_point,
            "factor": read.scale / wrote.scale,
            "sqnr_db": effect.sqnr_db,
        },
    )


def _alike(grid: Grid, other: Grid) -> bool:
    return grid.zero_point == other.zero_point and abs(grid.scale / other.scale - 1) < 1e-4


def _effect(at: _Meeting, wrote: Grid) -> tuple[Difference, float]:
    """The model's values as they are written, against what the reader takes these bytes for."""
    integers = stored(at.reference.real(at.tensor), at.maker.tensor)
    meant, taken = (real(integers, side.tensor) for side in (at.maker, at.reader))
    return distance(meant, taken, wrote), share(np.abs(meant - taken) > wrote.scale)


def _change(wrote: Grid, read: Grid) -> str:
    """What happens to every value, in words."""
    factor = read.scale / wrote.scale
    shift = (wrote.zero_point - read.zero_point) * read.scale
    words = []
    if abs(factor - 1) >= 5e-4:
        size, how = (factor, "too large") if factor > 1 else (1 / factor, "too small")
        words.append(f"{size:.4g} times {how}")
    if wrote.zero_point != read.zero_point:
        words.append(f"{abs(shift):.4g} too {'high' if shift > 0 else 'low'}")
    return f"reads every value {' and '.join(words) or 'slightly differently'}"
