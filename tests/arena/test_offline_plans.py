"""Exact offline plans: lower heads than TFLM's own, replayed, written, run, and checked."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allocations import measure_allocations
from builder import Builder
from images import chance_net
from models import chain_of_sizes

from splitopt.arena import offline
from splitopt.arena.check import OverlappingPlan, check_head
from splitopt.arena.offline import best_offline_plan
from splitopt.arena.replay import Arena, replay
from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.host import Stage, run_tflm_chain
from splitopt.solvers.interrupt import ask_to_stop, go_on

M55, HOST = target_rules("m55"), target_rules("x86_64")
SIZES = (4592, 4496, 4800, 4896, 320, 4000, 128, 2048)


def wasteful(sizes: tuple[int, ...] = SIZES) -> ModelGraph:
    """Tensors of unlike sizes in a chain, among which TFLM's planner leaves holes."""
    return parse_tflite(chain_of_sizes(sizes), name="wasteful", where="by hand")


def chain_of(sizes: list[int]) -> ModelGraph:
    """Ops that run in TFLM whatever the tensors' sizes: a constant's worth of shapes by slices."""
    builder = Builder()
    source = builder.tensor([1, max(sizes)])
    tensors = [source]
    for size in sizes:
        begin = np.zeros(2, "<i4").tobytes()
        length = np.array([1, min(size, builder.graph.tensors[tensors[-1]].shape[1])], "<i4")
        first = builder.tensor([2], "int32", data=begin, scales=0)
        amount = builder.tensor([2], "int32", data=length.tobytes(), scales=0)
        made = builder.tensor([1, int(length[1])])
        builder.op("SLICE", [tensors[-1], first, amount], [made])
        tensors.append(made)
    return parse_tflite(builder.bytes([source], [tensors[-1]]), name="chain", where="by hand")


def arenas(graph: ModelGraph, rules: object = M55) -> tuple[Arena, Arena]:
    """As TFLM plans it, and under the best offline plan."""
    assert rules in (M55, HOST)
    rule = M55 if rules is M55 else HOST
    whole, memories = whole_model(graph), rule.memories(graph)
    greedy = replay(graph, whole, memories, rule.abi, {})
    plan = best_offline_plan(graph, whole, memories)
    return greedy, replay(graph, whole, memories, rule.abi, plan.offsets)


def test_a_plan_takes_the_holes_out() -> None:
    graph = wasteful()
    greedy, planned = arenas(graph)
    assert greedy.head_bytes > greedy.peak_load_bytes
    assert planned.head_bytes == planned.peak_load_bytes == greedy.peak_load_bytes
    assert planned.tail_bytes == greedy.tail_bytes
    check_head(planned)


def test_a_packing_that_was_cut_short_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, solve = wasteful(tuple(size + 16 for size in SIZES)), offline.solve

    def interrupted(*given: Any) -> Any:
        ask_to_stop()
        return solve(*given)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(offline, "soon_at", lambda *given: None)
            patch.setattr(offline, "solve", interrupted)
            arenas(graph)
    finally:
        go_on()
    _, planned = arenas(graph)
    assert planned.head_bytes == planned.peak_load_bytes


def test_no_plan_where_tflm_wastes_nothing() -> None:
    greedy, planned = arenas(wasteful((64, 64, 64)))
    assert planned == greedy
    assert not planned.offline_plan


def test_written_plans_are_read_back_and_hold() -> None:
    graph = wasteful()
    greedy, planned = arenas(graph)
    piece = write_piece(graph, whole_model(graph), planned.offline_plan)
    own = parse_tflite(piece, name="p", where="p")
    again = replay(own, whole_model(own), M55.memories(own), M55.abi)
    assert again.head_bytes == planned.head_bytes < greedy.head_bytes


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_overlap_is_found(seed: int) -> None:
    """Each tensor in turn is put where another one lives."""
    graph = wasteful()
    _, planned = arenas(graph)
    rng = random.Random(seed)
    at = rng.randrange(len(planned.buffers) - 1)
    moved = replace(planned.buffers[at + 1], offset=planned.buffers[at].offset)
    buffers = (*planned.buffers[: at + 1], moved, *planned.buffers[at + 2 :])
    with pytest.raises(OverlappingPlan, match="overlap while both live"):
        check_head(replace(planned, buffers=buffers))


def test_tflm_runs_under_a_plan_as_without_it(tmp_path: Path) -> None:
    """The head that TFLM reports is the plan's, in an arena that holds no more; outputs equal."""
    graph = chain_of([4896, 4800, 4592, 4496, 4000, 2048, 320, 128])
    greedy, planned = arenas(graph, HOST)
    stock, ours = tmp_path / "stock.tflite", tmp_path / "ours.tflite"
    stock.write_bytes(graph.source)
    ours.write_bytes(write_piece(graph, whole_model(graph), planned.offline_plan))
    for path, arena in ((stock, greedy), (ours, planned)):
        assert measure_allocations(path, 1 << 20).head_bytes == arena.head_bytes
    feed = random_inputs(graph, 2, 0)[0]
    stages = [Stage(path, ("x",), (path.stem,), 1 << 20) for path in (stock, ours)]
    made = run_tflm_chain(stages, {"x": feed})
    assert np.array_equal(made["stock"], made["ours"])


@pytest.mark.parametrize("block", range(3))
def test_heads_with_scratch_are_those_of_tflm(block: int, tmp_path: Path) -> None:
    """Nets by chance, under plans by chance that overlap nowhere: TFLM puts scratch around them."""
    compared = 0
    for seed in range(block * 8, block * 8 + 8):
        graph = chance_net(9000 + seed)
        greedy, planned = arenas(graph, HOST)
        rng = random.Random(seed)
        gap = 16 * rng.randint(1, 40)
        spread = {
            b.tensor: b.offset + (gap if b.offset else 0)
            for b in planned.buffers
            if b.tensor is not None
        }
        whole = whole_model(graph)
        arena = replay(graph, whole, HOST.memories(graph), HOST.abi, spread)
        try:
            check_head(arena)
        except OverlappingPlan:
            continue
        path = tmp_path / f"{seed}.tflite"
        path.write_bytes(write_piece(graph, whole, spread))
        assert measure_allocations(path, 1 << 20).head_bytes == arena.head_bytes
        assert planned.head_bytes <= greedy.head_bytes
        compared += 1
    assert compared > 2
