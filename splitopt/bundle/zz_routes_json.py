"""Both ways from ONNX to pieces side by side, and what the boundaries agree on, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from splitopt.pieces.piece_set import PieceSet
from splitopt.planning.split_plan import SplitPlan
from splitopt.verify.accuracy import Accuracy, RouteJudgement

Document = dict[str, Any]


def contract(made: PieceSet, onnx_tensor_of: Callable[[int], str | None]) -> list[Document]:
    """Each boundary tensor from the piece that makes it to each that reads it."""
    return [
        {**agreement.to_dict(), "onnx_tensor": onnx_tensor_of(agreement.tensor)}
        for agreement in made.agreements
    ]


def routes(
    planned: SplitPlan,
    whole_conversion_s: float,
    made: PieceSet,
    judgement: RouteJudgement | None,
) -> Document:
    """The same cuts by both routes; accuracy where it was measured."""
    whole = None if judgement is None else judgement.whole
    pieces = None if judgement is None else judgement.pieces
    return {
        "whole": {**_figures(planned, whole_conversion_s, 0), **_accuracy(whole)},
        "pieces": {
            **_figures(made.plan, made.conversion_s, sum(a.requantise for a in made.agreements)),
            **_accuracy(pieces),
        },
    }


def _figures(plan: SplitPlan, conversion_s: float, requantised: int) -> Document:
    return {
        "peak_ram_bytes": plan.peak_ram_bytes,
        "largest_arena_bytes": max(s.figures.arena_bytes for s in plan.segments),
        "estimated_added_insn": plan.added_insn,
        "requantised_boundaries": requantised,
        "conversion_s": conversion_s,
    }


def _accuracy(accuracy: Accuracy | None) -> Document:
    if accuracy is None:
        return dict.fromkeys(("samples", "worst_lsb", "sqnr_db", "top1", "top1_agreement"))
    return {
        "samples": accuracy.samples,
        "worst_lsb": accuracy.worst_lsb,
        "sqnr_db": round(accuracy.sqnr_db, 3),
        "top1": accuracy.top1,
        "top1_agreement": accuracy.top1_agreement,
    }
