"""Figures of streams: sums over groups that are looked up are those of each stream by itself."""

from __future__ import annotations

import numpy as np
import pytest
from needs import find_model
from planning_helpers import allowed_everywhere

from splitopt.arena.rules import target_rules
from splitopt.cost.copying import copy_insn, fill_insn
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import STREAMED, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.stream_copies import copies_of
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.tiling.rolled import saved_bytes
from splitopt.tiling.streams.moves import FillRows, Keep, MoveRow, Run, Take, moves_of
from splitopt.tiling.streams.stream import Stream

STREAMS = Techniques(streams=True)


def table_of(name: str) -> SegmentTable:
    path = find_model(name)
    assert path is not None
    return SegmentTable(read_tflite(path), target_rules("m55"), techniques=STREAMS)


@pytest.fixture(scope="module")
def table() -> SegmentTable:
    return table_of("squeeze_digits_int8")


def test_every_price_is_that_of_a_replay_and_no_bound_is_above(table: SegmentTable) -> None:
    columns = table.streams.columns
    assert len(columns.starts) > 200
    for k in range(len(columns.starts)):
        option = table.option(int(columns.starts[k]), int(columns.stops[k]), STREAMED)
        assert option is not None
        assert option.stream is not None
        [figures] = option.pieces
        if k % 5 == 0:
            arena = option.stream.arena
            assert figures.memory.size_bytes == arena.size_bytes
            assert figures.memory.head_bytes == arena.head_bytes
            assert figures.arena_bytes == arena.size_bytes + option.stream.interpreters_bytes
        assert columns.arena[k] <= figures.arena_bytes
        assert columns.cost[k] <= figures.added_insn
        assert columns.copied[k] == figures.copied_bytes
        stream = option.stream.stream
        for saved, by_rows in ((columns.saved, False), (columns.saved_inside, True)):
            pairs = table.streams.rolled(stream, by_rows=by_rows)
            assert sum(saved_bytes(table.graph, pair) for pair in pairs) <= saved[k]


def test_copies_are_those_of_the_moves(table: SegmentTable) -> None:
    columns = table.streams.columns
    for start, stop in zip(columns.starts[::7], columns.stops[::7], strict=True):
        stream = table.streams.stream(int(start), int(stop))
        assert isinstance(stream, Stream)
        crossing, insn = moved(table.graph, stream)
        found = copies_of(table.graph, stream)
        assert (found.crossing_bytes, found.insn) == (crossing, insn)


def moved(graph: ModelGraph, stream: Stream) -> tuple[int, int]:
    """Bytes across the ends and instructions, step by step."""
    crossing = insn = 0
    for move in moves_of(stream):
        match move:
            case Take():
                size = stream.buffers[stream.sources[move.source].buffer].written_bytes
                crossing += size
                insn += copy_insn(size)
            case MoveRow():
                insn += copy_insn(stream.buffers[move.buffer].written_bytes)
            case FillRows():
                insn += fill_insn(move.rows * stream.buffers[move.buffer].row_bytes)
            case Keep():
                tensor = graph.tensors[stream.groups[move.group].outputs[move.output].tensor]
                crossing += tensor.bytes // tensor.shape[1]
                insn += copy_insn(tensor.bytes // tensor.shape[1])
            case Run():
                pass
    return crossing, insn


@pytest.mark.needs("public models")
def test_the_least_peak_of_streams_is_that_found_by_hand() -> None:
    table = table_of("person_detect_int8")
    goal = Goal(ram_weight=1, cost_weight=0)
    allowed = allowed_everywhere(len(table.graph.ops))
    plan = Planner(table).plan(PlanRequest(goal, allowed, SolveParams(time_limit_s=60)))
    assert isinstance(plan, SplitPlan)
    assert plan.peak_ram_bytes == 29_072  # a plan of this peak ran on the Cortex-M55
    assert np.any([segment.figures.stream is not None for segment in plan.segments])
