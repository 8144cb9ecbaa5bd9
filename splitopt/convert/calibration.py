"""Samples for calibration and for the check after it, as the float model's input wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from splitopt.base.errors import ToolError, UsageError
from splitopt.base.files import open_file
from splitopt.runtime.arrays import MAX_DATA_BYTES, Array, load_array

MAX_SAMPLES = 4096
HELD_OUT_SHARE = 5  # one in five
_LEAST_SAMPLES = 2
WITH_CHANNELS = (3, 4, 5)
_FOLDER_TYPES = frozenset({".npy", ".npz", ".png"})


@dataclass(frozen=True)
class Preprocess:
    """(x - mean) / std per channel, on data whose images lie as `layout` says."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: str = "nhwc"


@dataclass(frozen=True)
class Samples:
    """`calibration` and `held_out`: float32 [N, ...], images NHWC; `labels` of the held-out.
    `layout`: what the data were taken for."""

    calibration: Array
    held_out: Array
    labels: Array | None
    layout: str = "nhwc"


def load_samples(
    path: Path,
    key: str | None,
    test_key: str | None,
    label_key: str | None,
    preprocess: Preprocess,
    input_shape: Sequence[int | None],
    where: str,
    *,
    channels_first: bool = True,
    may_be_nchw: bool = False,
) -> Samples:
    """Samples as the model wants them, channels last.

    `may_be_nchw`: data that are of the model's shape with channels first, and not with channels
    last, are taken for nchw.
    `input_shape` is the model's, batch included, with channels first where it is of ONNX.
    Without a test key, the last fifth is held out and not calibrated on; labels are then those of
    all samples, or of the held-out ones only.
    Raises UsageError that names the file, what it holds and what is wanted.
    """
    shape = nhwc_shape(input_shape) if channels_first else tuple(input_shape)
    data = _load(path, key, shape, where)
    if may_be_nchw and is_nchw_only(data.shape, shape[1:]):
        preprocess = replace(preprocess, layout="nchw")
    wanted = _wanted(shape, preprocess.layout, may_be_nchw=may_be_nchw)
    given = _ready(data, preprocess, shape, _named(where, path, key), wanted)
    if test_key is not None:
        held = _load(path, test_key, shape, where)
        held = _ready(held, preprocess, shape, _named(where, path, test_key), wanted)
    else:
        cut = len(given) - max(1, len(given) // HELD_OUT_SHARE)
        given, held = given[:cut], given[cut:]
    if label_key is None:
        return Samples(given, held, None, preprocess.layout)
    labels = load_array(path, label_key, where)
    if test_key is None and labels.shape == (len(given) + len(held),):
        labels = labels[len(given) :]
    if labels.shape != (len(held),) or not np.issubdtype(labels.dtype, np.integer):
        raise UsageError(
            f"{where}: {path}: {label_key!r} holds {labels.dtype}{list(labels.shape)}, want one "
            f"integer for each of {len(held)} held-out samples"
        )
    return Samples(given, held, labels, preprocess.layout)


def folder_files(folder: Path) -> list[Path]:
    """The files of a folder that hold samples, by name."""
    return sorted(f for f in folder.iterdir() if f.suffix in _FOLDER_TYPES and f.is_file())


def _load(path: Path, key: str | None, shape: Sequence[int | None], where: str) -> Array:
    if not path.is_dir():
        return load_array(path, key, where)
    files = folder_files(path)
    if not files:
        raise UsageError(f"{where}: {path}: no .npy, .npz or .png file in this folder")
    if len(files) > MAX_SAMPLES:
        raise UsageError(f"{where}: {path}: {len(files)} files; at most {MAX_SAMPLES} are read")
    samples: list[Array] = []
    for file in files:
        samples.append(_sample(file, key, shape, where))
        if samples[-1].shape != samples[0].shape:
            raise UsageError(f"{where}: {file}: another shape than {files[0].name} has")
        if samples[0].nbytes * len(files) > MAX_DATA_BYTES:
            raise UsageError(
                f"{where}: {path}: {len(files)} samples of {samples[0].nbytes:,} bytes; want at "
                f"most {MAX_DATA_BYTES:,} bytes in all"
            )
    return np.stack(samples)


def _sample(file: Path, key: str | None, shape: Sequence[int | None], where: str) -> Array:
    """One sample; a PNG comes as [H, W, C] from 0 to 1, and is decoded where its header claims the
    model's size ([N, H, W, C])."""
    if file.suffix != ".png":
        return load_array(file, key if file.suffix == ".npz" else None, where)
    try:
        from PIL import Image
    except ImportError as error:
        raise ToolError("PNG samples need pillow: pip install 'splitopt[onnx]'") from error
    try:
        with open_file(file) as data, Image.open(data, formats=["PNG"]) as image:
            _check_size(image.size, shape, f"{where}: {file}")
            pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{where}: {file}: not a readable PNG ({error})") from error
    return np.atleast_3d(pixels).astype(np.float32) / 255


def _check_size(size: tuple[int, int], shape: Sequence[int | None], where: str) -> None:
    """`size`: width and height. Two small files of one colour can claim 5 GB."""
    wanted = shape[1:3] if len(shape) == len("NHWC") else ()
    width, height = size
    known = [extent for extent in wanted if extent is not None]
    fits = all(n in (None, m) for n, m in zip(wanted, (height, width), strict=False))
    if not fits or width * height * 12 > MAX_DATA_BYTES:
        want = " x ".join(map(str, reversed(known))) or f"at most {MAX_DATA_BYTES:,} bytes of float"
        raise UsageError(f"{where}: is {width} x {height} pixels, want {want}; resize it")


def _named(where: str, path: Path, key: str | None) -> str:
    return f"{where}: {path}" if key is None else f"{where}: {path}: {key!r}"


def _wanted(shape: tuple[int | None, ...], layout: str, *, may_be_nchw: bool) -> str:
    """The shapes that data may have, `shape` being the model's with channels last."""
    last = f"[N, {', '.join(map(str, shape[1:]))}]"
    if len(shape) not in WITH_CHANNELS:
        return last
    first = f"[N, {', '.join(map(str, (*shape[-1:], *shape[1:-1])))}]"
    if layout == "nchw":
        return f"{first} (channels first, as preprocess.layout says)"
    if may_be_nchw:
        return f"{last} or {first}"
    return (
        f"{last} (channels last; for data with channels first, write into the job, at its top "
        "level, preprocess: {layout: nchw}; splitopt init writes a job for a model)"
    )


def _ready(
    data: Array, preprocess: Preprocess, shape: tuple[int | None, ...], where: str, want: str
) -> Array:
    if not np.issubdtype(data.dtype, np.number) or np.iscomplexobj(data):
        raise UsageError(f"{where}: holds {data.dtype}, want numbers")
    if not data.ndim:
        raise UsageError(f"{where}: holds a single number, want samples")
    if not _LEAST_SAMPLES <= len(data) <= MAX_SAMPLES:
        raise UsageError(f"{where}: {len(data)} samples, want {_LEAST_SAMPLES} to {MAX_SAMPLES}")
    wanted = shape[1:]
    images = data.astype(np.float32).reshape(len(data), *without_batch(data.shape, len(wanted)))
    if preprocess.layout == "nchw":
        images = channels_last(images)
    if images.shape[1:] != wanted:
        raise UsageError(f"{where}: holds {list(data.shape)}, want {want}")
    for name, values in (("mean", preprocess.mean), ("std", preprocess.std)):
        if values and len(values) not in (1, wanted[-1]):
            raise UsageError(
                f"{where}: preprocess.{name} has {len(values)} values, want {wanted[-1]}"
            )
    if 0 in preprocess.std:
        raise UsageError(f"{where}: preprocess.std holds a 0; want numbers above 0")
    images = preprocessed(images, preprocess)
    if not np.isfinite(images).all():
        raise UsageError(f"{where}: holds values that are not finite")
    if images.min() == images.max():
        raise UsageError(f"{where}: every value is {images.min():g}; that calibrates nothing")
    return np.ascontiguousarray(images)


def without_batch(shape: Sequence[int], rank: int) -> tuple[int, ...]:
    """The shape of one sample of [N, ...] or [N, 1, ...]. `rank`: of the model's input, less its
    batch."""
    inner = tuple(shape[1:])
    return inner[1:] if len(inner) == rank + 1 and inner[0] == 1 else inner


def is_nchw_only(shape: Sequence[int], wanted: tuple[int | None, ...]) -> bool:
    """Whether data of `shape` [N, ...] fit `wanted`, a sample with channels last, as nchw only."""
    first = (*wanted[-1:], *wanted[:-1])
    inner = without_batch(shape, len(wanted)) if shape else ()
    return len(inner) + 1 in WITH_CHANNELS and inner == first != wanted


def data_shape(path: Path, key: str | None, where: str) -> tuple[int, ...]:
    """[N, ...] of data as they lie. Raises UsageError."""
    return _load(path, key, (), where).shape


def preprocessed(images: Array, preprocess: Preprocess) -> Array:
    """(x - mean) / std over the last axis; the layout is left as it is."""
    if preprocess.mean:
        images = images - np.asarray(preprocess.mean, np.float32)
    if preprocess.std:
        images = images / np.asarray(preprocess.std, np.float32)
    return images


def nhwc_shape(shape: Sequence[int | None]) -> tuple[int | None, ...]:
    """ONNX's shape as onnx2tf makes it: NCW, NCHW and NCDHW get their channels last."""
    if len(shape) in WITH_CHANNELS:
        return (shape[0], *shape[2:], shape[1])
    return tuple(shape)


def channels_last(values: Array) -> Array:
    """[N, C, H, W] as ONNX has it → [N, H, W, C]."""
    moved = np.moveaxis(values, 1, -1) if values.ndim in WITH_CHANNELS else values
    return np.ascontiguousarray(moved)


def as_onnx_feed(images: Array) -> Array:
    """[N, H, W, C] → [N, 1, C, H, W]: one batch of one per sample, as ONNX wants it."""
    ordered = np.moveaxis(images, -1, 1) if images.ndim in WITH_CHANNELS else images
    return np.ascontiguousarray(ordered[:, np.newaxis])


MAX_HELD_OUT = 256


@dataclass(frozen=True)
class HeldOut:
    """Samples [N, ...] of each input of the int8 model, channels last, what the float model makes
    of them (for each of its outputs, as ONNX has it), and their labels, if there are any."""

    inputs: tuple[Array, ...]
    reference: tuple[Array, ...]
    labels: Array | None

    @property
    def count(self) -> int:
        return len(self.inputs[0])
