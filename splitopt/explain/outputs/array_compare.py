"""Stored integers and real values: how far apart two are, what a quantisation can represent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from splitopt.base.errors import UsageError
from splitopt.graph.model import Tensor
from splitopt.runtime.arrays import Array, dequantised, numpy_dtype, quantise

EQUAL_DB = 200.0
RIGHT_DB = 25.0
"""From here on two int8 computations of the same thing count as one: 6 % of the signal apart."""
WRONG_DB = 15.0
"""Below this they do not: more than 18 % of the signal apart."""
_FEW_LSB = 1.5
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


def stored(values: Array, tensor: Tensor) -> Array:
    """Real values [N, ...] as the tensor stores them, in the tensor's shape."""
    return quantise(values, tensor).reshape(len(values), *tensor.shape)


@dataclass(frozen=True, slots=True)
class Distance:
    """How far `got` is from `want`, both in real values. `lsb` counts steps of want's grid."""

    sqnr_db: float
    largest: float
    lsb: float | None

    @property
    def is_right(self) -> bool:
        return self.sqnr_db >= RIGHT_DB or self._is_rounding

    @property
    def is_wrong(self) -> bool:
        return self.sqnr_db < WRONG_DB and not self._is_rounding

    @property
    def _is_rounding(self) -> bool:
        return self.lsb is not None and self.lsb <= _FEW_LSB

    def __str__(self) -> str:
        return "equal" if self.sqnr_db >= EQUAL_DB else f"SQNR {self.sqnr_db:.1f} dB"


def distance(want: Array, got: Array, grid: Grid | None = None) -> Distance:
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
    return Distance(_decibels(signal, noise), largest, lsb)


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return EQUAL_DB
    ratio = max(signal, 1e-300) / noise
    return float(np.clip(10 * math.log10(max(ratio, 1e-20)), -EQUAL_DB, EQUAL_DB - 1))


def is_constant(values: Array) -> bool:
    """Every sample gives the same; False for a single sample, which tells nothing."""
    return len(values) > 1 and bool((values == values[:1]).all())


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
