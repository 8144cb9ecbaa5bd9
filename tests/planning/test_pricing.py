"""Prices are those of the plain replay: on all rows, in bands, with offline plans."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from splitopt.arena.rules import target_rules
from splitopt.cost.allocate import allocate_insn
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.segment import SegmentFigures, Techniques
from splitopt.planning.segment_options import SegmentTable

FindModel = Callable[[str], Path]


def assert_as_replayed(table: SegmentTable, figures: SegmentFigures) -> None:
    assert figures.request is not None
    arena, segment = figures.arena, figures.segment
    assert figures.arena_bytes == arena.size_bytes + table.headroom_bytes
    assert figures.memory.tail_bytes == arena.tail_bytes
    assert figures.has_offline_plan == bool(arena.offline_plan)
    at = figures.request.graph, segment, arena.buffers
    assert figures.allocate_insn == allocate_insn(*at, table.costs.allocate)


@pytest.mark.parametrize("abi", ["m55", "x86_64"])
@pytest.mark.parametrize("name", ["unet_digits_int8", "squeeze_digits_int8", "kws_dscnn_int8"])
def test_every_option_of_a_model(name: str, abi: str, shared_model: FindModel) -> None:
    graph = read_tflite(shared_model(name))
    techniques = replace(Techniques(), offline_plans=(name, abi) == ("unet_digits_int8", "m55"))
    table = SegmentTable(graph, target_rules(abi), headroom_bytes=48, techniques=techniques)
    offline = 0
    for start in range(0, len(graph.ops), 2):
        for stop in range(start + 1, min(start + 9, len(graph.ops))):
            variants = len(table.bands.plans(start, stop))
            for variant in {0, variants, variants // 2}:
                keys = range(2 * variant, 2 * variant + 1 + techniques.offline_plans)
                options = (table.option(start, stop, key) for key in keys)
                for option in filter(None, options):
                    offline += sum(piece.has_offline_plan for piece in option.pieces)
                    for piece in option.pieces:
                        assert_as_replayed(table, piece)
    assert offline or not techniques.offline_plans


def test_pickled_figures_have_their_arena_and_not_the_model(shared_model: FindModel) -> None:
    graph = read_tflite(shared_model("unet_digits_int8"))
    figures = SegmentTable(graph, target_rules("m55")).figures(2, 6)
    content = pickle.dumps(figures)
    again: SegmentFigures = pickle.loads(content)
    assert again == figures
    assert again.arena == figures.arena
    assert len(content) < len(graph.source)
