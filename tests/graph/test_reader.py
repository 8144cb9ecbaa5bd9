"""What a graph holds, against the generated bindings; and what is refused, beside test_graph.py."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from models import ELEMENT_TYPES, SOUND, Builder, chain, recurrent, relu_builder

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


@pytest.mark.parametrize("name", sorted(ELEMENT_TYPES.keys() - BITS.keys()))
def test_every_other_element_type_is_refused_by_name(name: str) -> None:
    """Strings, resources and variants, and whatever a later schema adds."""
    assert ELEMENT_TYPES[name] not in DTYPES
    with pytest.raises(ModelError, match=f"tensor 0: type {name}"):
        parse(relu_builder(name).bytes([0], [1]))


@pytest.mark.parametrize("name", ["INT4", "INT16", "FLOAT32"])
def test_a_scalar_has_one_element(name: str) -> None:
    tensor = parse(relu_builder(name, ()).bytes([0], [1])).tensors[0]
    assert (tensor.elements, tensor.bytes) == (1, -(-BITS[name] // 8))


def test_every_kind_of_tensor_is_told_apart() -> None:
    graph = parse(recurrent())
    kinds = {kind: [t.index for t in graph.tensors if t.kind is kind] for kind in TensorKind}
    assert kinds == {
        TensorKind.ACTIVATION: [0, 1, 3, 4, 6], TensorKind.VARIABLE: [2], TensorKind.CONSTANT: [5],
    }  # fmt: skip
    op = graph.ops[0]
    assert op.inputs == (1, ABSENT, 5, ABSENT, 2)
    assert op.given_inputs == (1, 5, 2)
    assert op.intermediates == (3,)
    assert op.touched == (1, 5, 2, 4, 3)
    assert op.options["cellClip"] == 1.5
    assert op.options["timeMajor"] is True


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
    source, left, right, out = (builder.tensor([2]) for _ in range(4))
    builder.op("SPLIT", [axis, source], [left, right])
    builder.op("ADD", [right, left], [out])
    assert list(parse(builder.bytes([source], [out])).dag.edges(data="tensors")) == [
        (0, 1, (right, left))
    ]


def _edited(edit: Callable[[Builder], object]) -> Callable[[], bytes]:
    """The bytes of a RELU between tensors 0 and 1 after one edit."""

    def make() -> bytes:
        builder = relu_builder()
        edit(builder)
        return builder.bytes([0], [1])

    return make


def _with(where: Callable[[Builder], Any], name: str, value: object) -> Callable[[], bytes]:
    return _edited(lambda builder: setattr(where(builder), name, value))


def _tensor(builder: Builder) -> Any:
    return builder.graph.tensors[0]


def _op(builder: Builder) -> Any:
    return builder.last_op


def _code(builder: Builder) -> Any:
    return builder.model.operatorCodes[0]


def _details(kind: str) -> Callable[[Builder], None]:
    def edit(builder: Builder) -> None:
        quantization = fb.QuantizationParametersT()
        quantization.detailsType = getattr(fb.QuantizationDetails, kind)
        quantization.details = getattr(fb, f"{kind}T")()
        builder.graph.tensors[0].quantization = quantization

    return edit


def _offline(words: list[int]) -> Callable[[], bytes]:
    content = np.asarray(words, "<i4").tobytes()
    return _edited(lambda builder: builder.metadata("OfflineMemoryAllocation", content))


def _variant(builder: Builder) -> None:
    _tensor(builder).variantTensors = [fb.VariantSubTypeT()]


def _outside(builder: Builder) -> None:
    builder.model.buffers.append(fb.BufferT())
    builder.model.buffers[-1].offset = 4096
    _tensor(builder).buffer = 1


def _empty_before_it_is_made() -> bytes:
    """Tensors of no elements in a ring: nothing to compute, but no order to do it in."""
    builder = Builder()
    source, one, other, out = (builder.tensor([extent]) for extent in (1, 0, 0, 1))
    builder.op("SUM", [source, one], [other])
    builder.op("SUM", [source, other], [one])
    builder.op("SUM", [source, one], [out])
    return builder.bytes([source], [out])


def _writes(**fields: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        builder = Builder()
        source = builder.tensor([4])
        target = builder.tensor([4], **fields)
        builder.relu(source, target)
        return builder.bytes([source], [target])

    return make


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "version": (_with(lambda b: b.model, "version", 2), "schema version 2, want 3"),
    "no subgraph": (_with(lambda b: b.model, "subgraphs", []), "0 subgraphs, want exactly one"),
    "operator index": (_with(_op, "opcodeIndex", 7), "op 0: operator code 7 of 1"),
    "unknown op": (_with(_code, "builtinCode", 100_000), "operator code 100000 is unknown"),
    "input below -1": (_with(_op, "inputs", [-2]), "op 0: inputs: tensor -2 of 2"),
    "input index": (_with(_op, "inputs", [2]), "op 0: inputs: tensor 2 of 2"),
    "huge index": (_with(_op, "inputs", [2**31 - 1]), "op 0: inputs: tensor 2147483647 of 2"),
    "output index": (_with(_op, "outputs", [2]), "op 0: outputs: tensor 2 of 2"),
    "intermediate": (_with(_op, "intermediates", [9]), "op 0: intermediates: tensor 9 of 2"),
    "no op output": (_with(_op, "outputs", []), "op 0 RELU has no output"),
    "model input": (lambda: relu_builder().bytes([2], [1]), "model's inputs: tensor 2 of 2"),
    "absent model input": (lambda: relu_builder().bytes([-1], [1]), "inputs: tensor -1 of 2"),
    "absent model output": (lambda: relu_builder().bytes([0], [-1]), "outputs: tensor -1 of 2"),
    "buffer index": (_with(_tensor, "buffer", 4), "tensor 0: buffer 4 of 1"),
    "rank": (_with(_tensor, "shape", [1] * 9), r"tensor 0: shape \[1, 1"),
    "unknown extent": (_with(_tensor, "shape", [-1, 4]), r"tensor 0: shape \[-1, 4\]"),
    "over 1 GiB of int64": (
        lambda: relu_builder("INT64", (2**28,)).bytes([0], [1]),
        "tensor 0: shape .* holds more than 1,073,741,824 bytes",
    ),
    "largest extents": (_with(_tensor, "shape", [2**31 - 1] * 8), "holds more than"),
    "unknown type": (_with(_tensor, "type", 99), "tensor 0: type 99"),
    "variant": (_edited(_variant), "tensor 0: sparse or variant"),
    "external": (_with(_tensor, "externalBuffer", 1), "tensor 0: .* outside the flatbuffer"),
    "buffer outside": (_edited(_outside), "outside the flatbuffer"),
    "options outside": (_with(_op, "largeCustomOptionsOffset", 99), "op 0: its options stand out"),
    "blockwise": (_edited(_details("BlockwiseQuantization")), "tensor 0: block-wise"),
    "multi-axis": (_edited(_details("MultiAxisQuantization")), "tensor 0: block-wise and multi"),
    "short plan": (_offline([1, 0, 2, 0]), "OfflineMemoryAllocation .* hold 2 offsets"),
    "negative place": (_offline([1, 0, 2, 0, -5]), "OfflineMemoryAllocation .* below -1"),
    "writes a constant": (_writes(data=bytes(4)), "op 0 RELU writes tensor 1"),
    "writes a variable": (_writes(variable=True), "op 0 RELU writes tensor 1"),
    "ring of empties": (_empty_before_it_is_made, "op 0 SUM reads tensor 1 before any op has"),
    "other mark": (lambda: chain()[:4] + b"TFL2" + chain()[8:], "TFL3 is missing"),
    "root outside": (lambda: b"\xff\xff\xff\xff" + chain()[4:], "not a whole .tflite file"),
}  # fmt: skip
CONTROL_FLOW = ("IF", "WHILE", "CALL", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_CASE")


def refusal(data: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        parse_tflite(data, name="m", where="x.tflite")
    said = str(caught.value)
    assert said.startswith("x.tflite: ")
    assert "\n" not in said
    assert len(said) < 300
    return said


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_named_in_one_sentence(name: str) -> None:
    make, says = REFUSED[name]
    data = make()
    with pytest.raises(ModelError, match=says):
        parse(data)
    refusal(data)


@pytest.mark.parametrize("name", CONTROL_FLOW)
def test_control_flow_is_refused_by_name(name: str) -> None:
    builder = Builder()
    builder.op(name, [builder.tensor([1])], [builder.tensor([1])])
    assert f"control flow ({name})" in refusal(builder.bytes([0], [1]))


def test_a_field_outside_its_table_is_refused() -> None:
    """Inside the file still, so that a reader without a verifier takes it for a value."""
    data = bytearray(chain())
    (root,) = struct.unpack_from("<I", data, 0)
    vtable = root - struct.unpack_from("<i", data, root)[0]
    table_bytes = struct.unpack_from("<H", data, vtable + 2)[0]
    struct.pack_into("<H", data, vtable + 4, table_bytes)
    assert "a field outside itself" in refusal(bytes(data))


def test_an_empty_constant_is_read_though_no_op_makes_it() -> None:
    graph = parse(SOUND["empty_constant"]())
    assert graph.ops[0].inputs == (0, 3)
    assert graph.tensors[3].bytes == 0
    assert list(graph.dag.edges(data="tensors")) == [(0, 1, (1,))]


@pytest.mark.parametrize("name", SOUND)
def test_every_truncation_of_a_handmade_model_is_refused_or_read(name: str) -> None:
    """Some files end in what is of no concern, such as the last metadata's name."""
    whole = SOUND[name]()
    for length in range(len(whole) - 64):
        refusal(whole[:length])
    for length in range(len(whole) - 64, len(whole)):
        try:
            parse(whole[:length])
        except ModelError as error:
            assert "not a whole .tflite file" in str(error)  # noqa: PT017


@pytest.mark.parametrize("path", REAL_MODELS[:4], ids=lambda path: path.stem)
def test_truncations_of_real_models_are_refused(path: Path) -> None:
    whole = path.read_bytes()
    ends = {0, 1, 4, 7, 8, 64, len(whole) // 2, len(whole) - 4096}
    for length in ends | set(random.Random(0).sample(range(len(whole) - 64), 60)):
        refusal(whole[:length])


def test_a_file_is_read_under_its_stem_and_named_in_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(chain())
    assert read_tflite(path).name == "tiny"
    path.write_bytes(chain()[:100])
    with pytest.raises(ModelError, match=str(path)):
        read_tflite(path)


def test_an_oversized_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tflite"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match="at most"):
        read_tflite(path)


def test_a_pipe_or_device_is_refused_unopened(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to waits for ever."""
    os.mkfifo(tmp_path / "pipe.tflite")
    for path in (tmp_path / "pipe.tflite", Path("/dev/zero"), tmp_path):
        with pytest.raises(ModelError, match=f"^{path}: not a file; want a .tflite model"):
            read_tflite(path)


def scaled(type_name: str, scale: float, data: bytes | None = None) -> bytes:
    """A RELU of a tensor with this scale, or beside a constant with it."""
    builder = relu_builder()
    tensor = builder.tensor([4], data=data)
    builder.graph.tensors[tensor].type = ELEMENT_TYPES[type_name]
    builder.graph.tensors[tensor].name = "odd"
    builder.graph.tensors[tensor].quantization.scale = [scale]
    if data is None:
        builder.relu(1, tensor)
    return builder.bytes([0], [1] if data is not None else [tensor])


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, -0.5])
@pytest.mark.parametrize("type_name", ["INT8", "UINT8", "INT16", "INT32"])
def test_a_scale_that_means_nothing_is_refused(type_name: str, scale: float) -> None:
    says = f"tensor 2 'odd' has the scale {scale:g}; want a finite number above 0"
    assert refusal(scaled(type_name, scale)) == f"x.tflite: {says}"
    parse(scaled("FLOAT32", scale))
    parse(scaled("INT8", scale, data=bytes(4)))
    parse(scaled(type_name, 0.5))


def test_a_chain_is_a_path() -> None:
    graph = parse(chain(6))
    assert list(graph.dag.edges) == list(pairwise(range(6)))
    assert {op.type for op in graph.ops} == {"RELU"}
