"""Subgraphs that CALL_ONCE runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from stateful_models import delay_net

from splitopt.base.errors import ModelError
from splitopt.graph.segments import whole_model
from splitopt.graph.tflite_reader import parse_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import random_inputs
from splitopt.runtime.model_builder import packed
from splitopt.verify.chains import run_whole


def edited(at: int) -> bytes:
    """The first CALL_ONCE runs subgraph `at`."""
    model: Any = fb.ModelT.InitFromObj(fb.Model.GetRootAs(delay_net()))
    model.subgraphs[0].operators[0].builtinOptions.initSubgraphIndex = at
    return packed(model)


def test_they_are_read_and_the_file_is_its_own_piece() -> None:
    data = delay_net(2)
    graph = parse_tflite(data, name="net")
    [called] = graph.called
    assert [op.type for op in called.ops] == ["VAR_HANDLE", "ASSIGN_VARIABLE"] * 2
    assert graph.op_types >= {"CALL_ONCE", "CONV_2D", "ASSIGN_VARIABLE"}
    assert write_piece(graph, whole_model(graph)) == graph.source == data
    assert not graph.is_part


def test_subgraphs_that_nothing_runs_are_left_out(tmp_path: Path) -> None:
    """TFLM would allocate them; the rest computes the same."""
    made = []
    for idle in (0, 2):
        graph = parse_tflite(delay_net(1, idle=idle), name="net")
        assert graph.is_part == bool(idle)
        assert fb.Model.GetRootAs(graph.source).SubgraphsLength() == 2
        path = tmp_path / f"{idle}.tflite"
        path.write_bytes(graph.source)
        feeds = dict(zip(graph.inputs, random_inputs(graph, 4, 0), strict=True))
        made.append(run_whole(graph, path, feeds, 60.0)[graph.outputs[0]])
    assert np.array_equal(*made)


@pytest.mark.parametrize("at", [0, 2, -1])
def test_one_that_is_not_there_is_refused(at: int) -> None:
    with pytest.raises(ModelError, match=f"op 0 CALL_ONCE runs subgraph {at} of 2"):
        parse_tflite(edited(at), name="net")


def test_one_that_calls_again_is_refused() -> None:
    model: Any = fb.ModelT.InitFromObj(fb.Model.GetRootAs(delay_net()))
    model.subgraphs[1].operators.append(model.subgraphs[0].operators[0])
    with pytest.raises(ModelError, match="has a CALL_ONCE of its own"):
        parse_tflite(packed(model), name="net")
