"""Figures of streams: of the model by a replay, of copies by the moves, of time by the target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from needs import find_model
from planning_helpers import allowed_everywhere

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.lower_bound import limiting_sentence
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import STREAMED, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.stream_copies import copies_of
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.tiling.streams.moves import Keep, Move, Take, moves_of
from splitopt.tiling.streams.stream import Stream

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
STREAMS, ALL = Techniques(rolled_ends=False), Techniques()
MEASURED = json.loads((GOLDEN / "m55_streams.json").read_text("utf-8"))["stages"]


def table_of(name: str) -> SegmentTable:
    path = find_model(name)
    assert path is not None
    return SegmentTable(read_tflite(path), target_rules("m55"), techniques=STREAMS)


@pytest.fixture(scope="module")
def table() -> SegmentTable:
    return table_of("squeeze_digits_int8")


def test_every_price_is_that_of_a_replay(table: SegmentTable) -> None:
    streams = list(streams_of(table))
    assert len(streams) > 200
    for k, stream in enumerate(streams):
        figures = table.streams.figures(stream)
        if k % 5 == 0:
            assert figures.stream is not None
            arena = figures.stream.arena
            assert figures.memory.size_bytes == arena.size_bytes
            assert figures.memory.head_bytes == arena.head_bytes
            assert figures.memory.tail_bytes == arena.tail_bytes
            assert figures.arena_bytes == arena.size_bytes + figures.stream.interpreters_bytes


def test_bytes_that_cross_are_those_of_the_moves(table: SegmentTable) -> None:
    for stream in list(streams_of(table))[::7]:
        crossing = sum(crossing_bytes(table.graph, stream, move) for move in moves_of(stream))
        assert copies_of(table.graph, stream).crossing_bytes == crossing


def streams_of(table: SegmentTable) -> Iterator[Stream]:
    n = len(table.graph.ops)
    for start, stop in combinations(range(n + 1), 2):
        stream = table.streams.stream(start, stop)
        if isinstance(stream, Stream):
            yield stream


def crossing_bytes(graph: ModelGraph, stream: Stream, move: Move) -> int:
    if isinstance(move, Take):
        return stream.buffers[stream.sources[move.source].buffer].written_bytes
    if isinstance(move, Keep):
        tensor = graph.tensors[stream.groups[move.group].outputs[move.output].tensor]
        return tensor.bytes // tensor.shape[1]
    return 0


@pytest.mark.parametrize("name", ["squeeze_digits_int8", "unet_digits_int8", "mbv2_digits_int8"])
def test_estimates_are_near_what_the_target_counted(name: str) -> None:
    table = table_of(name)
    stages = [stage for stage in MEASURED if stage["model"] == name]
    assert len(stages) > 5
    for stage in stages:
        option = table.option(stage["start"], stage["stop"], STREAMED)
        assert option is not None
        assert option.stream is not None
        [figures] = option.pieces
        arena = option.stream.arena
        assert arena.head_bytes + arena.tail_bytes == stage["arena_used_bytes"]
        assert figures.invoke_insn == pytest.approx(stage["invoke_insn"], rel=0.02)
        assert figures.copy_insn == pytest.approx(stage["rows_insn"], rel=0.16)
        assert figures.allocate_insn == pytest.approx(stage["allocate_insn"], rel=0.2)


@pytest.mark.needs("public models")
def test_the_least_peak_of_streams_is_that_found_by_hand() -> None:
    table = table_of("person_detect_int8")
    goal = Goal(ram_weight=1, cost_weight=0)
    allowed = allowed_everywhere(len(table.graph.ops))
    plan = Planner(table).plan(PlanRequest(goal, allowed, SolveParams(time_limit_s=60)))
    assert isinstance(plan, SplitPlan)
    assert plan.peak_ram_bytes == 29_072  # a plan of this peak ran on the Cortex-M55
    assert np.any([segment.figures.stream is not None for segment in plan.segments])


def test_streams_of_a_model_that_was_read_twice_are_equal() -> None:
    one, other = (table_of("squeeze_digits_int8").option(3, 10, STREAMED) for _ in range(2))
    assert one is not None
    assert one.stream is not None
    assert one == other
    assert "ModelGraph" not in repr(one), "the whole model is no part of what is shown"


def test_a_model_that_is_one_stream_is_not_called_unsplit() -> None:
    table = SegmentTable(table_of("unet_digits_int8").graph, target_rules("m55"), techniques=ALL)
    goal = Goal(ram_weight=0, cost_weight=1, capacity=24_000)
    allowed = allowed_everywhere(len(table.graph.ops))
    plan = Planner(table).plan(PlanRequest(goal, allowed, SolveParams(time_limit_s=60)))
    assert isinstance(plan, SplitPlan)
    [segment] = plan.segments
    assert segment.figures.stream is not None
    assert limiting_sentence(table.graph, table, plan).startswith("Piece 0 (ops 0 to 12) sets")
    level = replace(plan, segments=tuple(replace(plan.segments[0], index=k) for k in range(3)))
    found = limiting_sentence(table.graph, table, level)
    assert found.startswith("Pieces 0, 1 and 2 set the peak (piece 0: head ")
