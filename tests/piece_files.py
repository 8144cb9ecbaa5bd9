"""The pieces of a model at given cuts, as files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.pieces.writer import write_piece
from splitopt.verify.chains import PieceFile


def pieces_of(graph: ModelGraph, folder: Path, cuts: Sequence[int]) -> list[PieceFile]:
    found = []
    for index, (start, stop) in enumerate(pairwise([0, *cuts, len(graph.ops)])):
        segment = segment_of(graph, start, stop)
        path = folder / f"{index:02d}.tflite"
        path.write_bytes(write_piece(graph, segment))
        found.append(PieceFile(path, segment))
    return found
