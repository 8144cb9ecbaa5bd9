"""Reading .tflite files: what a graph holds, and how broken files are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder
from models import branches, dense, diamond, with_custom_op, with_variable

from splitopt.base.errors import ModelError
from splitopt.graph.liveness import UNTOUCHED, LiveRange, live_ranges
from splitopt.graph.model import ABSENT, ModelGraph, TensorKind
from splitopt.graph.segments import boundary_candidates, segment_of, whole_model
from splitopt.graph.tflite_reader import parse_tflite, read_tflite

FindModel = Callable[[str], Path]
ONE_SENTENCE = 300


def parse(data: bytes) -> ModelGraph:
    return parse_tflite(data, name="m")


def test_the_dag_has_ops_as_nodes_and_tensors_on_its_edges() -> None:
    graph = parse(diamond())
    assert isinstance(graph.dag, nx.DiGraph)
    assert dict(graph.dag.nodes(data="type")) == {0: "RELU", 1: "RELU", 2: "RELU6", 3: "ADD"}
    assert sorted(graph.dag.edges(data="tensors")) == [
        (0, 1, (1,)), (0, 2, (1,)), (1, 3, (2,)), (2, 3, (3,)),
    ]  # fmt: skip


def test_file_order_is_a_topological_order_of_every_shared_model(shared_model: FindModel) -> None:
    for name in ("person_detect_int8", "mbv2_digits_int8", "squeeze_digits_int8"):
        graph = read_tflite(shared_model(name))
        assert nx.is_directed_acyclic_graph(graph.dag)
        assert all(maker < reader for maker, reader in graph.dag.edges)
        assert graph.dag.number_of_nodes() == len(graph.ops)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float32", "int32", "int64", "bool"])
def test_element_types_and_their_sizes(dtype: str) -> None:
    graph = parse(diamond(dtype))
    bits = {"int8": 8, "uint8": 8, "int16": 16, "float32": 32, "int32": 32, "int64": 64, "bool": 8}
    assert graph.tensors[0].dtype.name == dtype.upper()
    assert graph.tensors[0].bytes == 4 * bits[dtype] // 8


def test_constants_activations_variables_and_absent_inputs_are_told_apart() -> None:
    graph = parse(dense())
    kinds = [tensor.kind for tensor in graph.tensors]
    assert kinds == [
        TensorKind.ACTIVATION, TensorKind.CONSTANT, TensorKind.CONSTANT, TensorKind.ACTIVATION,
    ]  # fmt: skip
    assert bytes(graph.tensors[1].data) == bytes(range(12))
    without = parse(dense(bias=False))
    assert without.ops[0].inputs == (0, 1, ABSENT)
    assert without.ops[0].given_inputs == (0, 1)
    assert [t.index for t in parse(with_variable()).variables] == [2]


def test_custom_ops_are_named_by_their_code() -> None:
    assert parse(with_custom_op()).ops[1].type == "CUSTOM:MyOp"


def test_live_ranges_in_planner_steps() -> None:
    """Outputs live to the end, inputs from before the first op, the untouched at no time."""
    graph = parse(branches())
    assert live_ranges(graph, whole_model(graph)) == {
        0: LiveRange(0, 4), 1: LiveRange(0, 3), 2: LiveRange(1, 4), 3: LiveRange(2, 4),
        4: LiveRange(3, 4), 5: UNTOUCHED,
    }  # fmt: skip


def test_segments_read_and_make_what_crosses_their_ends() -> None:
    graph = parse(branches())
    first, rest = segment_of(graph, 0, 1), segment_of(graph, 1, 3)
    assert (first.inputs, first.outputs, first.tensors) == ((0,), (2,), (0, 2))
    assert (rest.inputs, rest.outputs, rest.tensors) == ((1, 0, 2), (4,), (0, 1, 2, 3, 4))
    whole = segment_of(graph, 0, 3)
    assert (whole.inputs, whole.outputs) == ((1, 0), (4, 2))
    assert 5 not in whole.tensors
    candidates = {c.tensor: (c.maker, c.readers) for c in boundary_candidates(graph)}
    assert candidates == {
        0: (None, (0, 2)),
        1: (None, (1,)),
        2: (0, (1,)),
        3: (1, (2,)),
        4: (2, ()),
    }


def test_boundary_tensors_by_brute_force(shared_model: FindModel) -> None:
    graph = read_tflite(shared_model("squeeze_digits_int8"))
    for start in range(0, len(graph.ops), 4):
        for stop in range(start + 1, len(graph.ops) + 1, 3):
            segment = segment_of(graph, start, stop)
            inside, after = graph.ops[start:stop], graph.ops[stop:]
            made = {t for op in inside for t in op.outputs}
            read_inside = {t for op in inside for t in op.inputs}
            read_after = {t for op in after for t in op.inputs} | set(graph.outputs)
            activations = {t.index for t in graph.tensors if t.is_activation}
            assert set(segment.inputs) == (read_inside - made) & activations
            assert set(segment.outputs) == made & read_after


def _one_op(
    name: str = "RELU",
    shape: tuple[int, ...] = (1, 4),
    dtype: str = "int8",
    inputs: tuple[int, ...] = (0,),
    outputs: tuple[int, ...] = (1,),
    model_outputs: tuple[int, ...] = (1,),
    model_inputs: tuple[int, ...] = (0,),
    data: bytes | None = None,
) -> bytes:
    maker = Builder()
    maker.tensor(shape, dtype)
    maker.tensor(shape, dtype)
    maker.tensor(shape, dtype, data=data)
    maker.op(name, inputs, outputs)
    return maker.bytes(model_inputs, model_outputs)


def _backwards() -> bytes:
    maker = Builder()
    a, b, c = (maker.tensor([1]) for _ in range(3))
    maker.op("RELU", [b], [c])
    maker.op("RELU", [a], [b])
    return maker.bytes([a], [c])


def _made_twice() -> bytes:
    maker = Builder()
    a, b = maker.tensor([1]), maker.tensor([1])
    maker.op("RELU", [a], [b])
    maker.op("RELU", [a], [b])
    return maker.bytes([a], [b])


def _sparse() -> bytes:
    maker = Builder()
    a, b = maker.tensor([1]), maker.tensor([1])
    maker.graph.tensors[a].sparsity = fb.SparsityParametersT()
    maker.op("RELU", [a], [b])
    return maker.bytes([a], [b])


def _no_ops() -> bytes:
    maker = Builder()
    maker.tensor([1])
    return maker.bytes([0], [0])


BROKEN = {
    "control flow": (lambda: _one_op("IF"), r"control flow \(IF\)"),
    "no ops": (_no_ops, "no ops"),
    "no outputs": (lambda: _one_op(model_outputs=()), "no outputs"),
    "no inputs": (lambda: _one_op(model_inputs=()), "no inputs"),
    "tensor index": (lambda: _one_op(inputs=(99,)), "op 0: inputs: tensor 99 of 3"),
    "absent output": (lambda: _one_op(outputs=(-1,)), "op 0: outputs: tensor -1 of 3"),
    "output index": (lambda: _one_op(model_outputs=(7,)), "outputs: tensor 7 of 3"),
    "negative shape": (lambda: _one_op(shape=(1, -1)), r"shape \[1, -1\]"),
    "huge shape": (lambda: _one_op(shape=(2**30, 2**30, 16)), "holds more than"),
    "strings": (lambda: _one_op(dtype="string"), "STRING has no fixed size"),
    "short data": (lambda: _one_op(inputs=(0, 2), data=b"ab"), "2 bytes of data"),
    "order": (_backwards, "op 0 RELU reads tensor 1 before any op has made it"),
    "made twice": (_made_twice, "op 1 RELU writes tensor 1"),
    "writes its input": (lambda: _one_op(outputs=(0,), model_outputs=(0,)), "writes tensor 0"),
    "nothing makes it": (lambda: _one_op(model_outputs=(2,)), "output tensor 2 is made by no op"),
    "output twice": (lambda: _one_op(model_outputs=(1, 1)), "names one output twice"),
    "input twice": (lambda: _one_op(model_inputs=(0, 0)), "names one input twice"),
    "sparse": (_sparse, "sparse"),
    "not a model": (lambda: b"PK\x03\x04" + bytes(64), "TFL3 is missing"),
    "empty": (lambda: b"", "holds 0 bytes"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_refused_in_one_sentence(name: str) -> None:
    make, says = BROKEN[name]
    with pytest.raises(ModelError, match=says) as caught:
        parse_tflite(make(), name="m", where="x.tflite")
    assert str(caught.value).startswith("x.tflite: ")
    assert len(str(caught.value)) < ONE_SENTENCE
    assert "\n" not in str(caught.value)


def test_every_truncation_is_refused_or_read() -> None:
    whole = diamond()
    for length in range(len(whole)):
        with pytest.raises(ModelError):
            parse(whole[:length])


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.tflite"):
        with pytest.raises(ModelError, match=str(path)):
            read_tflite(path)
