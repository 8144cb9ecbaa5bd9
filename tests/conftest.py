"""Fixtures that several tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import prepared_workers
import pytest
from extras import need_onnx_extra
from filelock import FileLock
from hypothesis import settings
from limits import TIME_FACTOR, seconds
from needs import NO_PUBLIC_MODELS, REPOSITORY, find_model, leave_out
from once import shared_folder
from samples import QUICK

from splitopt.convert import onnx2tf_adapter
from splitopt.convert.calibration import Preprocess
from splitopt.convert.convert import Conversion, ConversionRequest, convert_model
from splitopt.convert.onnx2tf_adapter import DEFAULT_COMMAND
from splitopt.runtime import worker_process

MODELS = REPOSITORY / "configs" / "models"
LONG = (  # files that no process may begin last, the longest first
    "pieces/test_onnx_route.py",
    "workflows/test_sweep_store.py",
    "workflows/test_sweep_dask.py",
    "workflows/test_sweep.py",
    "convert/test_convert.py",
    "graph/test_reader_fuzz.py",
    "convert/test_convert_as_exported.py",
    "convert/test_convert_models.py",
    "explain/test_diagnosis_outputs.py",
    "explain/test_facts.py",
    "tiling/test_bands.py",
    "tiling/test_necks.py",
    "planning/test_layouts_above_loads.py",
    "cli/test_cli_refusals.py",
    "workflows/test_sweep_front.py",
    "planning/test_below_single_op_bound.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*things): tools or libraries, see tests/needs.py")
    prepared_workers.install()
    if config.option.markexpr == "not slow":  # `make test-slow` tries all examples of Hypothesis
        settings.load_profile(QUICK)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each child process compiles all it imports


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    leave_out(config, items)
    items.sort(key=_place)
    for item in items if TIME_FACTOR != 1 else []:
        limit = item.get_closest_marker("timeout") or pytest.mark.timeout(config.option.timeout)
        if limit.args and limit.args[0]:
            item.add_marker(pytest.mark.timeout(limit.args[0] * TIME_FACTOR), append=False)


def _place(item: pytest.Item) -> int:
    file = item.path.relative_to(REPOSITORY / "tests").as_posix()
    return LONG.index(file) if file in LONG else len(LONG)


@pytest.fixture
def own_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker and converter starts anew, as it does for users."""
    for module in (worker_process, onnx2tf_adapter):
        monkeypatch.setattr(module, "run_in_group", prepared_workers.in_its_own_interpreter)


@pytest.fixture
def shared_model() -> Callable[[str], Path]:
    """Finds a model by its stem; skips the test where it is a public one that is absent."""

    def find(name: str) -> Path:
        path = find_model(name)
        if path is None:
            pytest.skip(NO_PUBLIC_MODELS)
        return path

    return find


@pytest.fixture(scope="session")
def digits_request(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ConversionRequest]:
    """How one of the project's ONNX models is converted; the user's own cache is left alone."""
    kept = shared_folder(tmp_path_factory) / "conversions"

    def ask(name: str) -> ConversionRequest:
        return ConversionRequest(
            onnx=MODELS / f"{name}_digits.onnx",
            data=MODELS / f"{name}_digits_data.npz",
            key="calibration",
            test_key="test",
            label_key="label",
            preprocess=Preprocess(),
            command=DEFAULT_COMMAND,
            time_limit_s=seconds(300),
            cache=kept,
            where="job",
        )

    return ask


@pytest.fixture(scope="session")
def converted(
    digits_request: Callable[[str], ConversionRequest], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Conversion]:
    """Converts one of the project's ONNX models, once for all tests of all processes; skips
    without the extra."""
    need_onnx_extra()

    @cache
    def convert(name: str) -> Conversion:
        with FileLock(shared_folder(tmp_path_factory) / f"{name}.lock"):
            return convert_model(digits_request(name))

    return convert
