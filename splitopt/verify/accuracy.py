"""Pieces that were converted one by one against the whole int8 model, on held-out samples.

Nothing makes them equal bit by bit, so this is a judgement with limits, not a proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from splitopt.convert.calibration import HeldOut
from splitopt.convert.quality import agreement, aligned, is_class_vector, sqnr_db, top1
from splitopt.graph.model import ModelGraph, Tensor
from splitopt.graph.tflite_reader import read_tflite
from splitopt.runtime.arrays import Array, dequantised, quantise
from splitopt.verify.chains import PieceFile, run_pieces, run_whole
from splitopt.verify.check import Check, CheckStatus
from splitopt.verify.litert import litert_check
from splitopt.verify.varied import varied_check

MAX_SQNR_LOSS_DB = 3.0
MAX_TOP1_LOSS = 0.01
_LITERT = "each op of each piece in TFLM = LiteRT BUILTIN_REF on the same inputs, to 1 LSB"


@dataclass(frozen=True)
class Accuracy:
    """Figures of one route on held-out samples.

    `worst_lsb`: the largest difference from the whole int8 model's outputs, in steps of its scale.
    `sqnr_db`: against the float model. Top-1 in shares of one, None without labels.
    """

    samples: int
    worst_lsb: float
    sqnr_db: float
    top1: float | None
    top1_agreement: float | None


@dataclass(frozen=True)
class RouteJudgement:
    """Both routes on the same samples, and the checks made of their figures."""

    whole: Accuracy
    pieces: Accuracy
    checks: tuple[Check, ...]


def judge_pieces(
    graph: ModelGraph,
    model: Path,
    pieces: Sequence[PieceFile],
    held_out: HeldOut,
    timeout_s: float,
    *,
    litert: bool = True,
) -> RouteJudgement:
    """Runs the whole int8 model and its converted pieces in TFLM on the held-out samples.

    Raises ToolError.
    """
    graphs = [read_tflite(piece.path) for piece in pieces]
    given = dict(zip(graph.inputs, held_out.inputs, strict=True))
    feed = {tensor: _feed(values, graph.tensors[tensor]) for tensor, values in given.items()}
    whole = run_whole(graph, model, feed, timeout_s)
    reads, made = dict[int, Tensor](), dict[int, Tensor]()  # as the first piece has them
    for piece, own in zip(pieces, graphs, strict=True):
        for tensor, index in zip(piece.segment.inputs, own.inputs, strict=True):
            reads.setdefault(tensor, own.tensors[index])
        for tensor, index in zip(piece.segment.outputs, own.outputs, strict=True):
            made[tensor] = own.tensors[index]
    fed = {tensor: _feed(given[tensor], reads[tensor]) for tensor in given if tensor in reads}
    chain = fed | run_pieces(pieces, graphs, fed, timeout_s)
    tensors = [graph.tensors[t] for t in graph.outputs]
    real = [dequantised(whole[tensor.index], tensor) for tensor in tensors]
    chained = [
        dequantised(chain[t], made[t]).reshape(like.shape)
        for t, like in zip(graph.outputs, real, strict=True)
    ]
    want = [aligned(values, like) for values, like in zip(held_out.reference, real, strict=True)]
    before = _accuracy(want, real, real, tensors, held_out.labels)
    after = _accuracy(want, chained, real, tensors, held_out.labels)
    left_out = "left out by the job (verify.litert: false)"
    checks = (
        _judgement(before, after),
        _litert(pieces, graphs, chain, timeout_s)
        if litert
        else Check.skipped("litert", _LITERT, left_out),
        *varied_check(graph, feed, whole, ()),
    )
    return RouteJudgement(before, after, checks)


def _feed(images: Array, tensor: Tensor) -> Array:
    return quantise(images.reshape(len(images), *tensor.shape), tensor)


def _accuracy(
    reference: Sequence[Array],
    got: Sequence[Array],
    whole: Sequence[Array],
    tensors: Sequence[Tensor],
    labels: Array | None,
) -> Accuracy:
    count = len(got[0])
    steps = [t.quantization.scales[0] if t.quantization else 1.0 for t in tensors]
    ranks = labels is not None and len(got) == 1 and is_class_vector(tensors[0], labels)
    scores = got[0].reshape(count, -1)
    return Accuracy(
        samples=count,
        worst_lsb=max(
            round(float(np.abs(g - w).max()) / step, 3)
            for g, w, step in zip(got, whole, steps, strict=True)
        ),
        sqnr_db=min(sqnr_db(r, g) for r, g in zip(reference, got, strict=True)),
        top1=top1(scores, labels) if ranks else None,
        top1_agreement=agreement(whole[0].reshape(count, -1), scores) if ranks else None,
    )


def _judgement(before: Accuracy, after: Accuracy) -> Check:
    lost_db = before.sqnr_db - after.sqnr_db
    fails = [f"SQNR falls by {lost_db:.1f} dB"] if lost_db > MAX_SQNR_LOSS_DB else []
    if before.top1 is not None and after.top1 is not None:
        lost = before.top1 - after.top1
        if lost > MAX_TOP1_LOSS and lost * before.samples > 1.5:  # one sample is not evidence
            fails.append(f"top-1 falls by {100 * lost:.1f} points")
    return Check(
        name="pieces",
        status=CheckStatus.FAILED if fails else CheckStatus.PASSED,
        compared=(
            "converted pieces in TFLM against the whole int8 model in TFLM, held-out samples "
            f"(allowed: {MAX_SQNR_LOSS_DB:g} dB of SQNR, {100 * MAX_TOP1_LOSS:g} point of top-1)"
        ),
        inputs=after.samples,
        worst_difference=after.worst_lsb,
        detail="; ".join(fails),
    )


def _litert(
    pieces: Sequence[PieceFile],
    graphs: Sequence[ModelGraph],
    chain: Mapping[int, Array],
    timeout_s: float,
) -> Check:
    """Each piece by itself in LiteRT, fed with what it read in the chain in TFLM."""
    found = []
    for k, (piece, graph) in enumerate(zip(pieces, graphs, strict=True)):
        fed = dict(zip(graph.inputs, (chain[t] for t in piece.segment.inputs), strict=True))
        check = litert_check(graph, piece.path, fed, timeout_s)
        found.append(replace(check, detail=f"piece {k}: {check.detail}" if check.detail else ""))
    order = (CheckStatus.WARNING, CheckStatus.SKIPPED, CheckStatus.PASSED)
    first = min(found, key=lambda check: order.index(check.status))
    return replace(
        first,
        compared=_LITERT,
        worst_difference=max(check.worst_difference for check in found),
    )
