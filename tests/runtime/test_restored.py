"""Pieces that are built once and restored: by a stand-in for TFLM, and on QEMU with TFLM itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from host_builds import said_with_stand_in
from targets import (
    placed_stream,
    restored,
    run_on_qemu,
    split_run,
    streamed_run,
    tflm_program,
    whole_run,
)

from splitopt.arena.rules import target_rules
from splitopt.base.errors import ToolError
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.segment_options import SegmentTable
from splitopt.runtime.arrays import random_inputs

HERE = Path(__file__).parent


@pytest.mark.needs("host compiler")
@pytest.mark.parametrize("zero_arena", [0, 1])
def test_images_headers_and_errors_by_a_stand_in_for_tflm(zero_arena: int, tmp_path: Path) -> None:
    flag = f"-DSPLITOPT_ZERO_ARENA={zero_arena}"
    said = said_with_stand_in(HERE / "kept_check.cc", tmp_path / "check", flag)
    assert said == "all as expected\n"


# With TFLM, on QEMU.


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tflm_program(tmp_path_factory.mktemp("program"))


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize("at_start_up", [False, True])
def test_restored_pieces_make_what_the_unsplit_model_makes(
    at_start_up: bool, program: Path, shared_model: Callable[[str], Path]
) -> None:
    """Three inferences, bit for bit; what a restored piece takes is a line over its bytes. Where
    images outlive a reset, the program starts twice and builds nothing at the second."""
    graph = read_tflite(shared_model("kws_dscnn_int8"))
    feeds = random_inputs(graph, 3, 0)
    cuts = (3, 7)
    table = SegmentTable(graph, target_rules("m55"))
    spans = zip((0, *cuts), (*cuts, len(graph.ops)), strict=True)
    arenas = [table.figures(*span).arena for span in spans]
    split = split_run(graph, cuts, feeds)
    kept = restored(split, [(a.head_bytes, a.tail_bytes) for a in arenas], at_start_up=at_start_up)
    unsplit, rebuilt, got = run_on_qemu(program, graph, [whole_run(graph, feeds), split, kept])
    assert got.outputs == unsplit.outputs
    for sample, plain in zip(got.samples, rebuilt.samples, strict=True):
        for piece, start, other, planned in zip(
            sample, got.prepared, plain, kept.pieces, strict=True
        ):
            assert start is not None
            assert planned.kept is not None
            assert piece.arena_used_bytes == other.arena_used_bytes
            assert piece.steps["allocate"] == piece.steps["construct"] == 0
            assert piece.steps["restore"] == pytest.approx(
                86 + 3 * planned.kept.size_bytes / 16, abs=4
            )
            assert start.steps["allocate"] == pytest.approx(other.steps["allocate"], rel=0.01)


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize(
    ("name", "spans"),
    [("squeeze_digits", [(3, 10), (12, 16)]), ("person_detect", [(0, 4), (4, 8)])],
)
def test_restored_streams_make_what_the_unsplit_model_makes(
    name: str, spans: list[tuple[int, int]], program: Path, shared_model: Callable[[str], Path]
) -> None:
    graph = read_tflite(shared_model(f"{name}_int8"))
    feeds = random_inputs(graph, 3, 0)
    stages = [placed_stream(graph, *span) for span in spans]
    table = SegmentTable(graph, target_rules("m55"))
    run = streamed_run(graph, stages, feeds)
    arenas = []
    stop = 0
    for own in stages:
        if stop < own.stream.start:
            arenas.append(table.figures(stop, own.stream.start).arena)
        arenas.append(own.arena)
        stop = own.stream.stop
    arenas.append(table.figures(stop, len(graph.ops)).arena)
    kept = restored(run, [(a.head_bytes, a.tail_bytes) for a in arenas])
    unsplit, rebuilt, got = run_on_qemu(program, graph, [whole_run(graph, feeds), run, kept])
    assert got.outputs == unsplit.outputs
    for sample, plain in zip(got.samples, rebuilt.samples, strict=True):
        for piece, other, planned in zip(sample, plain, kept.pieces, strict=True):
            assert planned.kept is not None
            assert piece.arena_used_bytes == other.arena_used_bytes
            assert piece.steps["allocate"] == 0
            extra = 127 if piece.groups else 86
            assert piece.steps["restore"] == pytest.approx(
                extra + 3 * planned.kept.size_bytes / 16, abs=4
            )
            groups = zip(piece.groups, other.groups, strict=True)
            assert all(a.executions == b.executions for a, b in groups)


@pytest.mark.needs("compiler", "qemu", "tflm")
def test_another_number_of_bytes_than_planned_is_refused(
    program: Path, shared_model: Callable[[str], Path]
) -> None:
    graph = read_tflite(shared_model("kws_dscnn_int8"))
    feeds = random_inputs(graph, 1, 0)
    table = SegmentTable(graph, target_rules("m55"))
    arenas = [table.figures(*span).arena for span in ((0, 3), (3, len(graph.ops)))]
    used = [(a.head_bytes, a.tail_bytes) for a in arenas]
    used[1] = used[1][0], used[1][1] - 4
    kept = restored(split_run(graph, (3,), feeds), used)
    with pytest.raises(ToolError, match="piece 1 failed: TFLM uses another number of bytes"):
        run_on_qemu(program, graph, [kept])
