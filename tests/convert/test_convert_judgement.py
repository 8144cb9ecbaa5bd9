"""What makes a conversion doubtful, what makes a kept one stale, and which side is at fault."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from models import diamond

from splitopt.base.errors import ToolError, UsageError
from splitopt.convert import cache
from splitopt.convert.calibration import Preprocess, load_samples
from splitopt.convert.content import content_key, is_unchanged
from splitopt.convert.names.onnx_graph import OnnxNode
from splitopt.convert.quality import Quality, aligned
from splitopt.convert.unsupported_ops import suspects, unregistered
from splitopt.graph.tflite_reader import parse_tflite


def quality(**changes: object) -> Quality:
    good = {
        "samples": 8, "sqnr_db": 30.0, "worst_litert_lsb": 1.0, "top1_float": 0.9,
        "top1_int8": 0.9, "top1_agreement": 1.0,
    }  # fmt: skip
    return Quality(**{**good, **changes})  # type: ignore[arg-type]


def test_a_good_conversion_has_no_warning() -> None:
    assert quality().warnings == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sqnr_db": 5.0}, "SQNR of 5.0 dB"),
        ({"worst_litert_lsb": 3.0}, "differ by 3 LSB"),
        ({"top1_int8": 0.5}, "top-1 falls by 40.0 points"),
        ({"constant_output": True}, "the same output for every sample"),
    ],
)
def test_every_doubt_is_a_warning_with_its_number(changes: dict[str, object], says: str) -> None:
    [warning] = quality(**changes).warnings
    assert says in warning


def test_outputs_are_compared_in_the_layout_that_fits() -> None:
    onnx = np.arange(2 * 24, dtype=np.float64).reshape(2, 1, 2, 3, 4)
    np.testing.assert_array_equal(aligned(onnx, np.moveaxis(onnx, 2, -1)), np.moveaxis(onnx, 2, -1))
    square = np.random.default_rng(0).normal(size=(2, 1, 3, 3, 3))
    for like in (square, np.moveaxis(square, 2, -1)):
        np.testing.assert_array_equal(aligned(square, like), like)
    assert aligned(np.zeros((2, 1, 10)), np.zeros((2, 1, 1, 1, 10))).shape == (2, 1, 1, 1, 10)


def test_a_kept_record_that_was_changed_counts_as_absent(tmp_path: Path) -> None:
    entry = cache.store(tmp_path, "k", b"tflite", {"quality": {"samples": 1}}, "log", b"onnx")
    found = cache.load(tmp_path, "k")
    assert found is not None
    assert found.onnx is not None
    record = json.loads((entry.folder / "conversion.json").read_text())
    (entry.folder / "conversion.json").write_text(json.dumps({**record, "quality": {}}))
    assert cache.load(tmp_path, "k") is None
    cache.store(tmp_path, "k", b"tflite", {}, "log", b"onnx")
    (entry.folder / "clean.onnx").write_bytes(b"other")
    assert cache.load(tmp_path, "k") is None


def test_weights_beside_the_model_that_changed_make_a_conversion_stale(tmp_path: Path) -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of b"test"
    assert not is_unchanged({"weights.bin": digest}, tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"test")
    assert is_unchanged({"weights.bin": digest}, tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"else")
    assert not is_unchanged({"weights.bin": digest}, tmp_path)


def test_the_key_follows_model_data_and_options(tmp_path: Path) -> None:
    model, data = tmp_path / "m.onnx", tmp_path / "d.npy"
    model.write_bytes(b"m")
    data.write_bytes(b"d")
    keys = {content_key(model, data, {"a": 1}), content_key(model, data, {"a": 2})}
    data.write_bytes(b"e")
    keys.add(content_key(model, data, {"a": 1}))
    model.write_bytes(b"n")
    keys.add(content_key(model, data, {"a": 1}))
    assert len(keys) == 4
    with pytest.raises(UsageError, match="cannot be read"):
        content_key(tmp_path / "absent.onnx", data, {})
    with pytest.raises(UsageError, match="not a file"):
        content_key(tmp_path, data, {})


def test_messages_name_the_nodes_that_may_have_made_the_op() -> None:
    graph = parse_tflite(diamond(), name="m")
    assert unregistered(graph) == ()
    types = ("CUSTOM:Mine", "RELU_0_TO_1", "CUSTOM:FlexErf")
    odd = tuple(replace(op, type=t) for op, t in zip(graph.ops, types, strict=False))
    assert unregistered(replace(graph, ops=odd)) == (1, 2)
    nodes = (OnnxNode("act", "HardSigmoid", ("a",), ("b",)), OnnxNode("e", "Erf", ("b",), ("c",)))
    assert suspects("RELU_0_TO_1", nodes) == ("act",)
    assert suspects("CUSTOM:FlexErf", nodes) == ("e",)
    assert suspects("TILE", nodes) == ()


def test_labels_of_all_samples_follow_the_held_out_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", a=rng.normal(size=(10, 7)), y=np.arange(10), z=np.zeros(10))
    found = load_samples(tmp_path / "d.npz", "a", None, "y", Preprocess(), (1, 7), "job")
    assert found.labels is not None
    assert found.labels.tolist() == [8, 9]
    with pytest.raises(UsageError, match="one integer for each of 2"):
        load_samples(tmp_path / "d.npz", "a", None, "z", Preprocess(), (1, 7), "job")


def test_one_dimensional_signals_come_with_their_channels_last(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(10, 2, 16)).astype(np.float32)
    np.save(tmp_path / "d.npy", data)
    preprocess = Preprocess(layout="nchw")
    found = load_samples(tmp_path / "d.npy", None, None, None, preprocess, (1, 2, 16), "job")
    np.testing.assert_array_equal(found.calibration, data[:8].transpose(0, 2, 1))


@pytest.mark.parametrize(
    ("data", "std", "says"),
    [
        (np.float32(3), (), "holds a single number"),
        (np.arange(20.0).reshape(10, 2), (0.0,), "std holds a 0"),
    ],
)
def test_calibration_that_would_crash_is_refused(
    data: np.ndarray, std: tuple[float, ...], says: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "d.npy", data)
    with pytest.raises(UsageError, match=says):
        load_samples(tmp_path / "d.npy", None, None, None, Preprocess((), std), (1, 2), "job")


def test_pictures_without_pillow_say_what_is_missing(tmp_path: Path) -> None:
    try:
        import PIL  # noqa: F401
    except ImportError:
        (tmp_path / "0.png").write_bytes(b"png")
        with pytest.raises(ToolError, match="pip install"):
            load_samples(tmp_path, None, None, None, Preprocess(), (1, 2, 2, 1), "job")
    else:
        pytest.skip("pillow is there")
