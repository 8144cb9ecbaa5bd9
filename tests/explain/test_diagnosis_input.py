"""Samples that are not prepared as the model wants them: each way is named with its numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosis_bundles import (
    codes_of,
    digits,
    digits_data,
    edit,
    edit_piece,
    end_tensor,
    faults_of,
    make_bundle,
    scaled,
)

from splitopt.base.errors import UsageError
from splitopt.bundle.open import OpenBundle, open_bundle
from splitopt.bundle.schema.outputs import Finding, Severity
from splitopt.explain.outputs.model_input import input_findings, input_statistics
from splitopt.explain.outputs.outputs import explain_outputs
from splitopt.explain.outputs.samples import DataFile, choose_samples, data_file
from splitopt.graph.tflite_reader import read_tflite
from splitopt.runtime.arrays import quantise

RESNET = digits("resnet8")
Array = npt.NDArray[Any]
CALIBRATED = {"calibration_range": [-1.0, 1.0]}
PREPARED = {**CALIBRATED, "preprocess": {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.4, 0.3]}}


@pytest.fixture(scope="module")
def images() -> Array:
    found: Array = np.load(digits_data("resnet8"))["test"].astype(np.float32)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> OpenBundle:
    folder = tmp_path_factory.mktemp("plain") / "bundle"
    return open_bundle(make_bundle(folder, RESNET, (8,)))


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> OpenBundle:
    folder = tmp_path_factory.mktemp("converted") / "bundle"
    return open_bundle(make_bundle(folder, RESNET, (8,), conversion=CALIBRATED))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> OpenBundle:
    folder = tmp_path_factory.mktemp("prepared") / "bundle"
    return open_bundle(make_bundle(folder, RESNET, (8,), conversion=PREPARED))


def judged(bundle: OpenBundle, data: Array, tmp_path: Path) -> list[Finding]:
    path = tmp_path / "data.npy"
    np.save(path, data)
    samples = choose_samples(bundle, DataFile(path))
    found = input_findings(bundle, samples, input_statistics(bundle, samples))
    return [*samples.findings, *found]


def test_samples_as_the_model_wants_them_have_no_finding(
    plain: OpenBundle, converted: OpenBundle, images: Array, tmp_path: Path
) -> None:
    input_tensor = plain.graph.tensors[0]
    for bundle in (plain, converted):
        assert judged(bundle, images, tmp_path) == []
        assert judged(bundle, images[:2], tmp_path) == []
        assert judged(bundle, images[:, np.newaxis], tmp_path) == []
        assert judged(bundle, quantise(images, input_tensor), tmp_path) == []
        assert judged(bundle, images * 0.6, tmp_path) == []


@pytest.mark.parametrize(
    ("spoil", "says", "advice"),
    [
        (lambda x: x * 255, "not divided by 255 (factor 255)", "x / 255"),
        (lambda x: (x + 1) * 127.5, "0 to 255 stands where -1 to 1 is wanted", "x / 127.5 - 1"),
        (lambda x: x + 0.8, "they were shifted: 0.8 too high", "x - 0.8"),
        (lambda x: x - 1.5, "they were shifted: 1.5 too low", "x + 1.5"),
    ],
)
def test_a_wrong_preparation_is_named_with_its_numbers(
    spoil: Callable[[Array], Array],
    says: str,
    advice: str,
    plain: OpenBundle,
    converted: OpenBundle,
    images: Array,
    tmp_path: Path,
) -> None:
    for bundle in (plain, converted):
        [finding] = judged(bundle, spoil(images), tmp_path)
        assert finding.code == "input_preprocessing"
        assert finding.severity is Severity.FAULT
        assert says in finding.title
        assert f"feed {advice}" in finding.next_step
        assert "of the values are clipped" in finding.evidence[1]


def test_a_range_that_is_known_makes_a_fault_of_a_guess(
    plain: OpenBundle, converted: OpenBundle, images: Array, tmp_path: Path
) -> None:
    """0 to 1 fits into -1 to 1: whether that is wrong, only the calibration tells."""
    halved = (images + 1) / 2
    for bundle, severity in ((plain, Severity.WARNING), (converted, Severity.FAULT)):
        [finding] = judged(bundle, halved, tmp_path)
        assert finding.severity is severity
        assert "0 to 1 stands where -1 to 1 is wanted (factor 2)" in finding.title


def test_the_job_s_own_mean_and_std_are_missing(
    prepared: OpenBundle, images: Array, tmp_path: Path
) -> None:
    mean, std = (np.asarray(PREPARED["preprocess"][k]) for k in ("mean", "std"))  # type: ignore[index]
    [finding] = judged(prepared, images * std + mean, tmp_path)
    assert finding.title == "the samples look as if the job's mean and std were not applied"
    assert "(x - [0.5, 0.4, 0.3]) / [0.5, 0.4, 0.3]" in finding.next_step
    [finding] = judged(prepared, (images * std + mean) * 255, tmp_path)
    assert "0 to 255 and the job's mean and std were not applied" in finding.title
    assert "(x / 255 - [0.5" in finding.next_step


def test_channels_first_is_named_and_turned(
    plain: OpenBundle, images: Array, tmp_path: Path
) -> None:
    [finding] = judged(plain, np.moveaxis(images, -1, 1), tmp_path)
    assert finding.code == "input_layout"
    assert "channels first (NCHW)" in finding.title
    assert finding.figures["transpose"] == (0, 2, 3, 1)
    assert "(0, 2, 3, 1)" in finding.next_step


def test_bytes_of_another_type_are_read_as_they_lie(
    plain: OpenBundle, images: Array, tmp_path: Path
) -> None:
    pixels = np.clip((images + 1) * 127.5, 0, 255).astype(np.uint8)
    [finding] = judged(plain, pixels, tmp_path)
    assert finding.code == "input_type"
    assert "uint8 255 becomes -1" in finding.evidence[0]


@pytest.mark.parametrize("shape", [(4, 32, 32, 3), (4, 1, 32, 32, 3)])
def test_samples_of_one_value(shape: tuple[int, ...], plain: OpenBundle, tmp_path: Path) -> None:
    for data in (np.full(shape, 0.25, np.float32), np.full(shape, 7, np.int8)):
        [finding] = judged(plain, data, tmp_path)
        assert finding.code == "input_constant"
    same = np.broadcast_to(np.linspace(-1, 1, 32 * 32 * 3).reshape(32, 32, 3), (4, 32, 32, 3))
    [finding] = judged(plain, same, tmp_path)
    assert "every sample is the same" in finding.title


def test_data_that_use_next_to_nothing_of_the_range(
    plain: OpenBundle, images: Array, tmp_path: Path
) -> None:
    [finding] = judged(plain, images / 100, tmp_path)
    assert finding.code == "input_narrow"
    assert finding.severity is Severity.WARNING
    assert "1.0 % of the input's range" in finding.title


def test_a_model_whose_input_was_calibrated_too_narrowly(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(RESNET.read_bytes())
    edit(model, lambda m: scaled(end_tensor(m, 0, is_input=True), 1 / 8))
    bundle = open_bundle(make_bundle(tmp_path / "bundle", model, (8,)))
    samples = choose_samples(bundle, DataFile(digits_data("resnet8"), "test"))
    found = explain_outputs(bundle, samples)
    [finding] = faults_of(found)["input_range"]
    assert codes_of(found) - {"constant_model"} == {"input_range"}
    assert finding.figures["clipped_share"] > 0.5  # type: ignore[operator]
    assert "its calibration range does not cover the data" in finding.title


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.zeros((4, 31, 32, 3), np.float32), r"holds \[4, 31, 32, 3\], want \[N, 32, 32, 3\]"),
        (np.zeros((0, 32, 32, 3), np.float32), "holds no samples"),
        (np.float32(1), "holds no samples"),
        (np.full((2, 32, 32, 3), np.nan, np.float32), "not finite"),
        (np.zeros((2, 32, 32, 3), np.int64), "holds int64, want INT8"),
        (np.zeros((2, 32, 32, 3), np.complex64), "want numbers"),
        (np.zeros((2, 32, 32, 3), "U1"), "want numbers"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    data: Array, says: str, plain: OpenBundle, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        judged(plain, data, tmp_path)


def test_values_that_no_square_holds_are_judged(plain: OpenBundle, tmp_path: Path) -> None:
    data = np.linspace(-1e305, 1e305, 2 * 32 * 32 * 3).reshape(2, 32, 32, 3)
    codes = {finding.code for finding in judged(plain, data, tmp_path)}
    assert "input_range" in codes


def test_a_key_without_data_is_refused() -> None:
    with pytest.raises(UsageError, match="give --data as well"):
        data_file(None, "test")
    assert data_file(None, None) is None


def test_samples_come_from_the_job_where_none_are_given(tmp_path: Path) -> None:
    data = str(digits_data("resnet8"))
    verify = {"verify": {"data": data, "key": "test"}}
    bundle = open_bundle(make_bundle(tmp_path / "verify", RESNET, (8,), verify))
    samples = choose_samples(bundle, None)
    assert (samples.source, samples.count, samples.total) == (
        "resnet8_digits_data.npz 'test'",
        16,
        96,
    )

    calibration = {"calibration": {"path": data, "key": "calibration", "test": "test"}}
    folder = make_bundle(tmp_path / "held", RESNET, (8,), calibration, conversion=CALIBRATED)
    samples = choose_samples(open_bundle(folder), None)
    assert "held out" in samples.source
    assert not samples.is_random
    assert samples.total == 96

    gone = {"verify": {"data": "gone.npy"}}
    bundle = open_bundle(make_bundle(tmp_path / "gone", RESNET, (8,), gone))
    samples = choose_samples(bundle, None)
    assert samples.is_random
    assert "seed 0" in samples.source
    assert "gone.npy" in samples.source


def test_random_samples_are_not_judged(plain: OpenBundle) -> None:
    samples = choose_samples(plain, None)
    assert input_statistics(plain, samples) is None
    assert input_findings(plain, samples, None) == []


def test_a_first_piece_that_wants_the_input_in_its_own_scale_is_fed_so(tmp_path: Path) -> None:
    """Pieces converted one by one: what the first reader wants is what the model's input is."""
    folder = make_bundle(tmp_path / "bundle", RESNET, (8,), route="pieces")
    edit_piece(folder, 0, lambda m: scaled(end_tensor(m, 0, is_input=True), 1.02))
    bundle = open_bundle(folder)
    assert read_tflite(bundle.pieces[0].path).inputs
    samples = choose_samples(bundle, DataFile(digits_data("resnet8"), "test"))
    found = explain_outputs(bundle, samples)
    assert "boundary_quantisation" not in codes_of(found)
