"""Stored integers and real values: how far apart two are, what a quantisation can represent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from splitopt.base.errors import UsageError
from splitopt.bundle.schema.outputs import EQUAL_DB, Difference
from splitopt.graph.model import Tensor
from splitopt.runtime.arrays import Array, dequantised, is_constant, numpy_dtype, quantise

_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that a tensor can hold: real = scale · (integer - zero point)."""

    scale: float
    zero_point: int
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low

    def clipped(self, values: Array) -> Array:
        """True where a value lies outside, by more than rounding."""
        outside: Array = (values < self.low - self.scale / 2) | (
            values > self.high + self.scale / 2
        )
        return outside

    def __str__(self) -> str:
        return f"scale {self.scale:.6g}, zero point {self.zero_point}"


def grid_of(tensor: Tensor) -> Grid | None:
    """None for element types without a scale. Its scale may be no positive number: see `sound`."""
    if tensor.quantization is None or not np.issubdtype(numpy_dtype(tensor), np.integer):
        return None
    scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
    limits = np.iinfo(numpy_dtype(tensor))
    low, high = ((float(q) - zero_point) * scale for q in (limits.min, limits.max))
    return Grid(scale, zero_point, low, high)


def sound(tensor: Tensor) -> bool:
    """Whether values can be stored in it: a type that can be fed, a scale above 0."""
    try:
        grid = grid_of(tensor)
    except UsageError:
        return False
    if grid is None:
        return True
    return math.isfinite(grid.scale) and grid.scale > 0 and abs(grid.zero_point) < 2**31


real = dequantised
"""Stored integers as real values."""


def stored(values: Array, tensor: Tensor) -> Array:
    """Real values [N, ...] as the tensor stores them, in the tensor's shape."""
    return quantise(values, tensor).reshape(len(values), *tensor.shape)


def distance(want: Array, got: Array, grid: Grid | None = None) -> Difference:
    """Both of the same number of elements per sample; what is not finite counts as far apart."""
    signal = noise = largest = 0.0
    flat_want, flat_got = want.reshape(-1), got.reshape(-1)
    for at in range(0, flat_want.size, _BLOCK):
        a = flat_want[at : at + _BLOCK].astype(np.float64)
        b = flat_got[at : at + _BLOCK].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.nan_to_num(np.abs(a - b), nan=1e30, posinf=1e30)
            signal += float(np.square(np.nan_to_num(a)).sum())
            noise += float(np.square(apart).sum())
        largest = max(largest, float(apart.max(initial=0.0)))
    lsb = None if grid is None else largest / grid.scale
    return Difference(sqnr_db=_decibels(signal, noise), largest=largest, lsb=lsb)


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return EQUAL_DB
    ratio = max(signal, 1e-300) / noise
    return float(np.clip(10 * math.log10(max(ratio, 1e-20)), -EQUAL_DB, EQUAL_DB - 1))


def hardly_varies(values: Array, want: Array) -> bool:
    """Constant over samples, or all but: under a hundredth of the variation of `want`."""
    if len(values) < 2 or is_constant(want):
        return False
    varies, should = (float(v.reshape(len(v), -1).var(axis=0).sum()) for v in (values, want))
    return varies < 1e-4 * should


def share(mask: Array) -> float:
    return float(mask.mean()) if mask.size else 0.0


def percent(part: float) -> str:
    """A share of one for people: `12.5 %`; never `0.0 %` for what is not nothing."""
    shown = f"{100 * part:.1f} %"
    return "under 0.1 %" if part > 0 and shown == "0.0 %" else shown


def span(low: float, high: float) -> str:
    return f"{low:.4g} to {high:.4g}"
