"""Bands of a single row, where CMSIS-NN gets some convolutions wrong: the rule that leaves them out
against a checker that follows the kernel column by column, and what both do to band plans."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product

import pytest
from stream_nets import StreamNet

from splitopt.arena.one_row import fails_on_one_row
from splitopt.arena.rules import target_rules
from splitopt.cost.costs import built_in
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.planning.alike_ops import AlikeOps
from splitopt.planning.band_options import BandTable
from splitopt.tiling.check import InvalidBands, check_bands
from splitopt.tiling.check_single_rows import looks_right_on_one_row
from splitopt.tiling.geometry import banded_segments
from splitopt.tiling.rows import row_rule
from splitopt.tiling.schedule import executions_of, heights_of

ROWS = 6


def convolution(
    columns: int, kernel: int, stride: int, padding: str, *, channels: int = 4, high: int = 1
) -> ModelGraph:
    """A window of one row, or of `high` ones, on six rows."""
    net = StreamNet(random.Random(0))
    image = net.image(ROWS, columns, channels)
    made = net.window("CONV_2D", image, (high, kernel), (1, stride), padding)
    return net.graph([image], [made])


def band_table(graph: ModelGraph) -> BandTable:
    return BandTable(AlikeOps(graph, target_rules("m55"), built_in()), two_heights=True)


WRONG = convolution(6, 5, 2, "same")
RIGHT = convolution(6, 5, 1, "same")


def test_the_rule_is_what_the_kernel_looks_at() -> None:
    found = Counter[bool]()
    shapes = product(range(1, 10), range(1, 6), range(1, 5), ("same", "valid"), (2, 4))
    for columns, kernel, stride, padding, channels in shapes:
        if padding == "same" or kernel <= columns:
            graph = convolution(columns, kernel, stride, padding, channels=channels)
            is_wrong = fails_on_one_row(graph, graph.ops[0])
            assert is_wrong != looks_right_on_one_row(graph, graph.ops[0])
            found[is_wrong] += 1
    assert min(found[True], found[False]) > 100


def test_windows_of_more_rows_and_other_types_run_by_other_code() -> None:
    for high, dtype in ((3, "int8"), (1, "int16")):
        net = StreamNet(random.Random(0), dtype=dtype)
        image = net.image(ROWS, 6, 4)
        graph = net.graph([image], [net.window("CONV_2D", image, (high, 3), (1, 2), "same")])
        assert looks_right_on_one_row(graph, graph.ops[0])
        assert not fails_on_one_row(graph, graph.ops[0])


def test_no_band_is_a_row_high_where_that_goes_wrong() -> None:
    """And every other one is there still: of two, three and five rows, the shortest of their
    number."""
    for graph, heights in ((RIGHT, {1, 2, 3}), (WRONG, {2, 3})):
        plans = band_table(graph).plans(0, 1)
        assert {plan.heights[0] for plan in plans} == heights
        assert (1 in {height for plan in plans for height in plan.heights}) == (graph is RIGHT)


def test_what_is_left_out_is_said() -> None:
    assert list(band_table(RIGHT).notes) == []
    [note] = band_table(WRONG).notes
    assert note == "No band has a single row of op 0 CONV_2D: CMSIS-NN gets it wrong."


@pytest.mark.parametrize("graph", [RIGHT, WRONG])
def test_the_checker_refuses_such_bands(graph: ModelGraph) -> None:
    """Of one height, and as the lower ends of taller bands."""
    [(_, rows)] = banded_segments(graph, 0, [row_rule(graph, graph.ops[0])])
    for plan in (rows.plan(6, 1, 1, 0), rows.plan(2, 5, 1, 1), rows.plan(3, 4, 1, 2)):
        schedule = executions_of(graph, segment_of(graph, 0, 1), rows, plan)
        heights = (heights_of(rows, height) for height in plan.heights)
        pieces = list(zip(heights, schedule, strict=True))
        if graph is RIGHT:
            check_bands(graph, 0, 1, pieces)
        else:
            with pytest.raises(InvalidBands, match="op 0 CONV_2D: CMSIS-NN gets a band of a"):
                check_bands(graph, 0, 1, pieces)
