"""The proof sees planted faults and names the piece; inputs come as the model wants them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import yaml
from ai_edge_litert import schema_py_generated as fb
from numpy.lib import format as npy

from splitopt import api
from splitopt.errors import ModelError, ToolError, UsageError
from splitopt.graph.model import ModelGraph
from splitopt.graph.segments import segment_of
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.job import read_job
from splitopt.pieces import inputs, verify
from splitopt.pieces.inputs import Array, given_inputs, random_inputs
from splitopt.pieces.verify import Check, CheckStatus, PieceFile, difference, verify_pieces
from splitopt.pieces.writer import write_piece
from splitopt.target.host import LitertRun, run_litert

CHECKOUT = Path(__file__).resolve().parents[1]
MODEL = CHECKOUT / "configs" / "models" / "resnet8_digits_int8.tflite"
CUTS = (5, 11)
SHAPE = (1, 32, 32, 3)
PASSED, FAILED, SKIPPED = CheckStatus


@pytest.fixture(scope="module")
def graph() -> ModelGraph:
    return read_tflite(MODEL)


def pieces_of(graph: ModelGraph, folder: Path, cuts: Sequence[int] = CUTS) -> list[PieceFile]:
    found = []
    for index, (start, stop) in enumerate(pairwise([0, *cuts, len(graph.ops)])):
        segment = segment_of(graph, start, stop)
        path = folder / f"{index:02d}.tflite"
        path.write_bytes(write_piece(graph, segment))
        found.append(PieceFile(path, segment))
    return found


@pytest.fixture
def pieces(graph: ModelGraph, tmp_path: Path) -> list[PieceFile]:
    return pieces_of(graph, tmp_path)


def proof(
    graph: ModelGraph, pieces: Sequence[PieceFile], model: Path = MODEL, *, litert: bool = False
) -> dict[str, Check]:
    feeds = random_inputs(graph, 3, seed=0)
    checks = verify_pieces(graph, model, pieces, feeds, timeout_s=60, litert=litert)
    return {check.name: check for check in checks}


def rewritten(path: Path, change: Callable[[Any], None]) -> None:
    """The file's object tree, changed and packed again."""
    model = fb.ModelT.InitFromObj(fb.Model.GetRootAs(path.read_bytes()))
    change(model)
    path.write_bytes(packed(model))


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_sound_pieces_pass_every_check(graph: ModelGraph, pieces: list[PieceFile]) -> None:
    checks = proof(graph, pieces, litert=True)
    assert [check.status for check in checks.values()] == [PASSED] * 3
    assert {check.inputs for check in checks.values()} == {3}
    assert {check.worst_difference for check in checks.values()} == {0}
    boundary = verify.boundary_tensors(pieces, graph.outputs)
    assert checks["boundaries"].compared.startswith(f"{len(boundary) - 1} boundary tensors")


def test_one_piece_has_no_boundary_to_compare(graph: ModelGraph, tmp_path: Path) -> None:
    checks = proof(graph, pieces_of(graph, tmp_path, ()))
    assert checks["outputs"].status is PASSED
    assert (checks["boundaries"].status, checks["boundaries"].detail) == (
        SKIPPED,
        "one piece: no boundary",
    )
    assert (checks["litert"].status, checks["litert"].detail) == (SKIPPED, "switched off")


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


def off_by(step: int, tensors: Sequence[int]) -> Callable[..., LitertRun]:
    def run(*args: Any, **kwargs: Any) -> LitertRun:
        real = run_litert(*args, **kwargs)
        for tensor in tensors:
            made = real.arrays[f"t{tensor}"]
            made[(0,) * made.ndim] += step if made[(0,) * made.ndim] < 100 else -step
        return real

    return run


def test_litert_may_differ_by_one_lsb_per_fully_connected_alone(
    graph: ModelGraph, pieces: list[PieceFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    output, boundary = graph.outputs[0], pieces[0].segment.outputs[0]
    depth = verify.fully_connected_depth(graph)
    assert (depth[graph.inputs[0]], depth[boundary], depth[output]) == (0, 0, 1)
    for tensor, step, status in [(output, 1, PASSED), (output, 2, FAILED), (boundary, 1, FAILED)]:
        monkeypatch.setattr(verify, "run_litert", off_by(step, [tensor]))
        check = proof(graph, pieces, litert=True)["litert"]
        assert (check.status, check.worst_difference) == (status, step)
        assert (f"tensor {tensor} " in check.detail) == (status is FAILED)


def test_a_model_that_litert_cannot_run_is_skipped_aloud(
    graph: ModelGraph, pieces: list[PieceFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> LitertRun:
        raise ToolError("no kernel for it")

    monkeypatch.setattr(verify, "run_litert", refuse)
    checks = proof(graph, pieces, litert=True)
    assert checks["litert"].status is SKIPPED
    assert checks["litert"].detail == "LiteRT cannot run it: no kernel for it"
    assert checks["outputs"].status is PASSED


def add_chain(addends: Sequence[Sequence[float]], *, stateful: bool = False) -> bytes:
    """y = x + addends[0] + addends[1] + ..., float32 [1, 4]; `stateful`: the last is a variable."""
    model, graph = fb.ModelT(), fb.SubGraphT()
    model.version, model.buffers, graph.tensors, graph.operators = 3, [fb.BufferT()], [], []

    def tensor(name: str, values: Sequence[float] | None = None) -> int:
        made = fb.TensorT()
        made.name, made.shape, made.type, made.buffer = name, [1, 4], fb.TensorType.FLOAT32, 0
        if values is not None:
            buffer = fb.BufferT()
            buffer.data = list(np.asarray(values, "<f4").tobytes())
            made.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    last = tensor("x")
    graph.inputs = [last]
    for index, values in enumerate(addends):
        is_variable = stateful and index == len(addends) - 1
        addend = tensor(f"c{index}", None if is_variable else values)
        graph.tensors[addend].isVariable = is_variable
        op = fb.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = 0, [last, addend], [tensor(f"sum{index}")]
        op.builtinOptionsType, op.builtinOptions = fb.BuiltinOptions.AddOptions, fb.AddOptionsT()
        graph.operators.append(op)
        last = op.outputs[0]
    graph.outputs = [last]
    code = fb.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = fb.BuiltinOperator.ADD
    model.operatorCodes, model.subgraphs = [code], [graph]
    return packed(model)


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


def test_a_stateful_model_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "state.tflite"
    model.write_bytes(add_chain([[1, 2, 3, 4], [0, 0, 0, 0]], stateful=True))
    assert len(read_tflite(model).variables) == 1
    path = tmp_path / "state.yaml"
    path.write_text(f"model: {{path: {model}}}\nboard: corstone300_64k\n")
    says = r"state\.tflite: keeps state between inferences \(tensor 3 'c1'\).*run it unsplit"
    with pytest.raises(ModelError, match=says) as caught:
        api.run_job(read_job(path), out=tmp_path / "out", verify=False)
    assert caught.value.exit_code == 2


def test_random_inputs_are_seeded_and_reach_the_extremes(graph: ModelGraph) -> None:
    [feed] = random_inputs(graph, 4, seed=3)
    assert (feed.dtype, feed.shape) == (np.int8, (4, *SHAPE))
    assert (feed[0] == -128).all()
    assert (feed[1] == 127).all()
    assert len(np.unique(feed[2:])) == 256
    assert np.array_equal(feed, random_inputs(graph, 4, seed=3)[0])
    assert not np.array_equal(feed[2:], random_inputs(graph, 4, seed=4)[0][2:])
    assert len(random_inputs(graph, 1, seed=3)[0]) == 1


def give(graph: ModelGraph, path: Path, key: str | None = None) -> Array:
    [feed] = given_inputs(graph, path, key, "j.yaml: $.verify.data")
    return feed


def refusal(graph: ModelGraph, path: Path, key: str | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        give(graph, path, key)
    text = str(caught.value)
    assert text.startswith(f"j.yaml: $.verify.data: {path}")
    return text


def test_given_integers_are_taken_as_they_are(graph: ModelGraph, tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(-128, 128, (5, *SHAPE), dtype=np.int8)
    np.save(tmp_path / "a.npy", data)
    np.savez(tmp_path / "a.npz", x=data, y=data[:2])
    np.savez_compressed(tmp_path / "one.npz", only=data[:, 0])
    assert np.array_equal(give(graph, tmp_path / "a.npy"), data)
    assert np.array_equal(give(graph, tmp_path / "a.npz", "y"), data[:2])
    assert np.array_equal(give(graph, tmp_path / "one.npz"), data), "samples without a batch axis"


def test_given_floats_are_quantised_as_the_input_is(graph: ModelGraph, tmp_path: Path) -> None:
    quantization = graph.tensors[graph.inputs[0]].quantization
    assert quantization is not None
    [scale], [zero_point] = quantization.scales, quantization.zero_points
    levels = np.array([-128, -1, 0, 1, 127])
    data = np.zeros((5, *SHAPE), np.float32)
    data[:, 0, 0, 0, 0] = (levels - zero_point) * scale
    data[:, 0, 0, 0, 1] = [1e9, -1e9, 0, 0, 0]
    np.save(tmp_path / "f.npy", data)
    feed = give(graph, tmp_path / "f.npy")
    assert feed.dtype == np.int8
    assert feed[:, 0, 0, 0, 0].tolist() == levels.tolist()
    assert feed[:, 0, 0, 0, 1].tolist() == [127, -128, zero_point, zero_point, zero_point]


def test_data_of_a_wrong_shape_or_type(graph: ModelGraph, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    want = "want [N, 1, 32, 32, 3] of INT8 or float"
    for data, says in [
        (np.zeros((5, 32, 32, 1), np.int8), f"holds [5, 32, 32, 1], {want}"),
        (np.zeros(SHAPE[1:], np.int8), f"holds [32, 32, 3], {want}"),
        (np.int8(3), f"holds [], {want}"),
        (np.zeros((0, *SHAPE), np.int8), "holds no samples"),
        (np.zeros((2, *SHAPE), np.int64), f"holds int64, {want}"),
        (np.zeros((2, *SHAPE), np.complex64), f"holds complex64, {want}"),
        (np.full((2, *SHAPE), np.nan), "holds values that are not finite"),
        (np.full((2, *SHAPE), np.inf, np.float32), "holds values that are not finite"),
    ]:
        np.save(path, data)
        assert refusal(graph, path).endswith(f"{path} {says}")


def test_keys_of_an_npz(graph: ModelGraph, tmp_path: Path) -> None:
    data = np.zeros((1, *SHAPE), np.int8)
    path = tmp_path / "a.npz"
    np.savez(path, first=data, second=data)
    assert refusal(graph, path).endswith("holds first, second; say which with `key`")
    assert refusal(graph, path, "q").endswith("has no array 'q'; it holds first, second")
    np.save(tmp_path / "a.npy", data)
    assert "no .npz file; `key`" in refusal(graph, tmp_path / "a.npy", "first")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes", "text")
    assert refusal(graph, path).endswith("holds no array; say which with `key`")
    assert "has no array 'notes'" in refusal(graph, path, "notes")


def npy_bytes(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": "|i1", "fortran_order": False, "shape": shape})
    return file.getvalue() + data


def broken_data() -> dict[str, bytes]:
    pickled, archive = io.BytesIO(), io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez_compressed(archive, x=np.random.default_rng(0).integers(0, 9, 9999))
    cut = bytearray(archive.getvalue())
    cut[200:300] = bytes(100)
    return {
        "pickled": pickled.getvalue(),
        "empty": b"",
        "text": b"1,2,3\n",
        "truncated": npy_bytes((1, *SHAPE), b"abc"),
        "header": b"\x93NUMPY\x01\x00\x76\x00{'descr': ((((((((((((" + b" " * 200,
        "version": b"\x93NUMPY\x09\x00\x76\x00" + b" " * 200,
        "sound archive": archive.getvalue(),
        "broken stream": bytes(cut),
    }


@pytest.mark.parametrize("name", broken_data())
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_files_that_hold_no_plain_array(
    name: str, suffix: str, graph: ModelGraph, tmp_path: Path
) -> None:
    path = tmp_path / f"{name.replace(' ', '_')}.{suffix}"
    path.write_bytes(broken_data()[name])
    if path.name == "sound_archive.npz":
        assert "holds [9999]" in refusal(graph, path)
        return
    assert "is no readable .npy or .npz file (" in refusal(graph, path)


def test_a_missing_data_file(graph: ModelGraph, tmp_path: Path) -> None:
    assert "No such file" in refusal(graph, tmp_path / "absent.npy")
    assert "No such file" in refusal(graph, tmp_path / "absent.npz")


@pytest.mark.parametrize("shape", [(10**12, *SHAPE), (2**40, 2**40), (-5, *SHAPE)])
def test_a_header_that_claims_too_much_is_refused_before_memory_is_asked_for(
    shape: tuple[int, ...], graph: ModelGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, zipped = tmp_path / "a.npy", tmp_path / "a.npz"
    plain.write_bytes(npy_bytes(shape, b"abc"))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy_bytes(shape, bytes(1000)))
    monkeypatch.setattr(inputs.npy, "read_array", lambda *_, **__: pytest.fail("read"))
    for path in (plain, zipped):
        assert "want at most 1,073,741,824 bytes" in refusal(graph, path)


def test_floats_for_an_input_without_a_scale_are_refused(tmp_path: Path) -> None:
    """They were cut to integers in silence."""
    model = fb.ModelT.InitFromObj(fb.Model.GetRootAs(add_chain([[1, 2, 3, 4]])))
    for tensor in model.subgraphs[0].tensors:
        tensor.type = fb.TensorType.INT32
    graph = parse_tflite(packed(model), name="int32")
    path = tmp_path / "a.npy"
    np.save(path, np.full((2, 1, 4), 1.7))
    assert refusal(graph, path).endswith("holds float64, want INT32: the input has no scale")
    np.save(path, np.full((2, 1, 4), 7, np.int32))
    assert (give(graph, path) == 7).all()


def test_given_inputs_follow_the_random_ones_into_the_proof(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((3, *SHAPE), np.float32), other=np.zeros(1))
    settings: dict[str, Any] = {
        "model": {"path": str(MODEL)},
        "board": "corstone300_128k",
        "verify": {"inputs": 2, "data": "data.npz", "key": "x", "litert": False},
    }
    path = tmp_path / "given.yaml"
    path.write_text(yaml.safe_dump(settings))
    result = api.run_job(read_job(path), out=tmp_path)
    assert result.is_equal
    assert {c.inputs for c in result.checks if c.status is not SKIPPED} == {5}
    document = json.loads((result.folder / "verify.json").read_text())
    assert (document["random_inputs"], document["given_inputs"]) == (2, 3)
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["inputs"].keys() == {"job", "model", "data"}

    del settings["verify"]["data"]
    path.write_text(yaml.safe_dump(settings))
    with pytest.raises(UsageError, match=r"\$\.verify\.key: there is no verify\.data"):
        api.run_job(read_job(path), out=tmp_path)
