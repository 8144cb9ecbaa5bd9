"""Fixtures that several tests share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from extras import need_onnx_extra

from splitopt.convert.calibration import Preprocess
from splitopt.convert.convert import Conversion, ConversionRequest, convert_model
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND

MODELS = Path(__file__).resolve().parents[1] / "configs" / "models"
SHARED_MODELS = Path(__file__).resolve().parents[2] / "shared" / "models"


@pytest.fixture
def shared_model() -> Callable[[str], Path]:
    """Finds a public model by its stem; skips the test where the folder is absent."""

    def find(name: str) -> Path:
        path = (SHARED_MODELS / f"{name}.tflite").resolve()
        if not path.exists():
            pytest.skip(f"the public model {path} is absent")
        return path

    return find


@pytest.fixture(scope="session")
def digits_request(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ConversionRequest]:
    """How one of the project's ONNX models is converted; the user's own cache is left alone."""
    kept = tmp_path_factory.mktemp("conversions")

    def ask(name: str) -> ConversionRequest:
        return ConversionRequest(
            onnx=MODELS / f"{name}_digits.onnx",
            data=MODELS / f"{name}_digits_data.npz",
            key="calibration",
            test_key="test",
            label_key="label",
            preprocess=Preprocess(),
            command=DEFAULT_COMMAND,
            time_limit_s=300,
            cache=kept,
            where="job",
        )

    return ask


@pytest.fixture(scope="session")
def converted(
    digits_request: Callable[[str], ConversionRequest],
) -> Callable[[str], Conversion]:
    """Converts one of the project's ONNX models, once for all tests; skips without the extra."""
    need_onnx_extra()

    @cache
    def convert(name: str) -> Conversion:
        return convert_model(digits_request(name))

    return convert
