"""Samples for models of several inputs: which array is whose, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from splitopt.base.errors import UsageError
from splitopt.convert.calibration import Preprocess
from splitopt.convert.model_samples import (
    DataFiles,
    InputData,
    ModelSamples,
    load_model_samples,
    require_named,
)

IMAGE, MASK = ("img:0", (1, 3, 4, 4)), ("mask", (1, 5))
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 255, (10, 4, 4, 3)).astype(np.uint8)
MASKS = RANDOM.standard_normal((10, 5)).astype(np.float32)


def load(
    folder: Path,
    by_name: dict[str, InputData] | None = None,
    key: str | None = None,
    **arrays: object,
) -> ModelSamples:
    np.savez(folder / "d.npz", **{"pixels": PIXELS, "mask": MASKS, "y": np.arange(10), **arrays})
    one, where = InputData(key, None, Preprocess()), "job: $.calibration"
    data = DataFiles(folder / "d.npz", one, "y", by_name or {}, where)
    return load_model_samples(data, [IMAGE, MASK], channels_first=True)


def test_each_input_has_its_array_and_its_preprocessing(tmp_path: Path) -> None:
    """The array of the input's own name where none is named."""
    own = InputData("pixels", None, Preprocess((127.5,), (127.5,)))
    found = load(tmp_path, {"img:0": own})
    assert found.names == ("img:0", "mask")
    np.testing.assert_allclose(found.calibration[0], (PIXELS[:8] - 127.5) / 127.5, rtol=1e-6)
    np.testing.assert_array_equal(found.held_out[1], MASKS[8:])
    assert found.labels is not None
    assert found.labels.tolist() == [8, 9]


@pytest.mark.parametrize(
    ("by_name", "key", "arrays", "says"),
    [
        (
            {},
            "pixels",
            {},
            r"without a key \(d.npz alone\) .* img:0, mask; .*inputs: \{'img:0': \{key",
        ),
        ({"img": InputData("pixels", None, Preprocess())}, None, {}, "no input 'img'; the model's"),
        ({}, None, {}, r"inputs: 'img:0': .*'img:0'"),
        (
            {"img:0": InputData("pixels", None, Preprocess())},
            None,
            {"mask": MASKS[:7]},
            r"differ in number .*'img:0' 8 \+ 2, 'mask' 6 \+ 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_the_inputs_name(
    by_name: dict[str, InputData],
    key: str | None,
    arrays: dict[str, object],
    says: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match=says):
        load(tmp_path, by_name, key, **arrays)


def test_an_absent_array_is_named_before_the_model_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=MASKS, y=np.arange(10))
    for key, label in (("z", "y"), ("x", "z")):
        one = InputData(key, None, Preprocess())
        with pytest.raises(UsageError, match=r"no array 'z'; it holds x, y"):
            require_named(DataFiles(tmp_path / "d.npz", one, label, {}, "job"))
    require_named(DataFiles(tmp_path / "d.npz", InputData("x", "y", Preprocess()), "y", {}, "job"))
    require_named(DataFiles(tmp_path / "none.npz", InputData("x", None, Preprocess()), "y", {}, ""))
