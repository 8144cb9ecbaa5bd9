"""A converter's float model is compared with the ONNX model before it is believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from splitopt.base.errors import ModelError
from splitopt.convert.float_tflite import float_notes
from splitopt.convert.quality import require_same_function
from splitopt.graph.tflite_reader import parse_tflite, read_tflite
from splitopt.runtime.model_builder import ModelBuilder

INT8 = Path(__file__).resolve().parents[2] / "configs/models/squeeze_digits_int8.tflite"
RANDOM = np.random.default_rng(0)
A, B = (RANDOM.standard_normal((6, 3)).astype(np.float32) for _ in "ab")


def two_inputs() -> bytes:
    """relu(b) and relu(a), of inputs b and a."""
    builder = ModelBuilder()
    b, a = (builder.tensor([1, 3], "FLOAT32", name=name) for name in "ba")
    made = [builder.tensor([1, 3], "FLOAT32") for _ in "ba"]
    for source, out in zip((b, a), made, strict=True):
        builder.op("RELU", [source], [out])
    return builder.bytes([b, a], made)


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)[:, np.newaxis]


def test_inputs_are_told_by_name_and_outputs_by_value() -> None:
    samples = {"a": A, "b": B}
    require_same_function(two_inputs(), samples, [relu(A), relu(B)], Path("m.onnx"), 60)


def test_a_model_that_computes_something_else_is_refused() -> None:
    wrong = [relu(A), relu(B + 0.2)]
    with pytest.raises(ModelError, match=r"^m.onnx: onnx2tf changed what the model computes.* dB"):
        require_same_function(two_inputs(), {"a": A, "b": B}, wrong, Path("m.onnx"), 60)


def test_a_note_says_what_calibration_would_do_for_floats_only() -> None:
    [note] = float_notes(parse_tflite(two_inputs(), name="m"))
    assert "its inputs (calibration: {path: data.npz, key: ARRAY} in the job" in note
    assert "(48 in all)" in note
    assert float_notes(read_tflite(INT8)) == ()
