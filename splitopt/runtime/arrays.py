"""Inputs to run a model on: random ones, and a user's own, in the model's element types."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from splitopt.base.errors import UsageError
from splitopt.base.files import open_file
from splitopt.base.text import first_few
from splitopt.graph.model import ModelGraph, Tensor

Array = npt.NDArray[Any]
MAX_DATA_BYTES = 1 << 30
_NUMPY = {
    "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "UINT8": np.uint8, "UINT32": np.uint32, "UINT64": np.uint64, "BOOL": np.bool_,
    "FLOAT16": np.float16, "FLOAT32": np.float32, "FLOAT64": np.float64,
    "COMPLEX64": np.complex64, "COMPLEX128": np.complex128,
}  # fmt: skip
"""The element types whose values TFLM's interpreter for Python takes.

Source: NumPyTypeToTfLiteType of python/tflite_micro/numpy_utils.cc.
"""


def random_inputs(graph: ModelGraph, count: int, seed: int) -> list[Array]:
    """One array [count, *shape] per model input: integers over their whole range, floats in ±1.

    The first two samples are the extremes: all values at the minimum, all at the maximum.
    """
    random = np.random.default_rng(seed)
    return [random_values(graph.tensors[index], count, random) for index in graph.inputs]


def random_values(tensor: Tensor, count: int, random: np.random.Generator) -> Array:
    dtype = numpy_dtype(tensor)
    shape = (count, *tensor.shape)
    if dtype == np.bool_:
        return random.integers(0, 2, shape).astype(np.bool_)
    if np.issubdtype(dtype, np.inexact):
        low, high = -1.0, 1.0
        samples = random.uniform(low, high, shape).astype(dtype)
    else:
        wide = dtype.itemsize > 2
        low, high = (0, 8) if wide else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        samples = random.integers(low, high, shape, dtype=dtype, endpoint=not wide)
    samples[0] = low
    samples[1:2] = high if not np.issubdtype(dtype, np.integer) or dtype.itemsize <= 2 else low
    return samples


def numpy_dtype(tensor: Tensor) -> np.dtype[Any]:
    """Raises UsageError for an element type that inputs cannot have."""
    try:
        return np.dtype(_NUMPY[tensor.dtype.name])
    except KeyError:
        raise UsageError(
            f"tensor {tensor.index} {tensor.name!r} is {tensor.dtype.name}, of which TFLM's "
            "interpreter takes no values: nothing can be proved on it; --no-verify plans without"
        ) from None


def given_inputs(
    graph: ModelGraph,
    path: Path,
    key: str | None,
    where: str,
    prepare: Callable[[Array], Array] = lambda data: data,
) -> list[Array]:
    """The user's samples; floats go through `prepare` and are quantised like the model's input.

    Raises UsageError that names the file, what it holds and what the model wants.
    """
    if len(graph.inputs) != 1:
        raise UsageError(
            f"{where}: given data feed models of one input; this has {len(graph.inputs)}"
        )
    tensor = graph.tensors[graph.inputs[0]]
    data = load_array(path, key, where)
    want = f"[N, {', '.join(map(str, tensor.shape))}] of {tensor.dtype.name} or float"
    if not data.ndim or data.shape[1:] != tensor.shape:
        batchless = tensor.shape[1:] if tensor.shape[:1] == (1,) else None
        if not data.ndim or data.shape[1:] != batchless:
            raise UsageError(f"{where}: {path} holds {list(data.shape)}, want {want}")
        data = data[:, np.newaxis]
    if not len(data):
        raise UsageError(f"{where}: {path} holds no samples")
    dtype = numpy_dtype(tensor)
    if data.dtype == dtype:
        return [data]
    if not np.issubdtype(data.dtype, np.floating):
        raise UsageError(f"{where}: {path} holds {data.dtype}, want {want}")
    if not np.isfinite(data).all():
        raise UsageError(f"{where}: {path} holds values that are not finite")
    if tensor.quantization is None and not np.issubdtype(dtype, np.floating):
        raise UsageError(
            f"{where}: {path} holds {data.dtype}, want {tensor.dtype.name}: the input has no scale"
        )
    return [quantise(prepare(data), tensor)]


def quantise(data: Array, tensor: Tensor) -> Array:
    """Real values as the tensor stores them, clipped to its range."""
    dtype = numpy_dtype(tensor)
    if tensor.quantization is None or np.issubdtype(dtype, np.floating):
        return data.astype(dtype)
    scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
    limits = np.iinfo(dtype)
    levels = np.round(data.astype(np.float64) / scale) + zero_point
    return np.clip(levels, limits.min, limits.max).astype(dtype)


def dequantised(values: Array, tensor: Tensor) -> Array:
    """The real values of the tensor's integers; floats as they are."""
    if tensor.quantization is None or not np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float64)
    scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
    return (values.astype(np.float64) - zero_point) * scale


def load_array(path: Path, key: str | None, where: str) -> Array:
    """An array from .npy or .npz; never pickled, never larger than MAX_DATA_BYTES."""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{where}: {path} is not a file; want an .npy or .npz file")
        if path.suffix == ".npz":
            return _load_npz(path, key, where)
        if key is not None:
            raise UsageError(
                f"{where}: {path} is not an .npz file; `key` has nothing to choose from"
            )
        with open_file(path) as file:
            return _read_npy(file, f"{where}: {path}")
    except UsageError:
        raise
    except Exception as error:  # numpy's and zipfile's decoders raise many on untrusted input
        raise UsageError(
            f"{where}: {path} is not a readable .npy or .npz file ({error})"
        ) from error


def _read_npy(file: IO[bytes], where: str) -> Array:
    """The array of an .npy file, after a check of the size that its header claims."""
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = read_header[npy.read_magic(file)](file)
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize > MAX_DATA_BYTES:
        raise UsageError(
            f"{where} claims to be {list(shape)} of {dtype}; want at most {MAX_DATA_BYTES:,} bytes"
        )
    file.seek(0)
    data: Array = npy.read_array(file, allow_pickle=False)
    return data


def _load_npz(path: Path, key: str | None, where: str) -> Array:
    with open_file(path) as file, zipfile.ZipFile(file) as archive:
        names = _names_of(archive)
        if not names:
            raise UsageError(f"{where}: {path} holds no array")
        if key is None and len(names) != 1:
            raise UsageError(
                f"{where}: {path} holds {first_few(names)}; say which with `key` in a job, as "
                f"{path.name}:{names[0]} on the command line"
            )
        wanted = names[0] if key is None else key
        if wanted not in names:
            raise _absent(path, wanted, names, where)
        with archive.open(f"{wanted}.npy") as member:
            return _read_npy(member, f"{where}: {path}: {wanted!r}")


def require_arrays(path: Path, keys: Iterable[str], where: str) -> None:
    """Raises UsageError for an array that an .npz lacks; reads its list of arrays only, and leaves
    what else is wrong to `load_array`."""
    if path.suffix != ".npz":
        return
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        names = _names_of(archive)
        for key in keys:
            if key not in names:
                raise _absent(path, key, names, where)


def _names_of(archive: zipfile.ZipFile) -> list[str]:
    members = archive.namelist()
    return [name.removesuffix(".npy") for name in members if name.endswith(".npy")]


def _absent(path: Path, key: str, names: Sequence[str], where: str) -> UsageError:
    held = first_few(names) or "no array"
    return UsageError(f"{where}: {path} has no array {key!r}; it holds {held}")


def is_constant(values: Array) -> bool:
    """Every sample gives the same; False for a single sample, which tells nothing."""
    return len(values) > 1 and bool((values == values[:1]).all())


def arena_bytes(graph: ModelGraph) -> int:
    """More than any interpreter on this machine needs for the model or one of its pieces."""
    # Twice the activations (64 bytes each for records of the planner), 4 KiB an op for its kernel,
    # 128 bytes a channel for its scale, multiplier and shift, and 1 MiB: a multiple of 16 bytes.
    activations = sum(tensor.bytes + 64 for tensor in graph.tensors if not tensor.is_constant)
    channels = sum(len(t.quantization.scales) for t in graph.tensors if t.quantization)
    return 16 * (65536 + 2 * activations // 16 + 256 * len(graph.ops) + 8 * channels)


def difference(a: Array, b: Array) -> float:
    """The largest absolute difference; infinite where only one of two values is NaN, and where
    samples differ in shape."""
    if a.shape[1:] != b.shape[1:]:
        return np.inf
    if a.size == 0:
        return 0.0
    wide = np.complex128 if np.iscomplexobj(a) else np.float64
    wide_a, wide_b = a.astype(wide), b.astype(wide)
    same = (wide_a == wide_b) | (np.isnan(wide_a) & np.isnan(wide_b))
    apart = np.where(same, 0.0, np.abs(wide_a - wide_b))
    return float(np.where(np.isnan(apart), np.inf, apart).max())
