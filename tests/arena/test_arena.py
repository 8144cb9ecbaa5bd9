"""The arena model against figures measured on the Cortex-M55."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from builder import Builder
from golden_figures import MODELS, SPLIT_MODELS, measured_pieces
from models import chain

from splitopt.arena.kernel import KernelMemory
from splitopt.arena.replay import Arena, TailStep, minimum_arena, replay, tail_bytes
from splitopt.arena.rules import TargetRules, target_rules
from splitopt.base.errors import UsageError
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of, whole_model
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.pieces.writer import write_piece

FindModel = Callable[[str], Path]
M55 = target_rules("m55")


def arena_of(graph: ModelGraph, rules: TargetRules = M55) -> Arena:
    return replay(graph, whole_model(graph), rules.memories(graph), rules.abi)


@pytest.mark.parametrize("name", MODELS)
def test_whole_models_match_the_measured_bytes(name: str, shared_model: FindModel) -> None:
    arena = arena_of(read_tflite(shared_model(name)))
    predicted = {
        "head_bytes": arena.head_bytes,
        "tail_bytes": arena.tail_bytes,
        "peak_load_bytes": arena.peak_load_bytes,
        "planned_buffers": len(arena.buffers),
        "arena_used_bytes": arena.used_bytes,
        "arena_min_bytes": arena.minimum_bytes,
    }
    measured = {key: MODELS[name][key] for key in predicted if key in MODELS[name]}
    assert {key: predicted[key] for key in measured} == measured
    if two_arenas := MODELS[name].get("two_arenas_used_bytes"):
        rules = replace(M55, abi=M55.abi.in_two_arenas())
        assert arena_of(read_tflite(shared_model(name)), rules).used_bytes == two_arenas
    assert arena.exact


@pytest.mark.parametrize("name", SPLIT_MODELS)
def test_every_measured_piece_is_predicted_to_the_byte(name: str, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model(name))
    memories = M55.memories(graph)
    pieces = measured_pieces(name, len(graph.ops))
    assert len(pieces) > 50
    for piece in pieces:
        segment = segment_of(graph, piece.start, piece.stop)
        arena = replay(graph, segment, memories, M55.abi)
        assert (arena.used_bytes, arena.size_bytes) == (piece.used_bytes, piece.size_bytes), piece


@pytest.mark.parametrize("name", ["squeeze_digits_int8", "unet_digits_int8", "kws_dscnn_int8"])
def test_a_segment_and_the_piece_written_from_it_have_one_arena(
    name: str, shared_model: FindModel
) -> None:
    graph = read_tflite(shared_model(name))
    memories = M55.memories(graph)
    for start in range(0, len(graph.ops), 3):
        for stop in range(start + 1, len(graph.ops) + 1, 2):
            segment = segment_of(graph, start, stop)
            piece = parse_tflite(write_piece(graph, segment), name="piece")
            from_segment = replay(graph, segment, memories, M55.abi)
            from_piece = arena_of(piece)
            assert from_segment.used_bytes == from_piece.used_bytes
            assert from_segment.minimum_bytes == from_piece.minimum_bytes


def test_the_models_of_the_repository_are_exact() -> None:
    folder = Path(__file__).resolve().parents[2] / "configs" / "models"
    models = sorted(folder.glob("*.tflite"))
    assert models
    for path in models:
        measured = MODELS[path.stem]
        arena = arena_of(read_tflite(path))
        assert arena.used_bytes == measured["arena_used_bytes"]
        assert arena.minimum_bytes == measured["arena_min_bytes"]


def test_an_op_without_a_rule_is_a_named_estimate(shared_model: FindModel) -> None:
    graph = read_tflite(shared_model("person_detect_int8"))
    unknown = replace(M55, kernels={k: v for k, v in M55.kernels.items() if k != "CONV_2D"})
    assert arena_of(graph, unknown).estimates == ("CONV_2D has no measured rule",)


def test_scratch_of_a_custom_op_is_estimated_by_what_it_moves() -> None:
    builder = Builder()
    source, made = builder.typed([1, 100], "INT8"), builder.typed([1, 20], "INT8")
    builder.op("CUSTOM", [source], [made], custom=("secret", b""))
    graph = parse_tflite(builder.bytes([source], [made]), name="custom")
    [memory] = M55.memories(graph)
    assert memory.estimate == "CUSTOM:secret has no measured rule"
    assert memory.scratch == (2 * (100 + 20),)


def test_a_type_that_a_rule_was_not_measured_on_is_named() -> None:
    [memory] = M55.memories(parse_tflite(chain(1, "UINT8"), name="unsigned"))
    assert memory.estimate == "RELU was not measured on UINT8"
    [known] = M55.memories(parse_tflite(chain(1, "INT8"), name="signed"))
    assert known.exact
    assert replace(memory, estimate="") == known


def test_the_minimum_arena_is_the_least_size_in_which_every_step_fits() -> None:
    steps = [
        TailStep("a", 36, 4),
        TailStep("b", 5, 1),
        TailStep("c", 60, 16),
        TailStep("d", 0, 1, reach=333),
        TailStep("e", 8, 4),
        TailStep("f", 7, 16),
    ]
    for head in (0, 16, 320, 400):

        def fits(size: int, head: int = head) -> bool:
            position = size
            for step in steps:
                position = (position - step.size) // step.alignment * step.alignment
                if position < step.reach:
                    return False
            return position >= head

        least = next(size for size in range(2000) if fits(size))
        assert minimum_arena(steps, head, M55.abi) == least
    assert tail_bytes(steps) == 128


def test_categories_add_up_to_the_tail(shared_model: FindModel) -> None:
    for name in ("person_detect_int8", "unet_digits_int8", "hello_world_int8"):
        arena = arena_of(read_tflite(shared_model(name)))
        assert sum(size for _, size in arena.tail_by_category) == arena.tail_bytes


def test_an_unknown_abi_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="m55"):
        target_rules("riscv")


def test_kernel_memory_is_exact_unless_it_says_why_not() -> None:
    assert KernelMemory().exact
    assert not KernelMemory(estimate="unmeasured").exact


def test_an_offline_plan_of_the_file_pins_its_tensors(shared_model: FindModel) -> None:
    """TFLM keeps overlapping pins as they are, and plans the rest and all scratch around them."""
    graph = read_tflite(shared_model("person_detect_int8"))
    memories = M55.memories(graph)
    greedy = arena_of(graph)
    offsets = {b.tensor: b.offset for b in greedy.buffers if b.tensor is not None}
    same = arena_of(replace(graph, offline_offsets=offsets))
    assert [b.offset for b in same.buffers] == [b.offset for b in greedy.buffers]
    assert same.offline_plan == offsets
    assert greedy.offline_plan == {}
    first = graph.inputs[0]
    moved = arena_of(replace(graph, offline_offsets={first: 100_000}))
    assert moved.head_bytes == 100_000 + 9216
    segment = segment_of(graph, 0, 8)
    pinned = replay(replace(graph, offline_offsets={first: 100_000}), segment, memories, M55.abi)
    assert pinned.head_bytes == replay(graph, segment, memories, M55.abi).head_bytes
