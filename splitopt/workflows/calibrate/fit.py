"""Fits a line from estimated to measured instructions, and its error on models left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from splitopt.cost.costs import Correction, Preparation, Scale


@dataclass(frozen=True)
class Point:
    """One model: what was estimated before, and what was counted, in instructions."""

    estimated: float
    measured: float


def fit(points: Sequence[Point]) -> Correction:
    """measured = constant + factor · estimated, with least squares of the relative error.

    Its errors are those of each point under a line fitted without it.
    """
    constant, factor = _line(points)
    errors = [_error(_line([*points[:k], *points[k + 1 :]]), points[k]) for k in range(len(points))]
    line = {"constant_insn": round(constant, 3), "factor": round(factor, 6)}
    return Correction(**line, samples=len(points), **_summary(errors))


def fit_scale(points: Sequence[Point]) -> Scale:
    """measured = factor · estimated. Its errors are those of each point under a factor fitted
    without it."""
    lines = [(0.0, _through_zero([*points[:k], *points[k + 1 :]])) for k in range(len(points))]
    errors = [_error(line, point) for line, point in zip(lines, points, strict=True)]
    factor = round(_through_zero(points), 6)
    return Scale(factor=factor, samples=len(points), **_summary(errors))


def fit_prepare(
    points: Sequence[Point], built_in: float, weights: Sequence[float] | None = None
) -> tuple[Preparation, float]:
    """(instructions that AllocateTensors takes for an op of this type, correction for each of its
    `weights`): `built_in` plus what the built-in estimates miss. Errors as in `fit`."""
    count = len(points)
    rests = np.array([p.measured - p.estimated for p in points])
    rows = np.column_stack([np.ones(count), *([] if weights is None else [weights])])

    def solve(keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = np.linalg.lstsq(rows[keep], rests[keep], rcond=None)[0]
        return found

    errors = [
        abs(float(rows[k] @ solve(np.arange(count) != k)) - rests[k]) / points[k].measured
        for k in range(count)
    ]
    constant, *slopes = solve(np.ones(count, bool))
    insn = round(max(0.0, built_in + float(constant)), 2)
    entry = Preparation(insn=insn, samples=count, **_summary(errors))
    return entry, float(slopes[0]) if slopes else 0.0


def estimate_errors(points: Sequence[Point]) -> dict[str, float]:
    """Mean and worst relative error of the estimates, uncorrected."""
    return _summary([_error((0.0, 1.0), point) for point in points])


def _summary(errors: Sequence[float]) -> dict[str, float]:
    mean, worst = float(np.mean(errors)), float(max(errors))
    return {"mean_error": round(mean, 6), "worst_error": round(worst, 6)}


def _through_zero(points: Sequence[Point]) -> float:
    """The factor of a line through zero, with least squares of the relative error."""
    ratios = np.array([p.estimated / p.measured for p in points])
    return float(ratios.sum() / (ratios**2).sum())


def _line(points: Sequence[Point]) -> tuple[float, float]:
    """With too few points, or where a line would run downwards, a factor through zero."""
    spread = {point.estimated for point in points}
    if len(points) < 3 or len(spread) < 2:
        return 0.0, _through_zero(points)
    rows = np.array([[1 / p.measured, p.estimated / p.measured] for p in points])
    (constant, factor), *_ = np.linalg.lstsq(rows, np.ones(len(points)), rcond=None)
    if factor <= 0:
        return 0.0, _through_zero(points)
    return float(constant), float(factor)


def _error(line: tuple[float, float], point: Point) -> float:
    constant, factor = line
    return abs(constant + factor * point.estimated - point.measured) / point.measured
