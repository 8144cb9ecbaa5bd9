"""How alike the values of ONNX tensors and TFLite tensors are, in every layout that fits.

Independent of both formats. Sums are kept per pair of tensors, so samples may come one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from splitopt.runtime.worker_process import Array

Axes = tuple[int, ...]

CEILING_DB = 100.0
_ELEMENTS = 1 << 14  # of a tensor that are compared; spread at random, the same for all
_MAX_PERMUTED_RANK = 5
_PREFERRED = ("nhwc", "same", "axes", "reshaped", "nhwc, reshaped")


@dataclass(frozen=True)
class Likeness:
    """A TFLite tensor against an ONNX tensor, whose mean square is the signal of `sqnr_db`.

    `merit_db` has the variance of the TFLite tensor as its signal: of two ONNX tensors, the one
    with the higher merit differs less. A tensor of one value only has the quantisation step.
    """

    sqnr_db: float
    merit_db: float
    layout: str

    @property
    def same_shape(self) -> bool:
        """Axes may have moved, but none was merged or split."""
        return not self.layout.endswith("reshaped")

    @property
    def preference(self) -> tuple[float, int]:
        kind = "axes" if self.layout.startswith("axes") else self.layout
        return round(self.merit_db, 2), -_PREFERRED.index(kind)


def layout_name(shape: tuple[int, ...], axes: Axes, wanted: tuple[int, ...]) -> str | None:
    """How an array of `shape`, its axes reordered, stands in the shape `wanted`."""
    fits = tuple(shape[axis] for axis in axes) == wanted
    if axes == tuple(range(len(shape))):
        return "same" if fits else "reshaped"
    if axes == _channels_last(len(shape)):
        return "nhwc" if fits else "nhwc, reshaped"
    return f"axes {','.join(map(str, axes))}" if fits else None


def _channels_last(rank: int) -> Axes:
    return (0, *range(2, rank), 1) if rank > 2 else tuple(range(rank))


class Comparison:
    """Takes samples in, and then says how alike each pair of the same number of elements is.

    `steps`: TFLite tensor → its quantisation step (0: none).
    """

    def __init__(self, steps: Mapping[int, float]) -> None:
        self._steps = steps
        self._groups: dict[int, _Group] = {}

    def add(self, onnx: Mapping[str, Array], tflite: Mapping[int, Array]) -> None:
        """One sample: real values by tensor, the same tensors in the same shapes every time."""
        for size in {array.size for array in tflite.values()} - {0}:
            ours = {t: a for t, a in tflite.items() if a.size == size}
            theirs = {n: a for n, a in onnx.items() if a.size == size and a.dtype.kind in "fiub"}
            if theirs:
                if size not in self._groups:
                    self._groups[size] = _Group(size, theirs, ours)
                self._groups[size].add(theirs, ours)

    def table(self) -> dict[int, dict[str, Likeness]]:
        """TFLite tensor → ONNX tensor → likeness in the layout that fits best."""
        found: dict[int, dict[str, Likeness]] = {}
        for group in self._groups.values():
            for tensor, name, likeness in group.likenesses(self._steps):
                row = found.setdefault(tensor, {})
                row[name] = max(row.get(name, likeness), likeness, key=lambda one: one.preference)
        return found


class _Group:
    """Sums over all tensors of `size` elements; a row is an ONNX tensor in one order of axes."""

    def __init__(self, size: int, onnx: Mapping[str, Array], tflite: Mapping[int, Array]) -> None:
        draw = np.random.default_rng(0).choice(size, _ELEMENTS) if size > _ELEMENTS else range(size)
        self._picked = np.sort(np.asarray(draw))
        self._shapes = {tensor: array.shape for tensor, array in tflite.items()}
        wanted = {*self._shapes.values()}
        self._rows = [
            (name, array.shape, axes)
            for name, array in onnx.items()
            for axes in _axes(array.shape, wanted)
        ]
        self._count = 0
        rows, columns = len(self._rows), len(self._shapes)
        self._product, self._onnx_square = np.zeros((rows, columns)), np.zeros(rows)
        self._tflite_sum, self._tflite_square = np.zeros(columns), np.zeros(columns)

    def add(self, onnx: Mapping[str, Array], tflite: Mapping[int, Array]) -> None:
        rows = np.stack([self._flat(onnx[name].transpose(axes)) for name, _, axes in self._rows])
        columns = np.stack([self._flat(tflite[tensor]) for tensor in self._shapes])
        self._count += rows.shape[1]
        self._product += rows @ columns.T
        self._onnx_square += np.square(rows).sum(axis=1)
        self._tflite_sum += columns.sum(axis=1)
        self._tflite_square += np.square(columns).sum(axis=1)

    def _flat(self, array: Array) -> Array:
        flat: Array = array.reshape(-1)[self._picked].astype(np.float64)
        return np.nan_to_num(flat, posinf=1e6, neginf=-1e6)

    def likenesses(self, steps: Mapping[int, float]) -> Iterator[tuple[int, str, Likeness]]:
        # sum (a - b)² = sum a² + sum b² - 2 sum ab; the variance is that of the TFLite tensor
        error = self._onnx_square[:, None] + self._tflite_square - 2 * self._product
        varied = self._tflite_square - np.square(self._tflite_sum) / self._count
        for column, (tensor, wanted) in enumerate(self._shapes.items()):
            least = self._count * steps[tensor] ** 2 / 12  # rounding to a step makes step² / 12
            for row, (name, shape, axes) in enumerate(self._rows):
                layout = layout_name(shape, axes, wanted)
                if layout is not None:
                    wrong = float(error[row, column])
                    sqnr_db = _decibels(float(self._onnx_square[row]), wrong)
                    merit_db = _decibels(max(float(varied[column]), least), wrong)
                    yield tensor, name, Likeness(sqnr_db, merit_db, layout)


def _axes(shape: tuple[int, ...], wanted: set[tuple[int, ...]]) -> list[Axes]:
    """The orders of axes to try: as it is, channels last, and all that fit a wanted shape."""
    rank = len(shape)
    found = {tuple(range(rank)): None, _channels_last(rank): None}
    if 1 < rank <= _MAX_PERMUTED_RANK:
        for rest in permutations(range(1, rank)):
            if tuple(shape[axis] for axis in (0, *rest)) in wanted:
                found[0, *rest] = None
    return list(found)


def _decibels(signal: float, noise: float) -> float:
    """Within ±CEILING_DB: the ceiling without noise, its negative without a signal."""
    least = 10 ** (-CEILING_DB / 10)
    if noise <= signal * least:
        return CEILING_DB
    return float(10 * np.log10(max(signal / noise, least)))
