"""Measured against estimated: a line for each op type, and how far it errs on what it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from splitopt.cost.costs import Correction, Preparation


@dataclass(frozen=True)
class Point:
    """One model: what was estimated before, and what was counted, in instructions."""

    estimated: float
    measured: float


def fit(points: Sequence[Point]) -> Correction:
    """measured = constant + factor · estimated, least squares of the relative error.

    Its errors are those of each point under a line fitted without it.
    """
    constant, factor = _line(points)
    errors = [_error(_line([*points[:k], *points[k + 1 :]]), points[k]) for k in range(len(points))]
    return Correction(
        constant_insn=round(constant, 3),
        factor=round(factor, 6),
        samples=len(points),
        mean_error=round(float(np.mean(errors)), 6),
        worst_error=round(max(errors), 6),
    )


def fit_prepare(
    points: Sequence[Point], built_in: float, weights: Sequence[int] | None = None
) -> tuple[Preparation, float]:
    """What an op of this type adds whatever its shape, and what each of its `weights` adds, as far
    as the built-in estimates of AllocateTensors miss it. Errors as in `fit`."""
    rests = np.array([p.measured - p.estimated for p in points])
    columns = [np.ones(len(points))] + ([] if weights is None else [np.array(weights, float)])
    rows = np.column_stack(columns)

    def solve(keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = np.linalg.lstsq(rows[keep], rests[keep], rcond=None)[0]
        return found

    everything = np.ones(len(points), bool)
    missed = [
        abs(float(rows[k] @ solve(np.arange(len(points)) != k)) - rests[k]) / points[k].measured
        for k in range(len(points))
    ]
    constant, *slopes = solve(everything)
    entry = Preparation(
        insn=round(max(0.0, built_in + float(constant)), 2),
        samples=len(points),
        mean_error=round(float(np.mean(missed)), 6),
        worst_error=round(float(max(missed)), 6),
    )
    return entry, float(slopes[0]) if slopes else 0.0


def relative_errors(points: Sequence[Point]) -> tuple[float, float]:
    """(mean, worst) of the estimates as they are."""
    errors = [_error((0.0, 1.0), point) for point in points]
    return float(np.mean(errors)), max(errors)


def through_zero(points: Sequence[Point]) -> float:
    """The factor alone, least squares of the relative error."""
    ratios = np.array([p.estimated / p.measured for p in points])
    return float(ratios.sum() / (ratios**2).sum())


def _line(points: Sequence[Point]) -> tuple[float, float]:
    """With too few points, or where a line would run downwards, a factor through zero."""
    spread = {point.estimated for point in points}
    if len(points) < 3 or len(spread) < 2:
        return 0.0, through_zero(points)
    rows = np.array([[1 / p.measured, p.estimated / p.measured] for p in points])
    (constant, factor), *_ = np.linalg.lstsq(rows, np.ones(len(points)), rcond=None)
    if factor <= 0:
        return 0.0, through_zero(points)
    return float(constant), float(factor)


def _error(line: tuple[float, float], point: Point) -> float:
    constant, factor = line
    return abs(constant + factor * point.estimated - point.measured) / point.measured
