"""Every plan with streams is judged before it is handed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from needs import find_model
from planning_helpers import allowed_everywhere

from splitopt.arena.rules import target_rules
from splitopt.graph.tflite_reader import read_tflite
from splitopt.planning.build_plan import check_option
from splitopt.planning.planner import Planner
from splitopt.planning.request import PlanRequest
from splitopt.planning.segment import STREAMED, SegmentFigures, Techniques
from splitopt.planning.segment_options import SegmentTable
from splitopt.planning.split_plan import SplitPlan
from splitopt.planning.stream_options import StreamTable
from splitopt.solvers.params import SolveParams
from splitopt.solvers.partition.instance import Goal
from splitopt.tiling.check_rolled import InvalidRolledEnds
from splitopt.tiling.streams.check_ops import InvalidStream
from splitopt.tiling.streams.stream import Stream

FIGURES: Callable[..., SegmentFigures] = StreamTable.figures


def squeeze() -> SegmentTable:
    path = find_model("squeeze_digits_int8")
    assert path is not None
    techniques = Techniques(bands=False, streams=True, rolled_ends=True)
    return SegmentTable(read_tflite(path), target_rules("m55"), techniques=techniques)


def least_peak() -> SplitPlan:
    table = squeeze()
    allowed = allowed_everywhere(len(table.graph.ops))
    request = PlanRequest(Goal(ram_weight=1, cost_weight=0), allowed, SolveParams(time_limit_s=60))
    plan = Planner(table).plan(request)
    assert isinstance(plan, SplitPlan)
    assert any(segment.figures.stream is not None for segment in plan.segments)
    return plan


def wrong_fills(table: StreamTable, stream: Stream) -> SegmentFigures:
    buffers = (replace(b, fill=None if b.fill is None else b.fill ^ 1) for b in stream.buffers)
    return FIGURES(table, replace(stream, buffers=tuple(buffers)))


def too_small(table: StreamTable, stream: Stream) -> SegmentFigures:
    found = FIGURES(table, stream)
    return replace(found, arena_bytes=found.arena_bytes - 16)


@pytest.mark.parametrize("figures", [wrong_fills, too_small])
def test_a_wrong_stream_is_refused(
    monkeypatch: pytest.MonkeyPatch, figures: Callable[..., SegmentFigures]
) -> None:
    monkeypatch.setattr(StreamTable, "figures", figures)
    with pytest.raises(InvalidStream):
        least_peak()


def test_ends_that_lie_too_near_are_refused() -> None:
    table = squeeze()
    option = table.option(0, 2, STREAMED)
    assert option is not None
    [pair] = option.rolled
    check_option(table, option)
    near = replace(option, rolled=(replace(pair, lead_bytes=pair.lead_bytes - 16),))
    with pytest.raises(InvalidRolledEnds):
        check_option(table, near)


def test_a_right_one_is_planned() -> None:
    least_peak()
