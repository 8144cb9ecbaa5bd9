"""Programs and runs for tests of the simulated target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import Segment, segment_of
from splitopt.pieces.writer import write_piece
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.unsplit import unsplit
from splitopt.runtime.arrays import Array
from splitopt.runtime.job_blob import PlannedPiece, PlannedRun, output_bytes, unsplit_run
from splitopt.runtime.links import links_of
from splitopt.runtime.program import BARE_SOURCES, build_program, link_program
from splitopt.runtime.tflm_library import find_library


def tflm_program(cache: Path) -> Path:
    """For tests that need "compiler", "qemu" and "tflm"."""
    return build_program(find_library(None), cache)


def build_self_test(main: Path, cache: Path) -> Path:
    """A program of another `main`, with start-up, output and counter only: needs no TFLM."""
    return link_program(BARE_SOURCES, (), main, cache)


def whole_run(graph: ModelGraph, feeds: Sequence[Array]) -> PlannedRun:
    """The unsplit model in the arena that is predicted for it, without a byte more."""
    size = unsplit(SegmentTable(graph, target_rules("m55"))).arena.size_bytes
    return unsplit_run(graph, size, feeds)


def split_run(graph: ModelGraph, cuts: Sequence[int], feeds: Sequence[Array]) -> PlannedRun:
    """Cut before these ops, boundary tensors one after another above the largest arena."""
    stops = [*cuts, len(graph.ops)]
    segments = [segment_of(graph, a, b) for a, b in zip([0, *cuts], stops, strict=True)]
    table = SegmentTable(graph, target_rules("m55"))
    sizes = [table.figures(s.start, s.stop).arena_bytes for s in segments]
    offsets, top = _stacked(graph, segments, max(sizes))
    pieces = tuple(
        PlannedPiece(write_piece(graph, segment), size, links)
        for segment, size, links in zip(
            segments, sizes, links_of(graph, segments, offsets), strict=True
        )
    )
    return PlannedRun(pieces, top, tuple(feeds), output_bytes(graph))


def _stacked(
    graph: ModelGraph, segments: Sequence[Segment], top: int
) -> tuple[Mapping[int, int], int]:
    offsets: dict[int, int] = {}
    for segment in segments:
        for tensor in segment.outputs:
            if tensor not in graph.outputs:
                offsets[tensor] = top
                top += -(-graph.tensors[tensor].bytes // 16) * 16
    return offsets, top
