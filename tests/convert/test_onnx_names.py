"""Any name of a tensor or node will do: converters see plain ones, people their own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import need_onnx_extra
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import examples

from splitopt.convert.onnx_names import LONGEST, plain_nodes, plain_tensors, unique_names
from splitopt.convert.source_worker import clean

TENSORFLOW_TAKES = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")  # Operation names, ops.py


@pytest.fixture(scope="module")
def onnx() -> Any:
    need_onnx_extra()
    return pytest.importorskip("onnx", reason="ONNX input needs the onnx extra")


def chain(onnx: Any, tensors: list[str], nodes: list[str]) -> Any:
    """tensors[0] → Relu, Sigmoid, Relu, … → tensors[-1]."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    made = [
        helper.make_node("Sigmoid" if at % 2 else "Relu", [tensors[at]], [tensors[at + 1]], name=n)
        for at, n in enumerate(nodes)
    ]
    ends = [helper.make_tensor_value_info(name, kind, [1, 3, 2, 2]) for name in tensors]
    graph = helper.make_graph(made, "g", [ends[0]], [ends[-1]])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


ODD = ["", "same", "same", "_lead", "/a b:0", "größe→ü", "n" * 400, "N" * 400, "/features/0/Conv"]


def test_odd_names_convert_and_are_told_as_they_were(onnx: Any, tmp_path: Path) -> None:
    tensors = ["input.1", "a/b:0", "a b_0", "_x", "X", "x", "ü", "onnx::Conv_1", "q" * 300, "out@"]
    model = chain(onnx, tensors, ODD)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    described, data = clean(path, {})
    cleaned = onnx.load_from_string(data).graph
    seen = [node.name for node in cleaned.node]
    made = [name for node in cleaned.node for name in node.output]
    assert len({name.lower() for name in seen}) == len(ODD)
    assert len({name.lower() for name in made}) == len(ODD)
    assert all(re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) for name in made)
    assert all(TENSORFLOW_TAKES.fullmatch(name.removeprefix("/")) for name in seen)
    assert [described["renamed"].get(name, name) for name in made] == tensors[1:]
    told = [described["renamed_nodes"].get(name, name) for name in seen]
    assert told == ["Relu:a/b:0", "same", "Relu:_x", *ODD[3:]]
    assert [node["name"] for node in described["nodes"]] == told
    assert "/features/0/Conv" in seen, "names that work are left alone"


@settings(examples(60), deadline=None)
@given(st.lists(st.text(max_size=6), min_size=2, max_size=6, unique=True), st.data())
def test_any_names_become_distinct_plain_ones(names: list[str], data: st.DataObject) -> None:
    need_onnx_extra()
    onnx = pytest.importorskip("onnx")
    tensors = [name or "empty" for name in names]
    if len({*tensors}) < len(tensors):
        return
    nodes = data.draw(
        st.lists(st.text(max_size=4), min_size=len(tensors) - 1, max_size=len(tensors) - 1)
    )
    graph = chain(onnx, tensors, nodes).graph
    told = unique_names(graph)
    assert len({*told}) == len(nodes)
    back_nodes, back = plain_nodes(graph), plain_tensors(graph)
    seen = [graph.node[0].input[0], *(node.output[0] for node in graph.node)]
    assert [back.get(name, name) for name in seen] == tensors
    assert [back_nodes.get(node.name, node.name) for node in graph.node] == told
    for kind in (seen, [node.name for node in graph.node]):
        assert len({name.lower() for name in kind}) == len(kind)
        assert all(len(name) <= LONGEST + 8 for name in kind)
        assert np.all([TENSORFLOW_TAKES.fullmatch(name.removeprefix("/")) for name in kind])
