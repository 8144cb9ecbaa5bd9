"""Samples that a conversion is calibrated with: held out, read, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from images import sample_images

from splitopt.base.errors import UsageError
from splitopt.convert.calibration import Preprocess, load_samples

SHAPE = (1, 3, 4, 4)


def samples(
    path: Path, key: str | None = None, preprocess: Preprocess | None = None, **keys: str
) -> Any:
    return load_samples(
        path, key, keys.get("test"), keys.get("label"), preprocess or Preprocess(), SHAPE, "job"
    )


def test_the_last_fifth_is_held_out_unless_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", a=sample_images(), t=sample_images(3), y=np.arange(3))
    found = samples(tmp_path / "d.npz", "a")
    assert (len(found.calibration), len(found.held_out), found.labels) == (8, 2, None)
    assert found.calibration.dtype == np.float32
    named = samples(tmp_path / "d.npz", "a", test="t", label="y")
    assert (len(named.calibration), len(named.held_out), len(named.labels)) == (10, 3, 3)


def test_layout_mean_and_std_are_applied(tmp_path: Path) -> None:
    data = sample_images().astype(np.float32)
    np.save(tmp_path / "nchw.npy", data.transpose(0, 3, 1, 2))
    preprocess = Preprocess((1.0, 2.0, 3.0), (2.0,), "nchw")
    found = samples(tmp_path / "nchw.npy", preprocess=preprocess)
    np.testing.assert_allclose(found.calibration, (data[:8] - [1, 2, 3]) / 2, rtol=1e-6)


def test_data_that_can_only_be_nchw_are_taken_so_for_an_onnx_model(tmp_path: Path) -> None:
    data = sample_images().astype(np.float32)
    np.save(tmp_path / "nchw.npy", data.transpose(0, 3, 1, 2))
    asked = (tmp_path / "nchw.npy", None, None, None, Preprocess(), SHAPE, "job")
    found = load_samples(*asked, may_be_nchw=True)
    assert found.layout == "nchw"
    np.testing.assert_array_equal(found.calibration, data[:8])
    with pytest.raises(UsageError, match=r"at its top level, preprocess: \{layout: nchw\}"):
        load_samples(*asked)
    np.save(tmp_path / "labels.npy", np.arange(10))
    says = r"labels\.npy: holds \[10\], want \[N, 4, 4, 3\] or \[N, 3, 4, 4\]$"
    with pytest.raises(UsageError, match=says):
        load_samples(tmp_path / "labels.npy", *asked[1:], may_be_nchw=True)
    cube = np.arange(10 * 27, dtype=np.float32).reshape(10, 3, 3, 3)
    np.save(tmp_path / "cube.npy", cube)
    both = (tmp_path / "cube.npy", None, None, None, Preprocess(), (1, 3, 3, 3), "job")
    found = load_samples(*both, may_be_nchw=True)
    assert found.layout == "nhwc"
    np.testing.assert_array_equal(found.calibration, cube[:8])


def test_a_folder_of_arrays_and_pictures(tmp_path: Path) -> None:
    for k, image in enumerate(sample_images(5)):
        np.save(tmp_path / f"{k}.npy", image)
    assert len(samples(tmp_path).calibration) == 4
    pil = pytest.importorskip("PIL.Image", reason="pillow comes with the onnx extra")
    for k in range(5):
        (tmp_path / f"{k}.npy").unlink()
        pixels = np.full((4, 4, 3), 50 * k, np.uint8)
        pil.fromarray(pixels).save(tmp_path / f"{k}.png")
    found = samples(tmp_path)
    assert found.calibration[1, 0, 0, 0] == pytest.approx(50 / 255)


def test_a_picture_of_another_size_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two small files of one colour took 5 GB."""
    pil = pytest.importorskip("PIL.Image", reason="pillow comes with the onnx extra")
    for k in range(2):
        pil.new("RGB", (9000, 8000)).save(tmp_path / f"{k}.png")
    monkeypatch.setattr(pil.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UsageError, match=r"0\.png: is 9000 x 8000 pixels, want 4 x 4; resize it"):
        samples(tmp_path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.zeros((10, 4, 4, 3)), "every value is 0; that calibrates nothing"),
        (np.full((10, 4, 4, 3), np.nan), "not finite"),
        (np.zeros((10, 5, 4, 3)), r"want \[N, 4, 4, 3\]"),
        (np.zeros((1, 4, 4, 3)), "1 samples, want 2 to 4096"),
        (np.zeros((10, 4, 4, 3), dtype=complex), "holds complex128, want numbers"),
    ],
)
def test_calibration_that_cannot_serve_is_refused(
    data: np.ndarray, says: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "d.npy", data)
    with pytest.raises(UsageError, match=says):
        samples(tmp_path / "d.npy")


def test_missing_calibration_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", a=sample_images(), y=np.arange(3))
    for action in (
        lambda: samples(tmp_path / "absent.npz", "a"),
        lambda: samples(tmp_path / "d.npz", "b"),
        lambda: samples(tmp_path / "d.npz"),
        lambda: samples(tmp_path / "d.npz", "a", label="y"),
    ):
        with pytest.raises(UsageError, match=r"d\.npz|absent\.npz"):
            action()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no \.npy, \.npz or \.png file"):
        samples(tmp_path / "empty")
