"""Files that the reader refuses, each in one sentence that names what is wrong."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import ELEMENT_TYPES, Builder, relu_builder
from models import SOUND, chain

from splitopt.base.errors import ModelError
from splitopt.graph.tflite_reader import parse_tflite, read_tflite

MODELS = sorted((Path(__file__).resolve().parents[2] / "configs" / "models").glob("*.tflite"))


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
    "no subgraph": (_with(lambda b: b.model, "subgraphs", []), "the model has no subgraph"),
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
        "tensor 0: shape .* holds more than 268,435,456 bytes",
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
CONTROL_FLOW = ("IF", "WHILE", "CALL", "STABLEHLO_WHILE", "STABLEHLO_CASE")


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
        parse_tflite(data, name="m")
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


def test_an_oversized_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tflite"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match="larger than"):
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
    parse_tflite(scaled("FLOAT32", scale), name="m")
    parse_tflite(scaled("INT8", scale, data=bytes(4)), name="m")
    parse_tflite(scaled(type_name, 0.5), name="m")


@pytest.mark.parametrize("name", SOUND)
def test_every_truncation_of_a_handmade_model_is_refused_or_read(name: str) -> None:
    """Some files end in what is of no concern, such as the last metadata's name."""
    whole = SOUND[name]()
    for length in range(len(whole) - 64):
        refusal(whole[:length])
    for length in range(len(whole) - 64, len(whole)):
        try:
            parse_tflite(whole[:length], name="m")
        except ModelError as error:
            assert "not a whole .tflite file" in str(error)  # noqa: PT017


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_truncations_of_real_models_are_refused(path: Path) -> None:
    whole = path.read_bytes()
    ends = {0, 1, 4, 7, 8, 64, len(whole) // 2, len(whole) - 4096}
    for length in ends | set(random.Random(0).sample(range(len(whole) - 64), 60)):
        refusal(whole[:length])


def test_what_vela_made_is_named() -> None:
    builder = relu_builder()
    builder.op("CUSTOM", [1], [builder.typed([1, 4], "INT8")], custom=("ethos-u", b"\x01"))
    said = refusal(builder.bytes([0], [2]))
    assert "compiled for the Ethos-U by Vela (op 1 CUSTOM:ethos-u)" in said
