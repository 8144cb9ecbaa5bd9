"""Pieces that are built once and stay: by a stand-in for TFLM, and on QEMU with TFLM itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from host_builds import said_with_stand_in
from limits import seconds
from stateful_models import delay_net, streaming_net, svdf_net
from targets import (
    placed_stream,
    resident,
    run_on_qemu,
    split_run,
    streamed_run,
    tflm_program,
    whole_run,
)

from splitopt.base.errors import ToolError
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.host import run_litert
from splitopt.runtime.job_blob import PlannedRun
from splitopt.runtime.measured import RunTime

HERE = Path(__file__).parent


@pytest.mark.needs("host compiler")
@pytest.mark.parametrize("zero_arena", [0, 1])
def test_places_order_state_and_errors_by_a_stand_in_for_tflm(
    zero_arena: int, tmp_path: Path
) -> None:
    flag = f"-DSPLITOPT_ZERO_ARENA={zero_arena}"
    said = said_with_stand_in(HERE / "resident_check.cc", tmp_path / "check", flag)
    assert said == "all as expected\n"


# With TFLM, on QEMU.


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tflm_program(tmp_path_factory.mktemp("program"))


def assert_is_built_once(run: PlannedRun, got: RunTime, plain: RunTime) -> None:
    """Its bytes are those planned; no inference builds it, and each takes what it did before but
    for that."""
    for k, piece in enumerate(run.pieces):
        start = got.prepared[k]
        for sample, other in zip(got.samples, plain.samples, strict=True):
            steps = sample[k].steps
            if piece.kept is None:
                assert start is None
                assert steps["allocate"] > 0
                continue
            assert start is not None
            assert start.arena_used_bytes == piece.kept.used_bytes
            assert steps["allocate"] == steps["construct"] == steps["restore"] == 0
            assert steps["invoke"] == pytest.approx(other[k].steps["invoke"], rel=0.001)
            assert start.steps["save"] == 0
            if other[k].steps["allocate"]:
                assert start.steps["allocate"] == pytest.approx(
                    other[k].steps["allocate"], rel=0.01
                )


@pytest.mark.needs("compiler", "qemu", "tflm")
def test_resident_pieces_make_what_the_unsplit_model_makes(
    program: Path, shared_model: Callable[[str], Path]
) -> None:
    """Three inferences, bit for bit, in the region, in a second memory, beside rebuilt ones, as one
    piece, and in a region that begins elsewhere."""
    graph = read_tflite(shared_model("kws_dscnn_int8"))
    feeds = random_inputs(graph, 3, 0)
    split, whole = split_run(graph, (3, 7), feeds), whole_run(graph, feeds)
    kept = [resident(split, ways) for ways in ("rrr", "mmm", "rm-")]
    runs = [*kept, resident(whole, "m"), replace(kept[2], region_offset=4112)]
    unsplit, rebuilt, *found = run_on_qemu(program, graph, [whole, split, *runs])
    for run, got in zip(runs, found, strict=True):
        assert got.outputs == unsplit.outputs
        assert_is_built_once(run, got, rebuilt if len(run.pieces) > 1 else unsplit)


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize(
    ("name", "spans"),
    [("squeeze_digits", [(3, 10), (12, 16)]), ("person_detect", [(0, 4), (4, 8)])],
)
def test_resident_streams_make_what_the_unsplit_model_makes(
    name: str, spans: list[tuple[int, int]], program: Path, shared_model: Callable[[str], Path]
) -> None:
    graph = read_tflite(shared_model(f"{name}_int8"))
    feeds = random_inputs(graph, 3, 0)
    plain = streamed_run(graph, [placed_stream(graph, *span) for span in spans], feeds)
    count = len(plain.pieces)
    kept = [resident(plain, "r" * count), resident(plain, ("mr" * count)[:count])]
    unsplit, rebuilt, *found = run_on_qemu(program, graph, [whole_run(graph, feeds), plain, *kept])
    for run, got in zip(kept, found, strict=True):
        assert got.outputs == unsplit.outputs
        assert_is_built_once(run, got, rebuilt)


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize("net", [svdf_net, delay_net])
@pytest.mark.parametrize("way", ["r", "m"])
def test_a_resident_piece_keeps_its_state(
    net: Callable[[], bytes], way: str, program: Path, tmp_path: Path
) -> None:
    """Over eight inferences, as LiteRT does; two runs of one program start with the same."""
    path = tmp_path / "net.tflite"
    path.write_bytes(net())
    graph = parse_tflite(net(), name="net")
    feeds = random_inputs(graph, 8, 0)
    run = resident(whole_run(graph, feeds), way)
    made = run_litert(path, feeds, ["out"], timeout_s=seconds(60)).arrays["out"]
    for got in run_on_qemu(program, graph, [run, run]):
        assert [output for [output] in got.outputs] == [sample.tobytes() for sample in made]


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize(
    ("net", "cuts", "ways"),
    [(svdf_net, (1, 2, 3, 4), "-r-m-"), (streaming_net, (1, 8, 9, 16), "-r-mr")],
)
def test_pieces_keep_their_state_beside_others_until_a_reset(
    net: Callable[[], bytes], cuts: Sequence[int], ways: str, program: Path
) -> None:
    """A sequence of eight, a reset, the same again: bit for bit what the unsplit model makes, in
    the bytes that are predicted."""
    graph = parse_tflite(net(), name="net")
    feeds = [np.concatenate([feed, feed]) for feed in random_inputs(graph, 8, 0)]
    whole, split = whole_run(graph, feeds), split_run(graph, cuts, feeds)
    every = [whole, *(resident(split, way) for way in (ways, "rrrrr"))]
    unsplit, *found = run_on_qemu(program, graph, [replace(run, reset_before=8) for run in every])
    assert unsplit.outputs[:8] == unsplit.outputs[8:]
    assert len(set(unsplit.outputs)) > 1
    for run, got in zip(every[1:], found, strict=True):
        assert got.outputs == unsplit.outputs
        used = [start and start.arena_used_bytes for start in got.prepared]
        assert used == [piece.kept and piece.kept.used_bytes for piece in run.pieces]


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize("changed", ["arena", "used"])
def test_what_is_short_by_a_few_bytes_is_refused(
    changed: str, program: Path, shared_model: Callable[[str], Path]
) -> None:
    graph = read_tflite(shared_model("kws_dscnn_int8"))
    run = resident(split_run(graph, (3,), random_inputs(graph, 1, 0)), "rm")
    first, second = run.pieces
    assert second.kept is not None
    less = {
        "arena": replace(second, arena_bytes=second.arena_bytes - 16),
        "used": replace(second, kept=replace(second.kept, used_bytes=second.kept.used_bytes - 4)),
    }
    said = {"arena": "AllocateTensors failed", "used": "TFLM uses another number of bytes"}
    with pytest.raises(ToolError, match=f"piece 1 failed: {said[changed]}"):
        run_on_qemu(program, graph, [replace(run, pieces=(first, less[changed]))])
