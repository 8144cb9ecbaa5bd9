"""What some tests need and a fresh clone may lack: tools, libraries and the public models.

Tests say it with `@pytest.mark.needs("qemu")`. Where the thing is absent, one of them is skipped
with the reason and the number of tests that it stands for; the others are left out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from splitopt.report.charts.chart_files import draws_text
from splitopt.runtime.program import COMPILER, PACKAGES
from splitopt.runtime.simulator import QEMU
from splitopt.runtime.tflm_library import VARIABLE

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_MODELS = REPOSITORY.parent / "shared" / "models"
PUBLIC_MODELS = (
    "ad01_int8",
    "hello_world_int8",
    "ic_resnet8_int8",
    "kws_dscnn_int8",
    "micro_speech_int8",
    "person_detect_int8",
)
"""From tensorflow/tflite-micro and mlcommons/tiny; they do not come with splitopt."""

HOST_VARIABLE = "SPLITOPT_TFLM_HOST"
"""A TFLM library for this machine, named like that for the target."""


def find_model(name: str) -> Path | None:
    """A model by its stem: one of the project's own, or a public one beside the checkout."""
    folders = (REPOSITORY / "configs" / "models", SHARED_MODELS)
    files = (folder / f"{name}.tflite" for folder in folders)
    return next((file for file in files if file.is_file()), None)


NO_PUBLIC_MODELS = f"the public models are not in {SHARED_MODELS}"


def _absent_tool(tool: str, advice: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(tool) else f"{tool} is absent: {advice}"


def _absent_library(variable: str) -> Callable[[], str | None]:
    return lambda: None if os.environ.get(variable) else f"{variable} is not set: no TFLM library"


NEEDS: Mapping[str, Callable[[], str | None]] = {
    "compiler": _absent_tool(COMPILER, f"apt-get install {PACKAGES}"),
    "qemu": _absent_tool(QEMU, "apt-get install qemu-system-arm"),
    "tflm": _absent_library(VARIABLE),
    "font": lambda: (
        None if draws_text() else "this machine has no font: apt-get install fonts-dejavu"
    ),
    "host compiler": _absent_tool("g++", "apt-get install g++"),
    "cmake": _absent_tool("cmake", "apt-get install cmake"),
    "host tflm": _absent_library(HOST_VARIABLE),
    "public models": lambda: None if SHARED_MODELS.is_dir() else NO_PUBLIC_MODELS,
    "chromium": _absent_tool("chromium", "apt-get install chromium"),
    "chromedriver": _absent_tool("chromedriver", "apt-get install chromium-driver"),
}


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips the first test that needs an absent thing, and leaves out the others."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        reason = _missing(item)
        if reason is not None:
            groups.setdefault(reason, []).append(item)
    left_out: set[pytest.Item] = set()
    for reason, (first, *others) in groups.items():
        count = f"; this and {len(others)} other tests are not run"
        first.add_marker(pytest.mark.skip(reason=reason + (count if others else "")))
        left_out.update(others)
    if left_out:
        config.hook.pytest_deselected(items=sorted(left_out, key=lambda item: item.nodeid))
        items[:] = [item for item in items if item not in left_out]


def _missing(item: pytest.Item) -> str | None:
    wanted = [name for mark in item.iter_markers("needs") for name in mark.args]
    reasons = [NEEDS[name]() for name in wanted]
    if "shared_model" in getattr(item, "fixturenames", ()):
        reasons += [NO_PUBLIC_MODELS for name in _models(item) if find_model(name) is None]
    return next(filter(None, reasons), None)


def _models(item: Any) -> set[str]:
    """The public models that a test names: in its parameters, or else in its own code."""
    known = {name.removesuffix("_int8"): name for name in PUBLIC_MODELS}
    parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
    words = [value.removesuffix("_int8") for value in parameters if isinstance(value, str)]
    if not any(word in known or find_model(f"{word}_int8") for word in words):
        words = [word.removesuffix("_int8") for word in _constants(item.function.__code__)]
    return {known[word] for word in words if word in known}


def _constants(code: CodeType) -> Iterator[str]:
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _constants(value)
        for word in value if isinstance(value, tuple | frozenset) else (value,):
            if isinstance(word, str):
                yield word
