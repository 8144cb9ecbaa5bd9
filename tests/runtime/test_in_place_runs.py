"""Boundary tensors left in place, on QEMU with TFLM itself: bytes and outputs, without a copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from targets import resident, restored, run_on_qemu, tflm_program, whole_run

from splitopt.arena.rules import target_rules
from splitopt.base.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.pieces.writer import write_piece
from splitopt.planning.cut_nodes import Ends
from splitopt.planning.segment import SegmentFigures, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.switching import Switching, TailMemory
from splitopt.runtime.arrays import Array, random_inputs
from splitopt.runtime.job_blob import PlannedPiece, PlannedRun, output_bytes
from splitopt.runtime.links import links_of

pytestmark = pytest.mark.needs("compiler", "qemu", "tflm")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tflm_program(tmp_path_factory.mktemp("program"))


def pieces_of(graph: ModelGraph, cuts: Sequence[int]) -> list[SegmentFigures]:
    """Cut there, every boundary tensor in place."""
    techniques = Techniques(switching=Switching((TailMemory("m", 10**6),)))
    table = SegmentTable(graph, target_rules("m55"), techniques=techniques)
    found = []
    for start, stop in zip((0, *cuts), (*cuts, len(graph.ops)), strict=True):
        ends = Ends(start > 0, stop < len(graph.ops))
        option = table.option(*table.nodes.of(start, stop, ends), 1)
        assert option is not None
        found += option.pieces
    return found


def left_run(
    graph: ModelGraph, pieces: Sequence[SegmentFigures], feeds: Sequence[Array]
) -> PlannedRun:
    """In a region as large as the largest arena."""
    segments = [piece.segment for piece in pieces]
    places = {t: 0 for segment in segments[1:] for t in segment.inputs}
    planned = tuple(
        PlannedPiece(
            write_piece(graph, piece.segment, piece.arena.offline_plan), piece.arena_bytes, links
        )
        for piece, links in zip(pieces, links_of(graph, segments, places), strict=True)
    )
    top = max(piece.arena_bytes for piece in pieces)
    return PlannedRun(planned, top, tuple(feeds), output_bytes(graph))


@pytest.mark.parametrize(
    ("name", "cuts"), [("kws_dscnn", (3, 7)), ("person_detect", (5, 7, 12)), ("ad01", (2, 4, 8))]
)
def test_pieces_make_what_the_unsplit_model_makes(
    name: str, cuts: tuple[int, ...], program: Path, shared_model: Callable[[str], Path]
) -> None:
    """Three inferences, bit for bit, in arenas without a byte more than predicted; restored, after
    a reset, resident, and by turns. The first piece is rebuilt, too."""
    graph = read_tflite(shared_model(f"{name}_int8"))
    feeds = random_inputs(graph, 3, 0)
    pieces = pieces_of(graph, cuts)
    plain, count = left_run(graph, pieces, feeds), len(pieces)
    used = [(piece.memory.head_bytes, piece.memory.tail_bytes) for piece in pieces]
    runs = [restored(plain, used, at_start_up=at_start_up) for at_start_up in (False, True)]
    runs += [resident(plain, ways[:count]) for ways in ("rrrrr", "-mrmr")]
    unsplit, *found = run_on_qemu(program, graph, [whole_run(graph, feeds), *runs])
    for run, got in zip(runs, found, strict=True):
        assert got.outputs == unsplit.outputs
        for sample in got.samples:
            for k, piece in enumerate(sample):
                kept = run.pieces[k].kept
                assert piece.arena_used_bytes == (kept.used_bytes if kept else sum(used[k]))
                assert k == 0 or piece.steps["copy_in"] < 200
                assert k == count - 1 or piece.steps["copy_out"] < 200


def test_another_place_than_planned_and_a_rebuilt_reader_are_refused(
    program: Path, shared_model: Callable[[str], Path]
) -> None:
    graph = read_tflite(shared_model("kws_dscnn_int8"))
    feeds = random_inputs(graph, 1, 0)
    pieces = pieces_of(graph, (3, 7))
    plain = left_run(graph, pieces, feeds)
    used = [(piece.memory.head_bytes, piece.memory.tail_bytes) for piece in pieces]
    kept = restored(plain, used)
    [read] = pieces[1].segment.inputs
    above = write_piece(graph, pieces[1].segment, {read: graph.tensors[read].bytes})
    size = pieces[1].arena_bytes + 2**14
    elsewhere = replace(kept.pieces[1], data=above, arena_bytes=size)
    moved = replace(kept, pieces=(kept.pieces[0], elsewhere, kept.pieces[2]), region_bytes=2 * size)
    rebuilt = replace(kept, pieces=(*kept.pieces[:2], plain.pieces[2]))
    for run, said in ((moved, "elsewhere"), (rebuilt, "destroy")):
        with pytest.raises(ToolError, match=said):
            run_on_qemu(program, graph, [run])
