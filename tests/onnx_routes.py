"""Pieces of an ONNX model, each converted on its own, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from splitopt.config.job import Job
from splitopt.convert.open_model import open_model
from splitopt.pieces.onnx_route import OnnxRoute
from splitopt.pieces.piece_set import PieceSet
from splitopt.verify.accuracy import RouteJudgement, judge_pieces
from splitopt.verify.chains import PieceFile
from splitopt.workflows.plan import Planned, plan_job


def made_with(
    job: Job, folder: Path, cuts: Sequence[int] | None = None
) -> tuple[Planned, PieceSet, RouteJudgement]:
    """The job's pieces at its own cuts or at these, made and judged."""
    source = open_model(job)
    route = OnnxRoute(job, source)
    allowed = route.allowed
    if cuts is not None:
        ends = [0, *cuts, len(source.graph.ops)]
        chosen = np.zeros_like(allowed)
        chosen[ends[:-1], ends[1:]] = True
        allowed = allowed & chosen
    planned = plan_job(job, source, segments=allowed)
    made = route.convert(planned.planner, planned.plan)
    files = []
    for segment, (piece,) in zip(made.plan.segments, made.files, strict=True):
        path = folder / segment.piece_names[0]
        path.write_bytes(piece)
        files.append(PieceFile(path, segment.figures.segment))
    return planned, made, judge_pieces(source.graph, source.path, files, route.held_out(), 300)
