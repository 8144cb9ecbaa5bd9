"""Inputs for proofs: random ones, and a user's own from .npy and .npz files."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ai_edge_litert import schema_py_generated as fb
from models import add_chain
from numpy.lib import format as npy

from splitopt.base.errors import UsageError
from splitopt.config.job import Job, read_job
from splitopt.convert.model_samples import ModelSamples
from splitopt.convert.open_model import ModelSource
from splitopt.graph.model import ModelGraph
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.runtime import arrays
from splitopt.runtime.arrays import Array, given_inputs, random_inputs
from splitopt.runtime.model_builder import packed
from splitopt.verify import proof
from splitopt.verify.check import CheckStatus
from splitopt.workflows import run

CHECKOUT = Path(__file__).resolve().parents[2]
MODEL = CHECKOUT / "configs" / "models" / "resnet8_digits_int8.tflite"
CUTS = (5, 11)
SHAPE = (1, 32, 32, 3)
PASSED, FAILED, SKIPPED = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.SKIPPED


@pytest.fixture(scope="module")
def graph() -> ModelGraph:
    return read_tflite(MODEL)


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
    says = "holds first, second; say which with `key` in a job, as a.npz:first on the command line"
    assert refusal(graph, path).endswith(says)
    assert refusal(graph, path, "q").endswith("has no array 'q'; it holds first, second")
    np.save(tmp_path / "a.npy", data)
    assert "not an .npz file; `key`" in refusal(graph, tmp_path / "a.npy", "first")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes", "text")
    assert refusal(graph, path).endswith("holds no array")
    assert refusal(graph, path, "notes").endswith("holds no array")


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
    assert "is not a readable .npy or .npz file (" in refusal(graph, path)


def test_a_missing_data_file(graph: ModelGraph, tmp_path: Path) -> None:
    assert "No such file" in refusal(graph, tmp_path / "absent.npy")
    assert "No such file" in refusal(graph, tmp_path / "absent.npz")


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_pipe_is_refused_unopened(suffix: str, graph: ModelGraph, tmp_path: Path) -> None:
    """Opening one that nobody writes to waits for ever."""
    path = tmp_path / f"pipe.{suffix}"
    os.mkfifo(path)
    assert refusal(graph, path).endswith("is not a file; want an .npy or .npz file")


@pytest.mark.parametrize("shape", [(10**12, *SHAPE), (2**40, 2**40), (-5, *SHAPE)])
def test_a_header_that_claims_too_much_is_refused_before_memory_is_asked_for(
    shape: tuple[int, ...], graph: ModelGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, zipped = tmp_path / "a.npy", tmp_path / "a.npz"
    plain.write_bytes(npy_bytes(shape, b"abc"))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy_bytes(shape, bytes(1000)))
    monkeypatch.setattr(arrays.npy, "read_array", lambda *_, **__: pytest.fail("read"))
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
    result = run.run_job(read_job(path), out=tmp_path)
    assert result.is_equal
    assert {c.inputs for c in result.checks if c.status is not SKIPPED} == {5}
    document = json.loads((result.folder / "verify.json").read_text())
    assert (document["random_inputs"], document["given_inputs"]) == (2, 3)
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["inputs"].keys() == {"job", "model", "data"}

    del settings["verify"]["data"]
    path.write_text(yaml.safe_dump(settings))
    with pytest.raises(UsageError, match=r"\$\.verify\.key: give verify\.data as well"):
        run.run_job(read_job(path), out=tmp_path)


def test_samples_that_calibration_held_out_follow_where_none_are_named(
    graph: ModelGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most four; fewer where all inputs together would be too large."""
    held = np.random.default_rng(3).normal(size=(6, *SHAPE[1:])).astype(np.float32)
    samples = ModelSamples(("x",), (held,), (held,), None)
    monkeypatch.setattr(proof, "samples_of", lambda *_: samples)
    made: Any = object()
    source = ModelSource(graph, MODEL, conversion=made, request=made)
    job = Job.of(model=str(MODEL), board="corstone300_128k", verify={"inputs": 2})
    [given] = proof.given_feeds(job, source)
    affine = graph.tensors[graph.inputs[0]].quantization
    assert affine is not None
    levels = np.round(held[:4].astype(float) / affine.scales[0]) + affine.zero_points[0]
    levels = np.clip(levels, -128, 127)
    assert np.array_equal(given, levels[:, np.newaxis].astype(np.int8))

    assert len(proof.feeds_of(job, graph, [given], [])[0]) == 2 + 4
    monkeypatch.setattr(proof, "PROOF_BYTES", 3 * graph.tensors[graph.inputs[0]].bytes)
    assert len(proof.feeds_of(job, graph, [given], [])[0]) == 2 + 1
