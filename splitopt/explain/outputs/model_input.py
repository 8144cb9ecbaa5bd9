"""Do the samples look like what the model's input was made for? Range, factor, shift, constancy.

Judges samples before quantisation: those that were given as integers tell less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from splitopt.bundle.open import OpenBundle
from splitopt.bundle.schema.outputs import Figure, Finding, InputStatistics, Severity
from splitopt.explain.outputs.array_compare import Grid, grid_of, percent, share, span
from splitopt.explain.outputs.samples import Samples
from splitopt.runtime.arrays import Array, is_constant

_CLIPPED_NOTE = 0.001
_CLIPPED_FAULT = 0.02
_FITS = 0.85
_DOES_NOT_FIT = 0.7
_NARROW = 1 / 16
_LARGEST = 1e100
_MOST_CHANNELS = 8
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Transform = Callable[[Array], Array]


@dataclass(frozen=True)
class _Expected:
    """The range that the input was made for, and how that is known."""

    low: float
    high: float
    known_from: str
    is_calibrated: bool

    @property
    def width(self) -> float:
        return self.high - self.low

    def fit(self, low: float, high: float) -> float:
        """1 where both ends agree, less the further apart they are, in widths."""
        apart = abs(low - self.low) + abs(high - self.high)
        return 1 - apart / max(self.width, 1e-30)


def input_statistics(bundle: OpenBundle, samples: Samples) -> InputStatistics | None:
    """None for random samples, integers, and inputs without a scale."""
    grid = grid_of(bundle.graph.tensors[bundle.graph.inputs[0]])
    if samples.values is None or grid is None:
        return None
    # Squares of larger values are not finite.
    values = np.clip(samples.values.astype(np.float64), -_LARGEST, _LARGEST)
    channels = values.shape[-1] if values.ndim > 2 else 1
    flat = values.reshape(-1, channels if channels <= _MOST_CHANNELS else 1)
    calibrated = bundle.plan.conversion.calibration_range if bundle.plan.conversion else None
    return InputStatistics(
        low=float(values.min()),
        high=float(values.max()),
        mean=tuple(flat.mean(axis=0).tolist()),
        std=tuple(flat.std(axis=0).tolist()),
        can_hold=(grid.low, grid.high),
        calibrated=calibrated,
        clipped_share=share(grid.clipped(values)),
    )


def input_findings(
    bundle: OpenBundle, samples: Samples, statistics: InputStatistics | None
) -> list[Finding]:
    """Nothing for random samples: they are made to fit."""
    if samples.is_random:
        return []
    constant = _constant(samples)
    if constant is not None:
        return [constant]
    grid = grid_of(bundle.graph.tensors[bundle.graph.inputs[0]])
    if statistics is None or grid is None:
        return []
    expected = _expected(bundle, grid)
    prepared = _preparation(bundle, samples, statistics, expected)
    if prepared is not None:
        return [prepared]
    return list(_coverage(statistics, expected))


def _constant(samples: Samples) -> Finding | None:
    array = samples.feeds[0] if samples.values is None else samples.values
    flat = array.reshape(len(array), -1)
    if len(flat) < 2 or not flat.size:
        return None
    if not ((flat == flat[0, 0]).all() or is_constant(flat)):
        return None
    single = bool((flat == flat[0, 0]).all())
    what = f"every value is {float(flat[0, 0]):.6g}" if single else "every sample is the same"
    return Finding(
        code="input_constant",
        severity=Severity.FAULT,
        title=f"the samples say nothing: {what}",
        where="model input",
        evidence=(f"{len(flat)} samples, {what}",),
        next_step="look at what fills the input buffer: outputs can only be constant with it",
        figures={"samples": len(flat)},
    )


def _expected(bundle: OpenBundle, grid: Grid) -> _Expected:
    conversion = bundle.plan.conversion
    if conversion is not None and conversion.calibration_range is not None:
        low, high = conversion.calibration_range
        if low < high:
            return _Expected(low, high, "calibration was on", True)
    return _Expected(grid.low, grid.high, "the input can hold", False)


def _preparation(
    bundle: OpenBundle, samples: Samples, statistics: InputStatistics, expected: _Expected
) -> Finding | None:
    """A preparation under which the samples would fit, where as they are they do not."""
    if expected.fit(statistics.low, statistics.high) >= _DOES_NOT_FIT:
        return None
    assert samples.values is not None
    best: tuple[float, str, str] | None = None
    for name, how, transform in _preparations(bundle, samples.values, expected):
        after = transform(samples.values.astype(np.float64))
        fit = expected.fit(float(after.min()), float(after.max()))
        if fit >= _FITS and (best is None or fit > best[0] + 0.02):
            best = fit, name, how
    if best is None:
        return None
    _, name, how = best
    harm = statistics.clipped_share >= _CLIPPED_FAULT
    known = expected.is_calibrated or harm
    return Finding(
        code="input_preprocessing",
        severity=Severity.FAULT if known else Severity.WARNING,
        title=f"the samples look as if {name}",
        where="model input",
        evidence=(
            f"{expected.known_from} {span(expected.low, expected.high)}; {statistics}",
            f"{percent(statistics.clipped_share)} of the values are clipped; after {how} they "
            "would fit",
        ),
        next_step=f"feed {how}, as the model was trained and calibrated",
        figures={
            "low": statistics.low,
            "high": statistics.high,
            "expected_low": expected.low,
            "expected_high": expected.high,
            "clipped_share": statistics.clipped_share,
        },
    )


def _preparations(
    bundle: OpenBundle, values: Array, expected: _Expected
) -> Iterator[tuple[str, str, Transform]]:
    """(what is missing, the formula, the transform), the most telling first."""
    conversion = bundle.plan.conversion
    channels = values.shape[-1]
    if conversion is not None:
        own = conversion.preprocess
        if (own.mean or own.std) and {len(own.mean), len(own.std)} <= {0, 1, channels}:
            mean, std = np.asarray(own.mean or (0.0,)), np.asarray(own.std or (1.0,))
            formula = f"(x - {_listed(own.mean or (0.0,))}) / {_listed(own.std or (1.0,))}"
            missing = "the job's mean and std were not applied"
            yield missing, formula, lambda x: (x - mean) / std
            yield (
                f"they are 0 to 255 and {missing} (factor 255)",
                formula.replace("x", "x / 255"),
                lambda x: (x / 255 - mean) / std,
            )
    yield "they were not divided by 255 (factor 255)", "x / 255", lambda x: x / 255
    yield (
        "0 to 255 stands where -1 to 1 is wanted (factor 127.5, shift 1)",
        "x / 127.5 - 1",
        lambda x: x / 127.5 - 1,
    )
    yield "they were divided by 255, 0 to 255 is wanted (factor 255)", "255 * x", lambda x: 255 * x
    yield (
        "-1 to 1 stands where 0 to 255 is wanted (factor 127.5)",
        "127.5 * (x + 1)",
        lambda x: 127.5 * (x + 1),
    )
    yield "0 to 1 stands where -1 to 1 is wanted (factor 2)", "2 * x - 1", lambda x: 2 * x - 1
    yield "-1 to 1 stands where 0 to 1 is wanted (factor 2)", "(x + 1) / 2", lambda x: (x + 1) / 2
    if channels == len(_IMAGENET[0]):
        mean, std = (np.asarray(part) for part in _IMAGENET)
        formula = f"(x - {_listed(_IMAGENET[0])}) / {_listed(_IMAGENET[1])}"
        yield "ImageNet's mean and std are missing", formula, lambda x: (x - mean) / std
    low, high = float(values.min()), float(values.max())
    shift = (low + high) / 2 - (expected.low + expected.high) / 2
    direction = "high" if shift > 0 else "low"
    yield (
        f"they were shifted: {abs(shift):.2g} too {direction}",
        f"x {'-' if shift > 0 else '+'} {abs(shift):.2g}",
        lambda x: x - shift,
    )


def _listed(values: tuple[float, ...]) -> str:
    shown = ", ".join(f"{v:g}" for v in values)
    return shown if len(values) == 1 else f"[{shown}]"


def _coverage(statistics: InputStatistics, expected: _Expected) -> Iterator[Finding]:
    """Values that the input cannot hold, or that use next to nothing of what it can."""
    figures: dict[str, Figure] = {
        "clipped_share": statistics.clipped_share,
        "low": statistics.low,
        "high": statistics.high,
        "can_hold": statistics.can_hold,
    }
    said = f"{expected.known_from} {span(expected.low, expected.high)}; {statistics}"
    if statistics.clipped_share >= _CLIPPED_NOTE:
        grave = statistics.clipped_share >= _CLIPPED_FAULT
        yield Finding(
            code="input_range",
            severity=Severity.FAULT if grave else Severity.NOTE,
            title=f"the model's input can not hold {percent(statistics.clipped_share)} of the "
            "samples' values: its calibration range does not cover the data",
            where="model input",
            evidence=(said,),
            next_step="prepare the samples as for calibration, or calibrate on data like these and "
            "convert again",
            figures=figures,
        )
    used = (statistics.high - statistics.low) / max(expected.width, 1e-30)
    if used < _NARROW:
        yield Finding(
            code="input_narrow",
            severity=Severity.WARNING,
            title=f"the samples use {percent(used)} of the input's range",
            where="model input",
            evidence=(said, f"some {max(1, round(256 * used))} of 256 levels are used"),
            next_step=f"look for a factor: the range is {1 / max(used, 1e-30):.3g} times as wide",
            figures={**figures, "used_share": used},
        )
