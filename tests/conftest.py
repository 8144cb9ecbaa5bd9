"""Fixtures that several tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
