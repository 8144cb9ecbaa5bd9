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
        ({}, "pixels", {}, r"calibration.key: the model has 2 inputs; .*inputs: \{'img:0': \{key"),
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
