"""Heads and the planner's work of all segments at once, against a replay of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from random_nets import random_memories, random_net
from samples import seeds

from splitopt.arena.abi import M55
from splitopt.arena.kernel import KernelMemory
from splitopt.arena.quick_replay import ArenaFigures, ArenaRequest, QuickReplay
from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning import offset_grids
from splitopt.planning import sort_bounds as bounds_of_sorts
from splitopt.planning.segment import CUTS_ONLY, Techniques
from splitopt.planning.segment_bounds import has_both_ends
from splitopt.planning.segment_heads import SegmentHeads, segment_heads
from splitopt.planning.segment_options import SegmentTable

FindModel = Callable[[str], Path]
MODELS = ["unet_digits_int8", "squeeze_digits_int8", "ic_resnet8_int8", "person_detect_int8"]


def assert_bounds(heads: SegmentHeads, at: tuple[int, int], found: ArenaFigures) -> None:
    assert heads.head[at] == found.head_bytes
    assert heads.buffers[at] == found.buffers
    assert heads.scan_active[at] == found.work.scan_active
    for name in ("sort_cmp", "sort_swap", "scan_steps"):
        assert getattr(heads, name)[at] <= getattr(found.work, name), name


def assert_segments(
    graph: ModelGraph, memories: tuple[KernelMemory, ...], segments: list[tuple[int, int]]
) -> None:
    heads, quick = segment_heads(graph, memories), QuickReplay(graph, M55)
    assert heads is not None
    for at in segments:
        request = ArenaRequest(graph, segment_of(graph, *at), memories, M55)
        assert_bounds(heads, at, quick.figures(request))


@pytest.mark.parametrize("seed", seeds(25, 100))
def test_every_segment_of_a_random_net(seed: int) -> None:
    graph = random_net(seed)
    n = len(graph.ops)
    segments = [(a, b) for a in range(n) for b in range(a + 1, n + 1) if b - a < n]
    assert_segments(graph, random_memories(graph, seed), segments)


@pytest.mark.parametrize("blocks", [200, 12])
@pytest.mark.parametrize("seed", range(4))
def test_some_segments_of_a_longer_net(
    seed: int, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds_of_sorts, "_MOST_BLOCKS", blocks)
    graph = random_net(seed, most_ops=90)
    n, chance = len(graph.ops), np.random.default_rng(seed)
    ends = [sorted(chance.choice(n + 1, 2, replace=False).tolist()) for _ in range(60)]
    segments = [(a, b) for a, b in ends if b - a < n]
    assert_segments(graph, random_memories(graph, seed), segments)


def test_sort_work_is_exact_for_few_sizes() -> None:
    """Four sizes, of which each is a level of its own."""
    graph = random_net(5)
    memories = tuple(KernelMemory() for _ in graph.ops)
    heads, n = segment_heads(graph, memories), len(graph.ops)
    assert heads is not None
    quick = QuickReplay(graph, M55)
    for at in ((a, b) for a in range(n) for b in range(a + 1, n + 1) if b - a < n):
        work = quick.figures(ArenaRequest(graph, segment_of(graph, *at), memories, M55)).work
        assert (heads.sort_cmp[at], heads.sort_swap[at]) == (work.sort_cmp, work.sort_swap)


@pytest.mark.parametrize("name", MODELS)
def test_stock_bounds_of_a_model(name: str, shared_model: FindModel) -> None:
    """RAM is exact, instructions are within 3 % of it, with zeroing and without."""
    graph = read_tflite(shared_model(name))
    rules, n = target_rules("m55"), len(graph.ops)
    for zero_arena in (False, True):
        table = SegmentTable(graph, rules, headroom_bytes=48, zero_arena=zero_arena)
        least = table.stock_added_bound()
        for start, stop in np.argwhere(has_both_ends(graph)).tolist():
            if stop - start == n:
                continue
            exact = table.figures(start, stop).added_insn
            assert table.stock_ram_bound[start, stop] == table.ram(start, stop)
            assert 0.97 * exact <= least[start, stop] <= exact


def test_bounds_hold_for_offline_plans(shared_model: FindModel) -> None:
    graph = read_tflite(shared_model("unet_digits_int8"))
    only_plans = Techniques(bands=False, two_heights=False, offline_plans=True)
    table = SegmentTable(graph, target_rules("m55"), techniques=only_plans)
    planned, least = 0, table.planned_added_bound()
    for start, stop in np.argwhere(has_both_ends(graph)).tolist():
        option = table.option(start, stop, 1)
        if option is not None:
            planned += 1
            assert table.may_be_planned[start, stop]
            ram = option.arena_bytes + table.boundary.load[start, stop]
            assert table.ram_bound[start, stop] <= ram
            assert least[start, stop] <= sum(piece.added_insn for piece in option.pieces)
    assert planned


def test_bounds_do_without_grids_that_would_take_too_long(
    shared_model: FindModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offset_grids, "MOST_CELLS", 100)
    graph = read_tflite(shared_model("unet_digits_int8"))
    table = SegmentTable(graph, target_rules("m55"), techniques=CUTS_ONLY)
    assert table.heads is None
    least = table.stock_added_bound()
    for start, stop in np.argwhere(has_both_ends(graph)).tolist():
        assert table.stock_ram_bound[start, stop] <= table.ram(start, stop)
        assert least[start, stop] <= table.figures(start, stop).added_insn
