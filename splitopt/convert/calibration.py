"""Samples for calibration and for the check after it, as the float model's input wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from splitopt.errors import UsageError
from splitopt.pieces.inputs import Array, load_array

MAX_SAMPLES = 4096
HELD_OUT_SHARE = 5  # one in five
_LEAST_SAMPLES = 2


@dataclass(frozen=True)
class Preprocess:
    """(x - mean) / std per channel, on data whose images lie as `layout` says."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: str = "nhwc"


@dataclass(frozen=True)
class Samples:
    """`calibration` and `held_out`: float32 [N, ...], images NHWC; `labels` of the held-out."""

    calibration: Array
    held_out: Array
    labels: Array | None


def load_samples(
    path: Path,
    key: str | None,
    test_key: str | None,
    label_key: str | None,
    preprocess: Preprocess,
    input_shape: Sequence[int],
    where: str,
) -> Samples:
    """`input_shape` is ONNX's, batch included; images are NCHW there and come back NHWC.

    Without a test key, the last fifth is held out and not calibrated on.
    Raises UsageError that names the file, what it holds and what is wanted.
    """
    given = _ready(_load(path, key, where), preprocess, input_shape, f"{where}: {path}")
    if test_key is not None:
        held = _ready(_load(path, test_key, where), preprocess, input_shape, f"{where}: {path}")
    else:
        cut = len(given) - max(1, len(given) // HELD_OUT_SHARE)
        given, held = given[:cut], given[cut:]
    labels = None if label_key is None else load_array(path, label_key, where)
    if labels is not None and labels.shape != (len(held),):
        raise UsageError(
            f"{where}: {path}: {label_key!r} holds {list(labels.shape)}, want one label for each "
            f"of {len(held)} held-out samples"
        )
    return Samples(given, held, labels)


def _load(path: Path, key: str | None, where: str) -> Array:
    if not path.is_dir():
        return load_array(path, key, where)
    files = sorted(f for f in path.iterdir() if f.suffix in (".npy", ".npz", ".png"))
    if not files:
        raise UsageError(f"{where}: {path}: no .npy, .npz or .png file in this folder")
    if len(files) > MAX_SAMPLES:
        raise UsageError(f"{where}: {path}: {len(files)} files; at most {MAX_SAMPLES} are read")
    samples = [_sample(file, key, where) for file in files]
    odd = next(
        (f for f, s in zip(files, samples, strict=True) if s.shape != samples[0].shape), None
    )
    if odd is not None:
        raise UsageError(f"{where}: {odd}: another shape than {files[0].name} has")
    return np.stack(samples)


def _sample(file: Path, key: str | None, where: str) -> Array:
    """One sample; a PNG comes as [H, W, C] from 0 to 1."""
    if file.suffix != ".png":
        return load_array(file, key if file.suffix == ".npz" else None, where)
    try:
        from PIL import Image

        with Image.open(file, formats=["PNG"]) as image:
            pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except Exception as error:
        raise UsageError(f"{where}: {file}: not a readable PNG ({error})") from error
    return np.atleast_3d(pixels).astype(np.float32) / 255


def _ready(data: Array, preprocess: Preprocess, input_shape: Sequence[int], where: str) -> Array:
    if not np.issubdtype(data.dtype, np.number) or np.iscomplexobj(data):
        raise UsageError(f"{where}: holds {data.dtype}, want numbers")
    if not _LEAST_SAMPLES <= len(data) <= MAX_SAMPLES:
        raise UsageError(f"{where}: {len(data)} samples, want {_LEAST_SAMPLES} to {MAX_SAMPLES}")
    wanted = nhwc_shape(input_shape)[1:]
    images: Array = data.astype(np.float32)
    if images.ndim == 5 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim == 4 and preprocess.layout == "nchw":
        images = images.transpose(0, 2, 3, 1)
    if images.shape[1:] != wanted:
        raise UsageError(
            f"{where}: holds {list(data.shape)}, want [N, {', '.join(map(str, wanted))}] "
            "(images NHWC; set preprocess.layout: nchw if they are not)"
        )
    for name, values in (("mean", preprocess.mean), ("std", preprocess.std)):
        if values and len(values) not in (1, wanted[-1]):
            raise UsageError(
                f"{where}: preprocess.{name} has {len(values)} values, want {wanted[-1]}"
            )
    if preprocess.mean:
        images = images - np.asarray(preprocess.mean, np.float32)
    if preprocess.std:
        images = images / np.asarray(preprocess.std, np.float32)
    if not np.isfinite(images).all():
        raise UsageError(f"{where}: holds values that are not finite")
    if images.min() == images.max():
        raise UsageError(f"{where}: every value is {images.min():g}; that calibrates nothing")
    return np.ascontiguousarray(images)


def nhwc_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """ONNX's shape as TensorFlow has it: images NCHW become NHWC."""
    if len(shape) == 4:
        return (shape[0], shape[2], shape[3], shape[1])
    return tuple(shape)


def as_onnx_feed(images: Array) -> Array:
    """[N, H, W, C] → [N, 1, C, H, W]: one batch of one per sample, as ONNX wants it."""
    ordered = images.transpose(0, 3, 1, 2) if images.ndim == 4 else images
    return np.ascontiguousarray(ordered[:, np.newaxis])
