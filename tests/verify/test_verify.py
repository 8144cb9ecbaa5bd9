"""The proof sees planted faults and names the piece; inputs come as the model wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from builder import Builder
from limits import seconds
from models import add_chain
from piece_files import pieces_of

from splitopt.base.errors import ToolError
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.pieces.writer import write_piece
from splitopt.runtime.arrays import difference, random_inputs
from splitopt.runtime.model_builder import packed
from splitopt.verify.chains import PieceFile, boundary_tensors
from splitopt.verify.check import Check, CheckStatus
from splitopt.verify.equality import verify_pieces
from splitopt.verify.litert import litert_check

CHECKOUT = Path(__file__).resolve().parents[2]
MODEL = CHECKOUT / "configs" / "models" / "resnet8_digits_int8.tflite"
CUTS = (5, 11)
SHAPE = (1, 32, 32, 3)
PASSED, FAILED, WARNING, SKIPPED = CheckStatus


@pytest.fixture(scope="module")
def graph() -> ModelGraph:
    return read_tflite(MODEL)


@pytest.fixture
def pieces(graph: ModelGraph, tmp_path: Path) -> list[PieceFile]:
    return pieces_of(graph, tmp_path, CUTS)


def proof(
    graph: ModelGraph, pieces: Sequence[PieceFile], model: Path = MODEL, *, litert: bool = False
) -> dict[str, Check]:
    feeds = random_inputs(graph, 3, seed=0)
    checks = verify_pieces(graph, model, pieces, feeds, timeout_s=seconds(60))
    if litert:
        fed = dict(zip(graph.inputs, feeds, strict=True))
        checks = (*checks, litert_check(graph, model, fed, seconds(60)))
    return {check.name: check for check in checks}


def rewritten(path: Path, change: Callable[[Any], None]) -> None:
    """The file's object tree, changed and packed again."""
    model = fb.ModelT.InitFromObj(fb.Model.GetRootAs(path.read_bytes()))
    change(model)
    path.write_bytes(packed(model))


def test_sound_pieces_pass_every_check(graph: ModelGraph, pieces: list[PieceFile]) -> None:
    checks = proof(graph, pieces, litert=True)
    assert [check.status for check in checks.values()] == [PASSED] * 3
    assert {check.inputs for check in checks.values()} == {3}
    assert {check.worst_difference for check in checks.values()} == {0}
    boundary = boundary_tensors(pieces)
    assert checks["boundaries"].compared.startswith(f"{len(boundary) - 1} boundary tensors")


def test_one_piece_has_no_boundary_to_compare(graph: ModelGraph, tmp_path: Path) -> None:
    checks = proof(graph, pieces_of(graph, tmp_path, ()))
    assert checks["outputs"].status is PASSED
    boundaries = checks["boundaries"]
    assert (boundaries.status, boundaries.detail) == (SKIPPED, "one piece")
    assert boundaries.compared == "no boundary tensors"


def flip_a_weight(graph: ModelGraph, piece: PieceFile) -> None:
    """One byte of the largest constant, in its file; everything else stays as it is."""
    constants = [t for t in map(graph.tensors.__getitem__, piece.segment.tensors) if t.is_constant]
    weights = max(constants, key=lambda tensor: tensor.bytes)
    data = bytearray(piece.path.read_bytes())
    data[data.index(bytes(weights.data)) + weights.bytes // 2] ^= 0x80
    piece.path.write_bytes(data)


@pytest.mark.parametrize("at", [0, 1])
def test_one_changed_weight_names_the_first_piece_that_differs(
    at: int, graph: ModelGraph, pieces: list[PieceFile]
) -> None:
    flip_a_weight(graph, pieces[at])
    boundaries = proof(graph, pieces)["boundaries"]
    assert boundaries.status is FAILED
    assert boundaries.worst_difference >= 1
    tensor = next(t for t in pieces[at].segment.outputs if f" tensor {t} " in boundaries.detail)
    assert boundaries.detail == (
        f"piece {at} (0{at}.tflite) is the first to differ: "
        f"tensor {tensor} {graph.tensors[tensor].name!r}"
    )


def shift_output(model: Any) -> None:
    graph = model.subgraphs[0]
    quantization = graph.tensors[graph.outputs[0]].quantization
    quantization.zeroPoint = [int(quantization.zeroPoint[0]) + 1]


def test_a_changed_zero_point_is_seen(graph: ModelGraph, pieces: list[PieceFile]) -> None:
    rewritten(pieces[1].path, shift_output)
    checks = proof(graph, pieces)
    assert checks["boundaries"].status is FAILED
    assert checks["boundaries"].worst_difference == 1
    assert checks["boundaries"].detail.startswith("piece 1 (01.tflite)")


def test_a_fault_of_the_last_piece_alone_is_seen_at_the_outputs(
    graph: ModelGraph, pieces: list[PieceFile]
) -> None:
    """No boundary differs: only the outputs do, and the piece is named there."""

    def shift_weights(model: Any) -> None:
        tensors = model.subgraphs[0].tensors
        largest = max(
            (t for t in tensors if model.buffers[t.buffer].data is not None),
            key=lambda t: len(model.buffers[t.buffer].data),
        )
        data = np.array(model.buffers[largest.buffer].data, dtype=np.uint8)
        model.buffers[largest.buffer].data = data ^ 0x55

    rewritten(pieces[2].path, shift_weights)
    checks = proof(graph, pieces)
    assert checks["boundaries"].status is PASSED
    assert checks["outputs"].status is FAILED
    assert checks["outputs"].worst_difference >= 1
    output = graph.outputs[0]
    assert checks["outputs"].detail == (
        f"output tensor {output} {graph.tensors[output].name!r} differs, "
        "made by piece 2 (02.tflite)"
    )


def test_pieces_in_a_wrong_order_are_an_error(graph: ModelGraph, pieces: list[PieceFile]) -> None:
    first, second, third = pieces
    with pytest.raises(AssertionError, match="nothing makes"):
        proof(graph, [second, first, third])
    swapped = [PieceFile(second.path, first.segment), PieceFile(first.path, second.segment), third]
    with pytest.raises(ToolError, match=r"01\.tflite in TFLM.*(input|output)"):
        proof(graph, swapped)


def test_a_piece_that_is_no_model_is_an_error(graph: ModelGraph, pieces: list[PieceFile]) -> None:
    pieces[1].path.write_bytes(pieces[1].path.read_bytes()[:3000])
    with pytest.raises(ToolError, match=r"01\.tflite in TFLM"):
        proof(graph, pieces)


def floats(tmp_path: Path, *addends: Sequence[float]) -> tuple[ModelGraph, Path, list[PieceFile]]:
    model = tmp_path / "floats.tflite"
    model.write_bytes(add_chain(addends))
    graph = read_tflite(model)
    return graph, model, pieces_of(graph, tmp_path, range(1, len(graph.ops)))


def test_a_nan_that_only_the_pieces_make_is_infinitely_wrong(tmp_path: Path) -> None:
    graph, model, pieces = floats(tmp_path, [1, 2, 3, 4], [5, 6, 7, 8])
    assert proof(graph, pieces, model)["outputs"].status is PASSED
    nan = parse_tflite(add_chain([[1, 2, 3, 4], [5, 6, float("nan"), 8]]), name="nan")
    pieces[1].path.write_bytes(write_piece(nan, pieces[1].segment))
    checks = proof(graph, pieces, model)
    assert checks["boundaries"].status is PASSED
    assert checks["outputs"].status is FAILED
    assert checks["outputs"].worst_difference == np.inf


def test_floats_that_differ_in_the_last_bit_are_not_equal(tmp_path: Path) -> None:
    graph, model, pieces = floats(tmp_path, [1, 2, 3, 4], [5, 6, 7, 8])
    other = parse_tflite(add_chain([[np.nextafter(1, 2, dtype=np.float32), 2, 3, 4], [0] * 4]),
                         name="other")  # fmt: skip
    pieces[0].path.write_bytes(write_piece(other, pieces[0].segment))
    boundaries = proof(graph, pieces, model)["boundaries"]
    assert boundaries.status is FAILED
    assert 0 < boundaries.worst_difference < 1e-6


def test_nans_of_the_model_itself_are_equal_to_themselves(tmp_path: Path) -> None:
    graph, model, pieces = floats(tmp_path, [1, float("inf"), float("nan"), 4], [0, 0, 0, 0])
    checks = proof(graph, pieces, model, litert=True)
    assert [check.status for check in checks.values()] == [PASSED] * 3
    assert checks["outputs"].worst_difference == 0


@pytest.mark.parametrize(
    "type_name",
    ["BOOL", "INT16", "INT32", "INT64", "UINT8", "UINT32", "UINT64", "FLOAT16", "FLOAT64"],
)
def test_every_type_that_tflm_hands_on_is_proved(type_name: str, tmp_path: Path) -> None:
    """RESHAPE copies bytes of any type: inputs, a boundary and outputs are of it."""
    builder = Builder()
    tensors = [builder.typed([1, 8 >> k, 1 << k], type_name) for k in range(3)]
    for source, out in pairwise(tensors):
        shape = np.array(builder.graph.tensors[out].shape, "<i4").tobytes()
        builder.op("RESHAPE", [source, builder.typed([3], "INT32", data=shape)], [out])
    model = tmp_path / "model.tflite"
    model.write_bytes(builder.bytes([tensors[0]], [tensors[2]]))
    graph = read_tflite(model)
    checks = proof(graph, pieces_of(graph, tmp_path, [1]), model)
    assert (checks["outputs"].status, checks["boundaries"].status) == (PASSED, PASSED)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        ([], [], 0),
        ([1, 2], [1, 2], 0),
        ([-128], [127], 255),
        ([0, 5, 9], [1, 5, 2], 7),
        ([NAN, 1.5], [NAN, 1.0], 0.5),
        ([NAN], [0], INF),
        ([0], [NAN], INF),
        ([INF], [INF], 0),
        ([INF], [-INF], INF),
        ([INF], [1], INF),
        ([0.0], [-0.0], 0),
    ],
)
def test_difference(a: list[float], b: list[float], apart: float) -> None:
    whole = all(value == value and abs(value) < 200 and value % 1 == 0 for value in a + b)
    kind = np.int8 if whole else np.float32
    with np.errstate(all="raise", invalid="ignore"):
        assert difference(np.array(a, kind), np.array(b, kind)) == apart
