"""An integer model equals the model with float ends that it was taken from, bit for bit.

The model as given is run in TFLM on floats, and what its own QUANTIZE made of them is kept. The
integer model, fed with these, must make what the model as given hands to its DEQUANTIZE. And the
two sentences that an application follows must hold: `quantised` makes the same of the floats as
QUANTIZE, `real_values` the same floats of the integers as DEQUANTIZE.
Source of both: tensorflow/lite/kernels/internal/reference/{quantize,dequantize,requantize}.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from splitopt.base.text import printable
from splitopt.convert.integer_io import End, IntegerIo
from splitopt.graph.model import Tensor
from splitopt.runtime.arrays import Array, difference, numpy_dtype, random_inputs
from splitopt.verify.chains import run_whole
from splitopt.verify.check import Check, CheckStatus

_COMPARED = "integer inputs and outputs = the model with float ones in TFLM"
_BEYOND = 16  # levels on both sides of the range, which are clipped


def io_check(
    io: IntegerIo, given: Path, model: Path, count: int, seed: int, timeout_s: float
) -> Check:
    """`given`, `model`: the files of the model as given and of the integer one.

    Raises ToolError where TFLM cannot run one of them.
    """
    fed = dict(zip(io.given.inputs, _feeds(io, count, seed), strict=True))
    ends = (*io.inputs, *io.outputs)
    inner = [end.given for end in ends if end.given not in (*fed, *io.given.outputs)]
    want = {**fed, **run_whole(io.given, given, fed, timeout_s, inner)}
    integers = {end.tensor: want[end.given] for end in io.inputs}
    got = run_whole(io.graph, model, integers, timeout_s)
    worst = 0.0
    for what, a, b in _pairs(io, want, got):
        worst = max(worst, difference(a, b))
        if a.dtype != b.dtype or a.tobytes() != b.tobytes():
            return Check("io", CheckStatus.FAILED, _COMPARED, count, worst, f"{what} differs")
    return Check("io", CheckStatus.PASSED, _COMPARED, count, worst)


def _pairs(
    io: IntegerIo, want: Mapping[int, Array], got: Mapping[int, Array]
) -> Iterator[tuple[str, Array, Array]]:
    for outer, end in zip(io.given.inputs, io.inputs, strict=True):
        if end.is_changed:
            by_rule = quantised(want[outer], io.graph.tensors[end.tensor])
            yield f"what QUANTIZE makes of input {_named(end)}", want[end.given], by_rule
    for outer, end in zip(io.given.outputs, io.outputs, strict=True):
        yield f"output {_named(end)}", want[end.given], got[end.tensor]
        if end.is_changed:
            dtype = numpy_dtype(io.given.tensors[outer])
            by_rule = real_values(got[end.tensor], io.graph.tensors[end.tensor], dtype)
            yield f"what DEQUANTIZE makes of output {_named(end)}", want[outer], by_rule


def _named(end: End) -> str:
    return repr(printable(end.name))


def _feeds(io: IntegerIo, count: int, seed: int) -> list[Array]:
    """Of an input that was float: values over the whole range of the integers and beyond, one in
    four half way between two levels."""
    random = np.random.default_rng(seed)
    feeds = random_inputs(io.given, count, seed)
    for position, end in enumerate(io.inputs):
        if end.is_changed and feeds[position].dtype == np.float32:
            tensor = io.graph.tensors[end.tensor]
            limits, (scale, zero_point) = np.iinfo(numpy_dtype(tensor)), _affine(tensor)
            shape = feeds[position].shape
            levels = random.uniform(limits.min - _BEYOND, limits.max + _BEYOND, shape)
            halves = random.random(shape) < 0.25
            levels[halves] = np.floor(levels[halves]) + 0.5
            feeds[position] = ((levels - zero_point) * scale).astype(np.float32)
    return feeds


def quantised(values: Array, tensor: Tensor) -> Array:
    """As TFLM's QUANTIZE: x / scale in float32, rounded with halves away from zero, clipped."""
    scale, zero_point = _affine(tensor)
    dtype = numpy_dtype(tensor)
    if values.dtype == np.uint8:
        return (values.astype(np.int16) - 128).astype(dtype)
    ratio = values / np.float32(scale)
    levels = np.copysign(np.floor(np.abs(ratio.astype(np.float64)) + 0.5), ratio) + zero_point
    limits = np.iinfo(dtype)
    clipped: Array = np.clip(levels, limits.min, limits.max).astype(dtype)
    return clipped


def real_values(integers: Array, tensor: Tensor, dtype: np.dtype[np.generic]) -> Array:
    """As TFLM's DEQUANTIZE: scale · (integer - zero point) in float64, rounded to float32; as its
    QUANTIZE to UINT8: 128 more."""
    scale, zero_point = _affine(tensor)
    if dtype == np.uint8:
        return (integers.astype(np.int16) + 128).astype(np.uint8)
    return (float(np.float32(scale)) * (integers.astype(np.float64) - zero_point)).astype(dtype)


def _affine(tensor: Tensor) -> tuple[float, int]:
    assert tensor.quantization is not None, "an integer end has a scale"
    return tensor.quantization.scales[0], tensor.quantization.zero_points[0]
