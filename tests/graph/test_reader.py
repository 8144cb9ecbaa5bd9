"""What a graph holds, against the generated bindings; and what is refused, beside test_graph.py."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import ELEMENT_TYPES, Builder, relu_builder
from models import SOUND, chain, recurrent

from splitopt.base.errors import ModelError
from splitopt.graph.model import ABSENT, ModelGraph, TensorKind
from splitopt.graph.schema import DTYPES
from splitopt.graph.tflite_reader import parse_tflite, read_tflite

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_MODELS = REPOSITORY.parent / "shared" / "models"
REAL_MODELS = [
    *sorted((REPOSITORY / "configs" / "models").glob("*.tflite")),
    *sorted(SHARED_MODELS.glob("*.tflite")),
]
# Widths: tensorflow/lite/micro/memory_helpers.cc, TfLiteTypeSizeOf; below a byte from schema.fbs.
BITS = {
    "INT2": 2, "INT4": 4, "UINT4": 4, "BOOL": 8, "INT8": 8, "UINT8": 8,
    "INT16": 16, "UINT16": 16, "FLOAT16": 16, "BFLOAT16": 16,
    "INT32": 32, "UINT32": 32, "FLOAT32": 32, "INT64": 64, "UINT64": 64, "FLOAT64": 64,
    "COMPLEX64": 64, "COMPLEX128": 128,
}  # fmt: skip


def parse(data: bytes) -> ModelGraph:
    return parse_tflite(data, name="m")


@pytest.mark.parametrize("name", BITS)
def test_every_element_type_has_its_width(name: str) -> None:
    graph = parse(relu_builder(name, (3, 5)).bytes([0], [1]))
    assert graph.tensors[0].dtype.name == name
    assert graph.tensors[0].elements == 15
    assert graph.tensors[0].bytes == -(-15 * BITS[name] // 8)


@pytest.mark.parametrize("name", sorted(ELEMENT_TYPES.keys() - BITS.keys() - {"RESOURCE"}))
def test_every_other_element_type_is_refused_by_name(name: str) -> None:
    """Strings and variants, and whatever a later schema adds."""
    assert ELEMENT_TYPES[name] not in DTYPES
    with pytest.raises(ModelError, match=f"tensor 0: type {name}"):
        parse(relu_builder(name).bytes([0], [1]))


def test_handles_are_for_resource_ops_only() -> None:
    with pytest.raises(ModelError, match="op 0 RELU reads tensor 0 before any op has made it"):
        parse(relu_builder("RESOURCE").bytes([0], [1]))


@pytest.mark.parametrize("name", ["INT4", "INT16", "FLOAT32"])
def test_a_scalar_has_one_element(name: str) -> None:
    tensor = parse(relu_builder(name, ()).bytes([0], [1])).tensors[0]
    assert (tensor.elements, tensor.bytes) == (1, -(-BITS[name] // 8))


def test_every_kind_of_tensor_is_told_apart() -> None:
    graph = parse(recurrent())
    kinds = {kind: [t.index for t in graph.tensors if t.kind is kind] for kind in TensorKind}
    assert kinds == {
        TensorKind.ACTIVATION: [0, 1, 3, 4, 7], TensorKind.VARIABLE: [2],
        TensorKind.CONSTANT: [5, 6], TensorKind.HANDLE: [],
    }  # fmt: skip
    op = graph.ops[0]
    assert op.inputs == (1, 5, 6, ABSENT, 2)
    assert op.given_inputs == (1, 5, 6, 2)
    assert op.intermediates == (3,)
    assert op.touched == (1, 5, 6, 2, 4, 3)
    assert op.options["rank"] == 1
    assert op.options["asymmetricQuantizeInputs"] is True


def test_quantisation_is_that_of_the_file() -> None:
    graph = parse(SOUND["quantized_in_every_way"]())
    weights = graph.tensors[3].quantization
    assert weights is not None
    assert (weights.scales, weights.zero_points, weights.dimension) == (
        (0.5, 1.5, 2.5),
        (3,) * 3,
        1,
    )
    assert parse(chain()).tensors[0].quantization is None


def test_vectors_in_options_are_tuples() -> None:
    ops = parse(SOUND["vector_options"]()).ops
    assert ops[0].options == {"newShape": (1, 4)}
    assert ops[1].options == {"squeezeDims": (0, -1)}
    assert ops[2].options["edgePaddingHigh"] == (-3, 1 << 40)


def test_places_of_an_offline_plan() -> None:
    assert parse(SOUND["offline_plan"]()).offline_offsets == {0: 0, 2: 32}
    assert parse(chain()).offline_offsets == {}


def check_against_bindings(data: bytes) -> None:
    """Tensors, ops and the DAG as the generated bindings show them, edges pair by pair."""
    graph = parse(data)
    model = fb.ModelT.InitFromPackedBuf(data)
    raw = model.subgraphs[0]
    for tensor, mine in zip(raw.tensors, graph.tensors, strict=True):
        content = model.buffers[tensor.buffer].data
        held = content is not None and len(content) > 0
        assert mine.is_constant == held
        assert mine.is_variable == (bool(tensor.isVariable) and not held)
        assert mine.shape == tuple(_ints(tensor.shape))
        assert DTYPES[tensor.type] == mine.dtype
        assert bytes(mine.data) == (content.tobytes() if held else b"")
        assert mine.name == (tensor.name or b"").decode("utf-8", "replace")
    for op, mine_op in zip(raw.operators, graph.ops, strict=True):
        assert (list(mine_op.inputs), list(mine_op.outputs)) == (
            _ints(op.inputs),
            _ints(op.outputs),
        )
    assert (list(graph.inputs), list(graph.outputs)) == (_ints(raw.inputs), _ints(raw.outputs))
    check_dag(graph.dag, [(_ints(op.inputs), _ints(op.outputs)) for op in raw.operators])


def check_dag(dag: nx.DiGraph, ops: list[tuple[list[int], list[int]]]) -> None:
    want = {
        (maker, reader): set(made) & set(read)
        for maker, (_, made) in enumerate(ops)
        for reader, (read, _) in enumerate(ops)
        if set(made) & set(read)
    }
    got = {(maker, reader): tensors for maker, reader, tensors in dag.edges(data="tensors")}
    assert {edge: set(tensors) for edge, tensors in got.items()} == want
    assert all(len(set(tensors)) == len(tensors) for tensors in got.values())
    assert list(dag) == list(range(len(ops)))
    assert nx.is_directed_acyclic_graph(dag)
    assert all(maker < reader for maker, reader in dag.edges)


def _ints(vector: Any) -> list[int]:
    return [] if vector is None else [int(value) for value in vector]


@pytest.mark.parametrize("name", SOUND)
def test_a_handmade_model_is_read_as_the_bindings_read_it(name: str) -> None:
    check_against_bindings(SOUND[name]())


@pytest.mark.parametrize("path", REAL_MODELS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_real_model_is_read_as_the_bindings_read_it(path: Path) -> None:
    check_against_bindings(path.read_bytes())


def test_two_tensors_between_two_ops_are_one_edge() -> None:
    builder = Builder()
    axis = builder.typed([], "INT32", data=bytes(4))
    source = builder.tensor([4])
    left, right, out = (builder.tensor([2]) for _ in range(3))
    builder.op("SPLIT", [axis, source], [left, right])
    builder.op("ADD", [right, left], [out])
    assert list(parse(builder.bytes([source], [out])).dag.edges(data="tensors")) == [
        (0, 1, (right, left))
    ]


def test_an_empty_constant_is_read_though_no_op_makes_it() -> None:
    graph = parse(SOUND["empty_constant"]())
    assert graph.ops[0].inputs == (0, 3)
    assert graph.tensors[3].bytes == 0
    assert list(graph.dag.edges(data="tensors")) == [(0, 1, (1,))]


def test_a_file_is_read_under_its_stem_and_named_in_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(chain())
    assert read_tflite(path).name == "tiny"
    path.write_bytes(chain()[:100])
    with pytest.raises(ModelError, match=str(path)):
        read_tflite(path)


def test_a_chain_is_a_path() -> None:
    graph = parse(chain(6))
    assert list(graph.dag.edges) == list(pairwise(range(6)))
    assert {op.type for op in graph.ops} == {"RELU"}
