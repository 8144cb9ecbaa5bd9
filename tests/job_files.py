"""Jobs that tests write, and how they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from splitopt.base.errors import UsageError
from splitopt.config.job import read_job

MODEL = Path(__file__).parents[1].resolve() / "configs" / "models" / "resnet8_digits_int8.tflite"
Write = Callable[..., Path]


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_job(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: "), "the file comes first"
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")
