"""Streamed stages in the C++ runner: by a stand-in for TFLM, and on QEMU with TFLM itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from gated_nets import chance_gated_net
from host_builds import said_with_stand_in
from several_rows import rules_by_chance
from stream_nets import chance_decoder, chance_stream_net
from stream_runs import longest_streams
from targets import placed_stream, run_on_qemu, streamed_run, tflm_program, whole_run

from splitopt.arena.rules import target_rules
from splitopt.arena.supported import refusals
from splitopt.base.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.runtime.arrays import random_inputs
from splitopt.tiling.streams.placement import GroupForms, placed

HERE = Path(__file__).parent


@pytest.mark.needs("host compiler")
def test_rows_fills_places_and_errors_by_a_stand_in_for_tflm(tmp_path: Path) -> None:
    said = said_with_stand_in(HERE / "stream_check.cc", tmp_path / "check")
    assert said == "all as expected\n"


# With TFLM, on QEMU.


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tflm_program(tmp_path_factory.mktemp("program"))


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize(
    ("name", "spans"),
    [
        ("squeeze_digits", [(0, 3), (3, 10), (12, 16)]),
        ("mbv2_digits", [(0, 8), (8, 24)]),
        ("person_detect", [(0, 4), (4, 8), (8, 12)]),
        ("ic_resnet8", [(0, 8), (8, 11)]),
        ("kws_dscnn", [(0, 9)]),
        ("unet_digits", [(0, 13)]),
    ],
)
def test_a_streamed_stage_makes_and_uses_what_is_predicted(
    name: str, spans: list[tuple[int, int]], program: Path, shared_model: Callable[[str], Path]
) -> None:
    """Outputs of the unsplit model bit for bit, TFLM's own figure of the arena to the byte, with
    the model's input in the region and row by row."""
    graph = read_tflite(shared_model(f"{name}_int8"))
    feeds = random_inputs(graph, 2, 0)
    stages = [placed_stream(graph, *span) for span in spans]
    split = [
        streamed_run(graph, stages, feeds, by_rows=by_rows)
        for by_rows in (False, True)
        if spans[0][0] == 0 or not by_rows
    ]
    unsplit, *streamed = run_on_qemu(program, graph, [whole_run(graph, feeds), *split])
    for got in streamed:
        assert got.outputs == unsplit.outputs
        for sample in got.samples:
            pieces = [piece for piece in sample if piece.groups]
            for stage, piece in zip(stages, pieces, strict=True):
                arena = stage.arena
                assert piece.arena_used_bytes == arena.head_bytes + arena.tail_bytes
                turns = [group.turns for group in stage.stream.groups]
                assert [group.executions for group in piece.groups] == turns
                assert piece.steps["invoke"] == pytest.approx(sum(g.invoke for g in piece.groups))


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize(
    ("name", "span"), [("kws_dscnn", (0, 9)), ("person_detect", (0, 12)), ("unet_digits", (0, 13))]
)
def test_groups_that_make_several_rows_use_what_is_predicted(
    name: str, span: tuple[int, int], program: Path, shared_model: Callable[[str], Path]
) -> None:
    graph = read_tflite(shared_model(f"{name}_int8"))
    stage = placed_stream(graph, *span, rules_by_chance(graph, 1))
    assert sum(group.rows_per_turn > 1 for group in stage.stream.groups) > 2
    feeds = random_inputs(graph, 2, 0)
    whole, got = run_on_qemu(
        program, graph, [whole_run(graph, feeds), streamed_run(graph, [stage], feeds)]
    )
    assert got.outputs == whole.outputs
    [piece, *_] = [piece for piece in got.samples[0] if piece.groups]
    assert piece.arena_used_bytes == stage.arena.head_bytes + stage.arena.tail_bytes


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize("by_rows", [False, True])
def test_a_model_that_is_one_stream_is_built_once(
    by_rows: bool, program: Path, shared_model: Callable[[str], Path]
) -> None:
    """Only the first of three inferences takes AllocateTensors, and all else takes as long in each;
    outputs are those of the unsplit model, bit for bit, bytes those that are predicted."""
    graph = read_tflite(shared_model("unet_digits_int8"))
    feeds = random_inputs(graph, 3, 0)
    stage = placed_stream(graph, 0, len(graph.ops))
    run = streamed_run(graph, [stage], feeds, by_rows=by_rows)
    unsplit, got = run_on_qemu(program, graph, [whole_run(graph, feeds), run])
    assert got.outputs == unsplit.outputs
    assert len(set(got.outputs)) == 3
    pieces = [piece for [piece] in got.samples]
    for step in ("construct", "allocate"):
        assert [piece.steps[step] > 0 for piece in pieces] == [True, False, False]
        for piece in pieces:
            assert piece.steps[step] == sum(getattr(group, step) for group in piece.groups)
    used = stage.arena.head_bytes + stage.arena.tail_bytes
    assert {piece.arena_used_bytes for piece in pieces} == {used}
    turns = [group.turns for group in stage.stream.groups]
    for piece in pieces:
        assert [group.executions for group in piece.groups] == turns
        assert piece.steps["copy_in"] == pytest.approx(pieces[0].steps["copy_in"], rel=1e-3)


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize(("name", "span"), [("squeeze_digits", (3, 10)), ("person_detect", (0, 4))])
def test_sixteen_bytes_less_are_too_few(
    name: str, span: tuple[int, int], program: Path, shared_model: Callable[[str], Path]
) -> None:
    graph = read_tflite(shared_model(f"{name}_int8"))
    feeds = random_inputs(graph, 1, 0)
    small = streamed_run(graph, [placed_stream(graph, *span)], feeds, spare_bytes=-16)
    with pytest.raises(ToolError, match=r"group \d+ of piece \d failed: AllocateTensors failed"):
        run_on_qemu(program, graph, [small])


@pytest.mark.needs("compiler", "qemu", "tflm")
@pytest.mark.parametrize(
    ("make", "dtype", "seeds"),
    [
        (chance_stream_net, "int8", range(30)),
        (chance_stream_net, "int16", range(15)),
        (chance_decoder, "int8", range(40)),
        (chance_decoder, "int16", range(12)),
        (chance_gated_net, "int8", range(20)),
        (chance_gated_net, "int16", range(8)),
    ],
)
def test_nets_by_chance_stream_as_they_run_whole(
    make: Callable[[int, str], ModelGraph], dtype: str, seeds: Sequence[int], program: Path
) -> None:
    """All kinds of windows, residuals, paddings and TRANSPOSE_CONVs; every other net with its input
    by rows."""
    target, count = target_rules("m55"), 0
    drawn = {seed: make(seed, dtype) for seed in seeds}
    sound = {seed: graph for seed, graph in drawn.items() if not refusals(graph, "m55")}
    for seed, graph in sound.items():
        forms = GroupForms(graph, target)
        stages = [placed(stream, target, forms) for stream in longest_streams(graph)]
        if not stages:
            continue
        ops = {op for stage in stages for group in stage.stream.groups for op in group.ops}
        by_rows = seed % 2 == 1 and len(ops) == len(graph.ops) and len(stages) == 1
        feeds = random_inputs(graph, 2, seed)
        streamed = streamed_run(graph, stages, feeds, by_rows=by_rows)
        whole, got = run_on_qemu(program, graph, [whole_run(graph, feeds), streamed])
        assert got.outputs == whole.outputs, seed
        used = [piece.arena_used_bytes for piece in got.samples[0] if piece.groups]
        arenas = [stage.arena for stage in stages]
        assert used == [arena.head_bytes + arena.tail_bytes for arena in arenas], seed
        count += len(stages)
    assert count >= len(sound) > len(seeds) // 2
