"""Operands that an op reads whole for every row: what bands and streams may do with them."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from gated_nets import GATED, GatedNet, chance_gated_net, mobile_net_v3_like
from stream_runs import streams_of
from test_bands import banded, pieces_of, plans_of

from splitopt.arena.rules import target_rules
from splitopt.graph.model import ModelGraph, Op
from splitopt.tiling.check import InvalidBands, check_bands
from splitopt.tiling.plan import Execution, RowSpan
from splitopt.tiling.rows import gates_read, images_read, row_rule
from splitopt.tiling.streams.check import check_stream
from splitopt.tiling.streams.check_ops import InvalidStream
from splitopt.tiling.streams.placement import GroupForms, placed

Array = np.ndarray
COMBINE = {"ADD": np.add, "MUL": np.multiply, "SUB": np.subtract}


def rows_that_change(graph: ModelGraph, op: Op, tensor: int, row: int) -> set[int]:
    """Rows of the result that change with one row of an operand, by brute force."""
    rng = np.random.default_rng(0)
    given = {t: rng.integers(1, 99, graph.tensors[t].shape) for t in op.inputs}
    before = COMBINE[op.type](*(given[t] for t in op.inputs))
    given[tensor][:, row] += 1
    after = COMBINE[op.type](*(given[t] for t in op.inputs))
    return {k for k in range(before.shape[1]) if (before[:, k] != after[:, k]).any()}


def test_rows_depend_on_the_same_rows_of_an_image_and_on_all_of_a_gate() -> None:
    gated = 0
    ops = [(graph, op) for graph in map(chance_gated_net, range(12)) for op in graph.ops]
    for graph, op in ops:
        if op.type not in COMBINE:
            continue
        every = set(range(graph.tensors[op.outputs[0]].shape[1]))
        for tensor in images_read(graph, op):
            assert all(rows_that_change(graph, op, tensor, row) == {row} for row in every)
        for tensor in gates_read(graph, op):
            assert rows_that_change(graph, op, tensor, 0) == every
            gated += 1
        assert row_rule(graph, op) is not None
    assert gated > 12


def gated_by(shape: list[int], name: str = "MUL") -> ModelGraph:
    net = GatedNet(random.Random(0))
    image, gate = net.image(8, 5, 4), net.maker.tensor(shape)
    return net.graph([image, gate], [net.gated(image, gate, name)])


@pytest.mark.parametrize("name", sorted(set(GATED)))
@pytest.mark.parametrize(
    "shape",
    [
        *([1, 1, 1, 4], [1, 1, 1, 1], [1, 1, 5, 1], [1, 1, 5, 4]),
        *([1, 8, 5, 1], [1, 8, 1, 4], [1, 8, 1, 1]),
    ],
)
def test_what_is_repeated_for_rows_columns_or_channels_has_a_rule(
    shape: list[int], name: str
) -> None:
    graph = gated_by(shape, name)
    assert row_rule(graph, graph.ops[0]) is not None


@pytest.mark.parametrize("shape", [[1, 4], [4], [1, 1, 1]])
def test_operands_of_fewer_axes_have_none(shape: list[int]) -> None:
    graph = gated_by(shape)
    assert row_rule(graph, graph.ops[0]) is None


def test_an_image_is_not_gated_by_its_own_mean_in_one_segment() -> None:
    """The gate depends on all rows: where it is made in the segment, there are neither bands nor
    streams, and behind it there are both."""
    graph = mobile_net_v3_like(16)
    own = {  # MEAN → the MUL by what becomes of it, each as the op's index
        op.index: next(k.index for k in graph.ops[op.index :] if k.type == "MUL")
        for op in graph.ops[:-1]
        if op.type == "MEAN" and op.index < len(graph.ops) - 3
    }
    assert len(own) == 5
    found = [(start, stop) for start, stop, _ in banded(graph)]
    found += [(stream.start, stream.stop) for stream in streams_of(graph)]
    for mean, mul in own.items():
        assert not any(start < mul < stop for start, stop in found if start <= mul - 1)
        assert sum(start == mul for start, _ in found) > 2
        assert mean < mul


def pooled() -> ModelGraph:
    """A gate that a pool makes of all rows; of fewer, it makes a row, too."""
    net = GatedNet(random.Random(0))
    image = net.image(8, 8, 2)
    gate = net.pool(image, "MAX_POOL_2D", 8, 8, "same")
    return net.graph([image], [net.gated(image, gate)])


def test_a_gate_of_the_rows_of_one_band_is_refused_by_the_checker() -> None:
    """No plan has it; here it is put together by hand."""
    graph = pooled()
    assert all(stop - start < 2 for start, stop, _ in banded(graph))
    [image] = graph.inputs
    [gate], [made] = (op.outputs for op in graph.ops)
    band = Execution((RowSpan(image, 0, 4),), (RowSpan(made, 0, 4),))
    with pytest.raises(InvalidBands, match="than the one it repeats"):
        check_bands(graph, 0, 2, [({image: 4, gate: 1, made: 4}, [band])])
    whole = Execution((RowSpan(image, 0, 8),), (RowSpan(made, 0, 8),))
    check_bands(graph, 0, 2, [({image: 8, gate: 1, made: 8}, [whole])])


def test_a_band_without_the_gate_is_refused_by_the_checker() -> None:
    graph = gated_by([1, 1, 1, 4])
    start, stop, rows = next(banded(graph))
    plan = next(plan for plan in plans_of(rows) if len(plan.bands) > 2)
    pieces = pieces_of(graph, start, stop, rows, plan)
    check_bands(graph, start, stop, pieces)
    heights, executions = pieces[0]
    for wrong in (RowSpan(1, 1, 1), RowSpan(1, 0, 0)):
        broken = [replace(e, inputs=(e.inputs[0], wrong)) for e in executions]
        with pytest.raises(InvalidBands, match="cannot read"):
            check_bands(graph, start, stop, [(heights, broken)])


def test_a_gate_is_copied_once_into_a_stream_and_may_not_come_late() -> None:
    graph = gated_by([1, 1, 1, 4])
    [stream] = streams_of(graph)
    rules = target_rules("m55")
    forms = GroupForms(graph, rules)
    check_stream(graph, placed(stream, rules, forms))
    [gate] = [k for k, source in enumerate(stream.sources) if source.tensor == 1]
    assert [stream.sources[gate].rows, stream.buffers[stream.sources[gate].buffer].depth] == [1, 1]
    late = replace(stream.sources[gate], first_tick=stream.sources[gate].first_tick + 1)
    sources = (*stream.sources[:gate], late, *stream.sources[gate + 1 :])
    with pytest.raises(InvalidStream, match="reads rubbish"):
        check_stream(graph, placed(replace(stream, sources=sources), rules, forms))
