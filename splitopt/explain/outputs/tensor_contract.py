"""The boundary contract, read from the piece files: does each reader read what its maker writes?

Scale, zero point, element type and shape on both sides of every boundary tensor. Runs nothing;
the reference's values only tell how much a difference matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from splitopt.bundle.open import OpenBundle, Piece
from splitopt.bundle.schema_outputs import Finding, Severity
from splitopt.explain.outputs.array_compare import (
    Distance,
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
_CONVERT_ALIKE = "convert both sides with the same calibration"


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
            maker = written.get(tensor)
            if maker is None:
                continue
            if maker.piece is None and _is_fed_as_read(bundle, tensor, piece):
                findings += _meeting(bundle, reference, tensor, maker, Side(piece, own))
                written[tensor] = Side(None, own)
                continue
            findings += _meeting(bundle, reference, tensor, maker, Side(piece, own))
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


def _meeting(
    bundle: OpenBundle, reference: Reference, tensor: int, maker: Side, reader: Side
) -> Iterator[Finding]:
    """Type and number of elements first: where they differ, scales say nothing."""
    a, b = maker.tensor, reader.tensor
    where = f"{bundle.tensor_name(tensor)}, from {maker.label} to {reader.label}"
    pieces = (*maker.pieces, *reader.pieces)
    if a.dtype != b.dtype or a.elements != b.elements:
        yield _another_form(where, tensor, pieces, maker, reader)
        return
    if a.shape != b.shape:
        yield _another_shape(where, tensor, pieces, maker, reader)
    if not (sound(a) and sound(b)):
        return
    grids = grid_of(a), grid_of(b)
    if grids[0] is not None and grids[1] is not None:
        if _worst_step(a, grids[0], grids[1]) > _HALF_STEP:
            yield _another_scale(bundle, reference, where, tensor, maker, reader)
    elif grids != (None, None):
        yield _another_form(where, tensor, pieces, maker, reader)


def _worst_step(tensor: Tensor, wrote: Grid, read: Grid) -> float:
    """By how many of the maker's steps an integer changes its meaning, at worst."""
    limits = np.iinfo(numpy_dtype(tensor))
    ends = [float(limits.min), float(limits.max)]
    apart = [
        abs((q - read.zero_point) * read.scale - (q - wrote.zero_point) * wrote.scale) for q in ends
    ]
    return max(apart) / wrote.scale


def _another_form(
    where: str, tensor: int, pieces: tuple[int, ...], maker: Side, reader: Side
) -> Finding:
    a, b = maker.tensor, reader.tensor
    return Finding(
        code="boundary_form",
        severity=Severity.FAULT,
        title=f"{reader.label} reads another kind of tensor than {maker.label} writes",
        where=where,
        evidence=(
            f"{maker.label}: {_kind(a)}, {a.bytes:,} B",
            f"{reader.label}: {_kind(b)}, {b.bytes:,} B",
        ),
        next_step="cut at the same tensor on both sides and export both with the same element "
        "type: check that the pieces belong to one model",
        figures={"written_bytes": a.bytes, "read_bytes": b.bytes},
        tensors=(tensor,),
        pieces=pieces,
    )


def _kind(tensor: Tensor) -> str:
    quantised = "" if tensor.quantization is None else " quantised"
    return f"{tensor.dtype.name}{list(tensor.shape)}{quantised}"


def _another_shape(
    where: str, tensor: int, pieces: tuple[int, ...], maker: Side, reader: Side
) -> Finding:
    """The same bytes in another shape: harmless, unless axes were turned, which values tell."""
    a, b = maker.tensor, reader.tensor
    bare = [[extent for extent in t.shape if extent != 1] for t in (a, b)]
    turned = bare[0] != bare[1] and sorted(bare[0]) == sorted(bare[1])
    return Finding(
        code="boundary_shape",
        severity=Severity.WARNING if turned else Severity.NOTE,
        title=f"{maker.label} writes the shape {list(a.shape)}, {reader.label} reads "
        f"{list(b.shape)}",
        where=where,
        evidence=("the number of elements is the same; bytes are copied as they lie",),
        next_step="insert a Transpose between the two, or export both with the same layout"
        if turned
        else "nothing, where one is a Reshape of the other",
        figures={"written_shape": tuple(a.shape), "read_shape": tuple(b.shape)},
        tensors=(tensor,),
        pieces=pieces,
    )


def _another_scale(
    bundle: OpenBundle,
    reference: Reference,
    where: str,
    tensor: int,
    maker: Side,
    reader: Side,
) -> Finding:
    """What the difference does to the model's own values decides how grave it is."""
    wrote, read = grid_of(maker.tensor), grid_of(reader.tensor)
    assert wrote is not None
    assert read is not None
    effect, off = _effect(reference, tensor, maker.tensor, reader.tensor)
    whole = reference.grid(tensor)
    odd = [s.label for s, g in ((maker, wrote), (reader, read)) if whole and not _alike(g, whole)]
    evidence = [
        f"{maker.label} writes {wrote}; {reader.label} reads {read}",
        f"{reader.label} {_change(wrote, read)}: {effect} of what was written; "
        f"{percent(off)} of the values are off by more than one step",
    ]
    title = f"{reader.label} {_change(wrote, read)}"
    if odd == [maker.label]:
        title += f", because {maker.label} writes in another quantisation than the whole model"
    if whole is not None and len(odd) == 1:
        evidence.append(f"the whole model has {whole}: {odd[0]} is the one that differs")
    return Finding(
        code="boundary_quantisation",
        severity=Severity.WARNING if effect.is_right else Severity.FAULT,
        title=title,
        where=where,
        evidence=tuple(evidence),
        next_step=_remedy(maker, wrote, read),
        figures={
            "written_scale": wrote.scale,
            "written_zero_point": wrote.zero_point,
            "read_scale": read.scale,
            "read_zero_point": read.zero_point,
            "factor": read.scale / wrote.scale,
            "sqnr_db": effect.sqnr_db,
        },
        tensors=(tensor,),
        pieces=(*maker.pieces, *reader.pieces),
    )


def _remedy(maker: Side, wrote: Grid, read: Grid) -> str:
    if maker.piece is None:
        return f"quantise the input as this piece wants it ({read}), or {_CONVERT_ALIKE}"
    return (
        f"requantise between the two: insert a QUANTIZE op from ({wrote}) to ({read}), or "
        f"{_CONVERT_ALIKE}"
    )


def _alike(grid: Grid, other: Grid) -> bool:
    return grid.zero_point == other.zero_point and abs(grid.scale / other.scale - 1) < 1e-4


def _effect(
    reference: Reference, tensor: int, wrote: Tensor, read: Tensor
) -> tuple[Distance, float]:
    """The model's values as they are written, against what the reader takes these bytes for."""
    integers = stored(reference.real(tensor), wrote)
    meant, taken = real(integers, wrote), real(integers, read)
    step = grid_of(wrote)
    assert step is not None
    return distance(meant, taken, step), share(np.abs(meant - taken) > step.scale)


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
